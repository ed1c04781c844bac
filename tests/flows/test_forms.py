"""The forms of Prefect's pages: flat, described, with choices; what cannot run is refused before engines load."""

import re
import subprocess
import sys

import pytest
from prefect.states import StateType
from prefect.utilities.callables import parameter_schema

from flows import experiment
from flows.artifacts import key
from flows.experiment import judged_by, travel
from flows.forms import FLOWS
from flows.order import validate
from glam.evaluation.tasks import TASKS
from glam.recipes import RECIPES
from glam.store import StoreError
from glam.store.errors import DISK_FULL
from infra.processors import NotEnoughResources

SIMPLE = {"string", "integer", "number", "boolean"}
NOTHING = {"settings": [], "seeds": [], "workers": 1, "threads": 1, "run_settings": [], "until": "compare"}


@pytest.mark.parametrize("name", FLOWS)
def test_every_field_is_flat_has_a_default_and_says_what_it_is(name: str) -> None:
    assert FLOWS[name].name == name
    for field, schema in parameter_schema(FLOWS[name]).properties.items():
        kind = schema["items"]["type"] if schema["type"] == "array" else schema["type"]
        assert kind in SIMPLE, field
        assert "default" in schema, field
        assert schema["description"], field


@pytest.mark.parametrize("name", FLOWS)
def test_recipes_are_a_choice_that_describes_each(name: str) -> None:
    recipe = parameter_schema(FLOWS[name]).properties["recipe"]
    assert recipe["enum"] == [*RECIPES]
    for known, make in RECIPES.items():
        assert f"{known}: {' '.join(make().description.split())}" in recipe["description"]


@pytest.mark.parametrize("name", ["experiment", "evaluate", "compare"])
def test_tasks_are_a_list_of_choices_wherever_something_is_judged(name: str) -> None:
    fields = parameter_schema(FLOWS[name]).properties
    assert fields["tasks"]["items"]["enum"] == [*TASKS]
    assert {"shots", "limit", "benchmarks", "workers", "threads", "run_settings"} <= fields.keys()


def test_fields_about_tasks_are_settings_of_the_study_and_empty_ones_none() -> None:
    assert judged_by([], [], 0, "") == []
    order = validate.fn(**{"recipe": "smoke", **NOTHING, "settings": judged_by(["last_word"], [0, 2], 7, "")})
    assert {(each.eval.tasks, each.eval.shots, each.eval.max_examples) for each in order.study.arms.values()} == {
        (("last_word",), (0, 2), 7)
    }


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"recipe": "nonsense"}, ValueError, "unknown recipe 'nonsense'"),
        ({"settings": ["train.num_step=3"]}, ValueError, "no field 'num_step'"),
        ({"settings": ["eval.tasks=[nonsense]"]}, ValueError, "unknown task 'nonsense'"),
        ({"settings": ["seeds=[0,1"]}, ValueError, r"'seeds=\[0,1' has a value that is not YAML: expected ',' or '\]'"),
        ({"settings": ["eval.tasks=@x"]}, ValueError, "is not YAML: .*'@'"),
        ({"settings": ["eval.tasks=" + "[" * 5000]}, ValueError, "is not YAML"),
        ({"run_settings": ["layout={"]}, ValueError, "'layout={' has a value that is not YAML"),
        *(({"settings": [f"name={name}"]}, ValueError, "name") for name in ("a/b", "it's", "''", "../x", "a" * 101)),
        ({"run_settings": ["layout"]}, ValueError, "is not KEY=VALUE"),
        ({"workers": 999}, NotEnoughResources, "CPUs asked for, this machine has"),
    ],
)
def test_what_cannot_run_is_refused(given, error, words, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(error, match=words):
        validate.fn(**{"recipe": "smoke", **NOTHING, **given})


def test_seeds_of_the_form_are_those_of_the_study() -> None:
    order = validate.fn(**{"recipe": "smoke", **NOTHING, "seeds": [3, 4]})
    assert order.study.seeds == (3, 4)
    assert not order.complete


def test_refusing_loads_no_engine() -> None:
    program = (
        "import sys\nfrom flows.forms import FLOWS\nfrom flows.order import validate\n"
        "try: validate.fn('smoke', ['train.num_step=3'], [], 1, 1, [], 'compare')\n"
        "except ValueError: print([name for name in ('torch', 'ray', 'mlflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no such thing"), "no such thing"),
        (StoreError("it cannot be written"), "it cannot be written"),
        (OSError(28, "No space left on device"), DISK_FULL),
    ],
)
def test_the_state_of_a_refused_run_is_the_sentence(error, message, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(experiment, "validate", refuse)
    state = travel("smoke", [], [], 1, 1, [], "compare")
    assert state is not None
    assert (state.type, state.message, state.data) == (StateType.FAILED, message, error)


def test_a_fault_of_ours_is_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("what we promised")

    monkeypatch.setattr(experiment, "validate", fail)
    with pytest.raises(AssertionError, match="what we promised"):
        travel("smoke", [], [], 1, 1, [], "compare")


@pytest.mark.parametrize("name", ["quickstart", "Ladder_1m", "<script>", "ä/ö", "--"])
def test_keys_of_artifacts_are_as_prefect_wants_them(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key("verdict", name))
