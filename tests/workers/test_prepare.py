"""Prepare on Ray makes what the plain functions make, once."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from glam.config import DataConfig, replace
from glam.store import Store
from workers.prepare import prepare

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
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
        assert one.manifest().files == two.manifest().files


def test_a_failed_stage_says_why_in_its_own_words_and_stays_open(tiny_data: DataConfig, store: Store) -> None:
    with pytest.raises(ValueError, match=r"^no document of source 'local_files' is left .* too_short 12"):
        prepare(replace(tiny_data, filters={"min_characters": 100_000}), str(store.root), log=lambda _: None)
    (folder,) = store.folders("corpora")
    assert not folder.complete
    assert json.loads((folder.path / "report-00000.json").read_text())["kept"] == {}
