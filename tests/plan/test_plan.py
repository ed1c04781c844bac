"""Plans, and refusals that say what would help."""

import subprocess
import sys
from dataclasses import replace as with_
from itertools import product

import pytest

from glam.config import TrainConfig, replace
from glam.plan.clusters import CLUSTERS, NODES, Cluster, cluster_of, find_cluster
from glam.plan.devices import DEVICES
from glam.plan.layout import Layout
from glam.plan.plan import Plan, make_plan
from glam.plan.refusal import Change, ImpossibleError
from glam.variants import VARIANTS
from tests.plan.conftest import make_cluster

SPARSE = VARIANTS["ladder_1m_8e"]


def test_twice_the_tokens_take_twice_the_hours_and_energy(train: TrainConfig) -> None:
    one, two = (make_plan(VARIANTS["glam_8b_64e"], replace(train, global_batch_size=1024), tokens, CLUSTERS["glam"])
                for tokens in (1e11, 2e11))  # fmt: skip
    for name in ("hours", "machine_mwh", "site_mwh", "tonnes_co2e", "num_steps"):
        assert getattr(two, name) == 2 * getattr(one, name) > 0
    assert two.step == one.step


def test_energy_is_devices_times_hours_times_watts_and_what_the_site_adds(train: TrainConfig) -> None:
    place = CLUSTERS["glam"]
    plan = make_plan(VARIANTS["glam_8b"], replace(train, global_batch_size=1024), 1e11, place)
    machine = 1024 * plan.hours * 326e-6
    assert plan.machine_mwh == pytest.approx(machine)
    assert plan.site_mwh == pytest.approx(1.11 * machine)
    assert plan.tonnes_co2e == pytest.approx(0.088 * 1.11 * machine)


def test_what_is_not_known_is_none(train: TrainConfig, cluster: Cluster) -> None:
    plan = make_plan(SPARSE, train, 1e9, cluster)
    assert plan.machine_mwh is not None
    assert (plan.site_mwh, plan.tonnes_co2e, plan.price) == (None, None, None)
    assert any("PUE, grid, price" in warning for warning in plan.warnings)
    priced = make_plan(SPARSE, train, 1e9, with_(cluster, price_per_device_hour=2.0))
    assert priced.price == pytest.approx(2.0 * 8 * priced.hours)
    powerless = with_(cluster, device=with_(cluster.device, data_sheet_watts=None))
    assert make_plan(SPARSE, train, 1e9, powerless).machine_mwh is None


def test_a_plan_survives_json(train: TrainConfig, cluster: Cluster) -> None:
    for model in (SPARSE, VARIANTS["ladder_1m"]):
        plan = make_plan(model, train, 1e9, cluster)
        assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_no_layout_that_may_be_asked_for_is_faster_than_the_one_chosen(train: TrainConfig) -> None:
    place = make_cluster(16)
    best = make_plan(SPARSE, train, 1e9, place)
    assert best.runnable
    for sharded, expert in product((False, True), (1, 2, 4, 8)):
        layout = Layout(**{"sharded" if sharded else "data": 16 // expert}, expert=expert)
        for rows, recompute in product((1, 2, 4), (False, True)):
            other = make_plan(SPARSE, train, 1e9, place, layout, micro_batch_rows=rows, recompute=recompute)
            assert other.step.seconds >= best.step.seconds
            assert other.layout == layout


def test_a_layout_of_ours_is_shown_before_a_faster_one_that_is_not(train: TrainConfig) -> None:
    plan = make_plan(VARIANTS["glam_137b"], replace(train, global_batch_size=1024), 1e11, CLUSTERS["h100"])
    assert plan.runnable
    assert plan.faster_elsewhere is not None
    assert plan.faster_elsewhere_seconds is not None
    assert plan.faster_elsewhere_seconds < plan.step.seconds
    there = make_plan(VARIANTS["glam_137b"], replace(train, global_batch_size=1024), 1e11, CLUSTERS["h100"],
                      plan.faster_elsewhere)  # fmt: skip
    assert not there.runnable
    assert there.step.seconds == pytest.approx(plan.faster_elsewhere_seconds)
    assert any("no tensor and no pipeline" in warning for warning in there.warnings)


REFUSED = {
    "micro_batch_rows": {"layout": Layout(data=8), "micro_batch_rows": 8},
    "recompute": {"layout": Layout(data=8), "recompute": False, "memory": 0.97},
    "layout": {"layout": Layout(data=8), "memory": 0.5},
    "num_devices": {"memory": 0.1},
}


def _fitting(train: TrainConfig, memory: float) -> float:
    """Bytes that one row at a time takes without recomputation in 8 copies, by `memory`."""
    plan = make_plan(SPARSE, train, 1e9, make_cluster(), Layout(data=8), micro_batch_rows=1, recompute=False)
    return plan.memory.peak / 0.9 * memory


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_names_the_bytes_and_a_change_that_makes_it_fit(what: str, train: TrainConfig) -> None:
    options = dict(REFUSED[what])
    place = make_cluster(memory_bytes=_fitting(train, float(options.pop("memory", 1.05))))  # type: ignore[arg-type]
    with pytest.raises(ImpossibleError, match=r"GB more than the .* that can be used; it would fit with") as caught:
        make_plan(SPARSE, train, 1e9, place, **options)  # type: ignore[arg-type]
    change = caught.value.change
    assert caught.value.missing_bytes > 0
    assert isinstance(change, Change)
    assert change.what == what
    if what == "num_devices":
        place = place.of(int(change.value))  # type: ignore[arg-type]
        assert make_plan(SPARSE, train, 1e9, place.of(place.num_devices), change.layout).memory.fits
        with pytest.raises(ImpossibleError):
            make_plan(SPARSE, train, 1e9, place.of(place.num_devices // 2))
    else:
        assert make_plan(SPARSE, train, 1e9, place, **{**options, what: change.value}).memory.fits  # type: ignore[arg-type]


def test_what_no_number_of_devices_holds_says_so(train: TrainConfig) -> None:
    with pytest.raises(ImpossibleError, match=r"nor would it on 65,536 of them") as caught:
        make_plan(SPARSE, replace(train, global_batch_size=2), 1e9, make_cluster(2, memory_bytes=1e5))
    assert caught.value.change is None


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (Layout(data=4), "is of 4 devices, not of 8"),
        (Layout(expert=8, tensor=1), None),
        (Layout(data=1, tensor=8), "tensor=8 does not divide num_heads=4"),
    ],
)
def test_a_layout_must_be_of_all_devices_and_of_the_model(
    layout: Layout, message: str | None, train: TrainConfig, cluster: Cluster
) -> None:
    if message is None:
        assert make_plan(SPARSE, train, 1e9, cluster, layout).layout == layout
        return
    with pytest.raises(ValueError, match=message):
        make_plan(SPARSE, train, 1e9, cluster, layout)


def test_more_devices_than_rows_need_a_larger_batch(train: TrainConfig) -> None:
    with pytest.raises(ValueError, match=r"no layout of 1,024 devices takes a batch of 1 rows"):
        make_plan(SPARSE, replace(train, global_batch_size=1), 1e9, make_cluster(1024, per_node=1))


def test_every_device_and_cluster_says_where_its_figures_are_from() -> None:
    assert set(NODES) == set(DEVICES)
    for device in DEVICES.values():
        assert device.source
        assert device.peak_flops["bfloat16"] >= max(device.peak_flops.values())
    for name, place in CLUSTERS.items():
        assert find_cluster(name) is place
        assert place.source
        assert (place.grid_tonnes_per_mwh is None) == (place.grid_source is None)
    with pytest.raises(ValueError, match=r"unknown cluster 'gpt4'; known: glam, gpt3"):
        find_cluster("gpt4")
    with pytest.raises(ValueError, match=r"unknown device 'h99'; known: cpu, tpu_v4"):
        cluster_of("h99", 1)


def test_planning_needs_no_torch() -> None:
    program = (
        "import sys; from glam.plan import held_against, machine, plan; held_against.rows(); "
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
