"""What a run used: a node's meter is read by one worker of the node, a process's by each, and the sum is the run's."""

import os
from collections.abc import Sequence
from typing import Any

import pytest
import torch.distributed as dist

from glam.energy.meter import Meter, NoMeter
from glam.records import EnergyCovers, EnergyMethod, EnergyReading, StepMetrics
from glam.store import Folder
from glam.training import clock as clocks
from glam.training.clock import Clock
from glam.training.loop import ENERGY, train
from glam.training.parallel import ParallelGroup, of_node
from glam.training.position import Position, end_of
from tests.training.conftest import make_run
from tests.training.on_workers import on_workers

START = Position(step=0, elapsed_seconds=0.0)


class Steady:
    """A node, or a process, that takes 20 W: 10 s pass from one reading to the next."""

    covers: EnergyCovers | None = "packages and memory"

    def __init__(self, *, per_process: bool = False, method: EnergyMethod = "rapl", dies_after: int = 1000):
        self.per_process, self.method, self._dies_after = per_process, method, dies_after
        self.num_readings = 0

    def read(self) -> EnergyReading:
        self.num_readings += 1
        joules = 200.0 * self.num_readings if self.num_readings <= self._dies_after else None
        return EnergyReading(
            method=self.method,
            at_seconds=10.0 * self.num_readings,
            energy_joules=joules,
            low_joules=joules,
            high_joules=joules,
        )


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "IDLE_SECONDS", 0.0)


def measure_on_this_worker() -> dict[str, Any]:
    """What a worker of three finds: all on one node, the third on another, and so on."""
    clocks.IDLE_SECONDS = 0.0
    rank = dist.get_rank()
    by_itself = ParallelGroup.of_process_group().leads_node
    os.environ["LOCAL_RANK"] = "0"
    return {
        "one node": counted(Steady(), local_rank=rank),
        "two nodes": counted(Steady(), local_rank=rank % 2),
        "processes": counted(Steady(per_process=True, method="power_model"), local_rank=rank),
        "counter and model": counted(
            [Steady(), Steady(per_process=True, method="power_model")][rank % 2], local_rank=0
        ),
        "counter and nothing": counted([Steady(), NoMeter()][rank % 2], local_rank=0),
        "leads without LOCAL_RANK": by_itself,
        "leads with LOCAL_RANK=0": ParallelGroup.of_process_group().leads_node,
        "gpus": of_node(f"GPU-{rank}"),
    }


def counted(meter: Meter, *, local_rank: int) -> dict[str, Any]:
    """Two steps."""
    clock = Clock(meter, ParallelGroup.of_process_group(local_rank=local_rank), START)
    clock.measure_idle()
    for _ in range(2):
        with clock.running():
            pass
    return {
        "read": clock.reading is not None,
        "joules": clock.spent["energy_joules"],
        "idle": clock.idle_watts,
        "method": clock.method,
    }


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return on_workers(measure_on_this_worker, 3, tmp_path_factory.mktemp("clock") / "work")


OF_A_STEP = 200.0


@pytest.mark.parametrize(("nodes", "leaders"), [("one node", (0,)), ("two nodes", (0, 2))])
def test_a_nodes_meter_counts_once_however_many_workers_the_node_has(
    workers: list[dict[str, Any]], nodes: str, leaders: tuple[int, ...]
) -> None:
    num_nodes = len(leaders)
    for rank, found in enumerate(workers):
        assert found[nodes] == {
            "read": rank in leaders,
            "joules": 2 * OF_A_STEP * num_nodes,
            "idle": 20.0 * num_nodes,
            "method": "rapl",
        }


def test_a_meter_of_a_process_is_read_by_every_worker_and_sees_no_idle_power(workers: list[dict[str, Any]]) -> None:
    for found in workers:
        assert found["processes"] == {
            "read": True,
            "joules": 2 * OF_A_STEP * 3,
            "idle": None,
            "method": "power_model",
        }


def test_a_run_is_as_well_known_as_its_least_known_node(workers: list[dict[str, Any]]) -> None:
    for found in workers:
        mixed, unknown = found["counter and model"], found["counter and nothing"]
        assert (mixed["method"], mixed["joules"], mixed["idle"]) == ("power_model", 2 * OF_A_STEP * 3, None)
        assert (unknown["method"], unknown["joules"], unknown["idle"]) == ("none", None, None)


def test_the_local_rank_is_torchruns_and_without_it_there_is_one_node(workers: list[dict[str, Any]]) -> None:
    assert [found["leads without LOCAL_RANK"] for found in workers] == [True, False, False]
    assert all(found["leads with LOCAL_RANK=0"] for found in workers)
    assert ParallelGroup.of_process_group().leads_node


def test_every_worker_knows_what_those_of_its_node_compute_on(workers: list[dict[str, Any]]) -> None:
    assert [found["gpus"] for found in workers] == [["GPU-0", "GPU-1", "GPU-2"]] * 3
    assert of_node("GPU-7") == ("GPU-7",)


def test_a_meter_that_dies_midway_makes_the_sum_unknown_for_good() -> None:
    clock = Clock(Steady(dies_after=3), ParallelGroup(), START)
    sums: Sequence[float | None] = []
    for _ in range(3):
        with clock.running():
            pass
        sums = [*sums, clock.spent["energy_joules"]]
    assert sums == [200.0, None, None]
    assert clock.method == "none"


def test_idle_power_that_cannot_be_seen_stays_what_an_earlier_attempt_found() -> None:
    earlier = START.model_copy(update={"idle_watts": 61.0})
    for meter in (Steady(per_process=True, method="power_model"), NoMeter(), Steady(dies_after=1)):
        clock = Clock(meter, ParallelGroup(), earlier)
        clock.measure_idle()
        assert clock.idle_watts == 61.0


def test_a_run_leaves_its_readings_and_its_idle_power(folder: Folder) -> None:
    logged = list(train(make_run(folder), ParallelGroup(), Steady()))
    readings = folder.read(ENERGY, EnergyReading)
    assert [each.step for each in readings] == [each.step for each in logged]
    assert {each.method for each in readings} == {"rapl"}
    assert [each.energy_joules for each in logged] == [200.0 * each.step for each in logged]
    # Windows touch nothing between them: two readings a step, and two for the idle power.
    assert [each.at_seconds for each in readings] == [10.0 * (2 + 2 * each.step) for each in logged]
    assert end_of(folder).idle_watts == 20.0


def test_readings_of_every_attempt_stay_and_the_sum_is_of_the_steps_that_count(folder: Folder) -> None:
    for step in train(make_run(folder, save_every=2), ParallelGroup(), Steady()):
        if step.step == 3:
            break
    *_, last = train(make_run(folder, save_every=2), ParallelGroup(), Steady())
    assert [each.step for each in folder.read(ENERGY, EnergyReading)] == [1, 2, 3, 3, 4, 5, 6]
    assert last.energy_joules == 200.0 * 6
    assert [each.energy_joules for each in folder.read("steps.jsonl", StepMetrics)] == [200.0 * n for n in range(1, 7)]


def test_a_run_without_a_meter_leaves_no_readings(folder: Folder) -> None:
    assert list(train(make_run(folder), ParallelGroup(), NoMeter()))
    assert not (folder.path / ENERGY).exists()
    assert end_of(folder).idle_watts is None
