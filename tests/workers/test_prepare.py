"""Prepare on Ray makes what the plain functions make, once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from glam.config import DataConfig, replace
from glam.energy.meter import Meter, open_meter
from glam.records import EnergyCovers, EnergyMethod, EnergyReading, EnergyUse, FileEntry
from glam.store import Folder, Store
from workers import prepare as preparing
from workers.prepare import ENERGY, ENERGY_PARTS, prepare

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_stages_are_made_once_and_hold_the_same_again(tiny_data: DataConfig, store: Store, tmp_path: Path) -> None:
    lines: list[str] = []
    stages = prepare(tiny_data, str(store.root), log=lines.append)
    assert [line.split(": ")[1] for line in lines] == ["started", "complete"] * 6
    lines.clear()
    prepare(tiny_data, str(store.root), log=lines.append)
    assert [line.split(": ")[1] for line in lines] == ["there already"] * 6
    other = Store(tmp_path / "other")
    prepare(tiny_data, str(other.root), log=lines.append)
    for stage in stages:
        one, two = stage.find(store), stage.find(other)
        assert one is not None
        assert two is not None
        assert contents(one) == contents(two)


def contents(folder: Folder) -> list[FileEntry]:
    """Of all files but those about energy, which no two preparations have alike."""
    return [entry for entry in folder.manifest().files if entry.name not in (ENERGY, ENERGY_PARTS)]


def test_every_stage_says_what_its_calls_used(tiny_data: DataConfig, store: Store) -> None:
    for stage in prepare(tiny_data, str(store.root), log=lambda _: None):
        used, parts = uses(store.open(stage.reference.kind, stage.reference.fingerprint))
        assert (used.method, used.covers) == (open_meter().method, open_meter().covers)
        assert used.energy_joules is not None
        assert 0 < (used.low_joules or 0) <= used.energy_joules <= (used.high_joules or 0)
        assert used.energy_joules == pytest.approx(sum(part.energy_joules or 0.0 for part in parts))
        assert used.seconds == pytest.approx(sum(part.seconds for part in parts))


class Node:
    """A meter of this node that counts a joule with every reading."""

    method: EnergyMethod = "rapl"
    per_process = False
    covers: EnergyCovers | None = "packages and memory"

    def __init__(self) -> None:
        self.joules = 0.0

    def read(self) -> EnergyReading:
        self.joules += 1
        return EnergyReading(method="rapl", at_seconds=self.joules, energy_joules=self.joules)


@pytest.mark.parametrize("alone", [True, False])
def test_the_nodes_meter_is_read_here_and_says_nothing_of_other_nodes(
    tiny_data: DataConfig, store: Store, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    node = Node()

    def opened(name: str | None = None) -> Meter:
        return node if name is None else open_meter(name)

    monkeypatch.setattr(preparing, "open_meter", opened)
    monkeypatch.setattr(preparing, "on_one_node", lambda: alone)
    for stage in prepare(tiny_data, str(store.root), log=lambda _: None):
        used, parts = uses(store.open(stage.reference.kind, stage.reference.fingerprint))
        if alone:
            assert (used.energy_joules, used.method, used.covers) == (len(parts), "rapl", "packages and memory")
        else:
            assert (used.energy_joules, used.method) == (None, "none")


def test_what_an_interrupted_stage_used_counts(tiny_data: DataConfig, store: Store) -> None:
    with pytest.raises(ValueError, match="too_short"):
        prepare(replace(tiny_data, filters={"min_characters": 100_000}), str(store.root), log=lambda _: None)
    (folder,) = store.folders("corpora")
    parts = folder.read(ENERGY_PARTS, EnergyUse)
    assert len(parts) == tiny_data.source.num_shards  # those that ended before the one that failed
    assert all(part.energy_joules is not None for part in parts)


def uses(folder: Folder) -> tuple[EnergyUse, list[EnergyUse]]:
    return EnergyUse.model_validate(folder.read_json(ENERGY)), folder.read(ENERGY_PARTS, EnergyUse)


def test_a_failed_stage_says_why_in_its_own_words_and_stays_open(tiny_data: DataConfig, store: Store) -> None:
    with pytest.raises(ValueError, match=r"^no document of source 'local_files' is left .* too_short 12"):
        prepare(replace(tiny_data, filters={"min_characters": 100_000}), str(store.root), log=lambda _: None)
    (folder,) = store.folders("corpora")
    assert not folder.complete
    assert json.loads((folder.path / "report-00000.json").read_text())["kept"] == {}
