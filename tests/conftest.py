"""What every test shares: no telemetry, a store of its own, one thread where asked for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from glam import environment
from glam.store import Store
from tests.bucket import Bucket, bucket_on_loopback

environment.apply()
os.environ.pop("GLAM_STORE", None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Where MLflow's artifacts go."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # where MLflow keeps what it was told last
    with bucket_on_loopback(tmp_path) as opened:
        for name, value in opened.variables.items():
            monkeypatch.setenv(name, value)
        yield opened


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a person's caches hold is no business of tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny models on one thread: several only wait for each other, for seconds where the machine is busy."""
    import torch  # not for tests of rooms without it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
