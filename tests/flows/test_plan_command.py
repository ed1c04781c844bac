"""`glam plan`: what it prints, and how it refuses."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from flows import cli
from flows.commands import plan as command
from glam.plan.held_against import rows
from glam.plan.plan import Plan
from glam.store import Store
from tests.plan.conftest import make_cluster

Glam = Callable[..., tuple[int, str, str]]
SMALL = ("ladder_1m_8e", "--device", "h100", "--tokens", "1e9", "--batch-tokens", "65536")


@pytest.fixture
def glam(capsys: pytest.CaptureFixture[str], store: Store, monkeypatch: pytest.MonkeyPatch) -> Glam:
    """Runs the command in this process, on a store of its own and a machine that is not measured."""
    monkeypatch.setattr(command, "this_machine", lambda _threads: make_cluster(1, kind="processor"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli._run(["plan", *arguments, "--store", str(store.root)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_a_variant_as_json_is_a_plan(glam: Glam) -> None:
    code, out, err = glam(*SMALL, "--num-devices", "8", "--layout", "sharded=2,expert=4", "--recompute", "--json")
    assert code == 0, err
    plan = Plan.model_validate(json.loads(out))
    assert (plan.num_devices, str(plan.layout), plan.recompute_activations) == (8, "sharded=2,expert=4", True)
    assert (plan.tokens, plan.batch_tokens, plan.precision) == (1e9, 65536, "bfloat16")
    assert plan.price is None


def test_settings_and_precision_change_what_is_planned(glam: Glam) -> None:
    options = ("--set", "model.num_experts=16", "--set", "train.optimizer=adamw", "--precision", "float32")
    code, out, err = glam(*SMALL, *options, "--micro-batch-size", "2", "--json")
    assert code == 0, err
    plan = Plan.model_validate(json.loads(out))
    assert (plan.model.num_experts, plan.optimizer, plan.precision) == (16, "adamw", "float32")
    assert plan.micro_batch_rows == 2


def test_what_is_said_of_the_site_holds_of_the_energy_on_any_device(glam: Glam) -> None:
    code, out, err = glam(*SMALL, "--pue", "1.5", "--grid", "SE", "--price", "2.5", "--num-devices", "8", "--json")
    assert code == 0, err
    plan = Plan.model_validate(json.loads(out))
    assert plan.machine_mwh is not None
    assert plan.site_mwh == pytest.approx(1.5 * plan.machine_mwh)
    assert plan.tonnes_co2e == pytest.approx(0.041 * 1.5 * plan.machine_mwh)
    assert plan.price == pytest.approx(2.5 * 8 * plan.hours)
    assert any("SE 2023" in note for note in plan.assumptions)
    assert not any("not known of this place" in note for note in plan.warnings)


def test_a_recipe_has_its_steps_and_a_plan_for_each_arm(glam: Glam) -> None:
    code, out, err = glam("smoke", "--json")
    assert code == 0, err
    printed = json.loads(out)
    assert not any(step["done"] for step in printed["stages"])
    assert printed["stages"][-1]["step"].startswith("verdicts/smoke-")
    assert set(printed["arms"]) == {"sparse", "dense"}
    for arm in printed["arms"].values():
        assert (arm["num_runs"], arm["num_to_run"]) == (1, 1)
        assert Plan.model_validate(arm["plan"]).num_steps == 20


def test_a_recipe_for_people_says_what_is_to_do(glam: Glam) -> None:
    code, out, err = glam("smoke", "--set", "seeds=[0,1]")
    assert code == 0, err
    assert "to run" in out
    assert "2 of 2" in out
    assert "Training that is to do" in out


def test_a_variant_for_people_shows_unknown_as_unknown(glam: Glam) -> None:
    code, out, err = glam(*SMALL)
    assert code == 0, err
    assert "unknown" in out
    assert "at most at once" in out
    assert "optimizer" in out


def test_published_rows_are_all_there(glam: Glam) -> None:
    code, out, err = glam("--published", "--json")
    assert code == 0, err
    printed = json.loads(out)
    assert [(row["run"], row["what"], row["ours"]) for row in printed] == [(r.run, r.what, r.ours) for r in rows()]
    code, out, _ = glam("--published")
    assert code == 0
    assert "missed" in out
    assert "identity" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name what to plan; recipes: quickstart"),
        (("nonsense",), "unknown recipe or variant 'nonsense'; recipes: quickstart"),
        (("glam_8b", "--cluster", "h100"), "a plan for 'glam_8b' needs --tokens"),
        (("glam_8b", "--tokens", "1e9"), "name a place: --cluster glam|gpt3"),
        (("glam_8b", "--cluster", "gpt4", "--tokens", "1e9"), "unknown cluster 'gpt4'; known: glam"),
        (("glam_8b", "--cluster", "h100", "--device", "h100"), "are two places; leave one away"),
        (("smoke", "--device", "cpu", "--num-devices", "2"), "is this machine: one device, not 2"),
        (("smoke", "--published"), "--published is about published runs"),
        ((*SMALL, "--layout", "rows=2"), "is not AXIS=NUMBER of data, sharded"),
        ((*SMALL, "--layout", "data=2"), "is of 2 devices, not of 1"),
        ((*SMALL, "--precision", "float16"), "Input should be 'float32', 'float64' or 'bfloat16'"),
        ((*SMALL, "--grid", "Atlantis"), "no grid intensity of region 'Atlantis'; known: world"),
        (("glam_8b_64e", "--device", "h100", "--tokens", "1e9"), "GB more than the"),
    ],
    ids=str,
)
def test_wrong_use_is_exit_code_2_and_a_line_that_helps(glam: Glam, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = glam(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_planning_imports_no_torch(store: Store) -> None:
    program = (
        "import sys; from flows import cli; code = cli._run(['plan', *sys.argv[1:]]); "
        "sys.exit('torch was imported' if 'torch' in sys.modules else code)"
    )
    for arguments in (["--published"], [*SMALL, "--json"], ["smoke", "--store", str(store.root)]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
