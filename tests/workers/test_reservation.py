"""CPUs of a shared Ray go to whom asks first; a signal is heard while Ray is waited for."""

import signal
from collections.abc import Iterator
from types import FrameType, SimpleNamespace

import pytest
import ray
from ray.cluster_utils import Cluster

from glam.store import Store
from workers import reservation
from workers.cluster import is_shared
from workers.reservation import Reservation
from workers.signals import heard_while_ray_waits, wait


@pytest.fixture
def free_in_ray(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Two CPUs of a pretended cluster; what is idle of them may be changed."""
    free = {"CPU": 2.0}
    pretended = SimpleNamespace(
        cluster_resources=lambda: {"CPU": 2.0},
        available_resources=lambda: free,
        get_runtime_context=lambda: SimpleNamespace(gcs_address="127.0.0.1:6390"),
    )
    monkeypatch.setattr(reservation, "ray", pretended)
    monkeypatch.setattr(reservation, "is_shared", lambda: True)
    return free


@pytest.mark.usefixtures("free_in_ray")
def test_two_that_see_the_same_cpus_free_do_not_both_get_them(store: Store) -> None:
    with Reservation(2, store) as first, Reservation(1, store) as second:
        assert first.take(patience_seconds=0)
        assert not second.take(patience_seconds=0)
        assert second.words() == "waits for 1 CPUs: 0 of 2 free"
    with Reservation(1, store) as third, Reservation(1, store) as fourth:
        assert third.take(patience_seconds=0)
        assert fourth.take(patience_seconds=0)


@pytest.mark.usefixtures("free_in_ray")
def test_nothing_is_held_by_one_that_does_not_get_all(store: Store) -> None:
    with Reservation(1, store) as small, Reservation(2, store) as large, Reservation(1, store) as other:
        assert small.take(patience_seconds=0)
        assert not large.take(patience_seconds=0)
        assert other.take(patience_seconds=0)


def test_cpus_that_others_use_without_asking_are_not_free(free_in_ray: dict[str, float], store: Store) -> None:
    free_in_ray["CPU"] = 0.0
    with Reservation(1, store) as asked:
        assert not asked.take(patience_seconds=0)
        assert asked.words() == "waits for 1 CPUs: 0 of 2 free"


def test_a_ray_of_our_own_is_not_shared_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservation, "is_shared", lambda: False)
    with Reservation(99, store) as asked:
        assert asked.take(patience_seconds=0)


class HeardError(BaseException):
    """Raised by a handler, as Prefect's is."""


@pytest.fixture
def one_node() -> Iterator[Cluster]:
    if ray.is_initialized():
        ray.shutdown()
    node = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
    made = Cluster(initialize_head=True, head_node_args=node)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def alarm() -> Iterator[None]:
    """A signal in half a second, whose handler raises."""

    def raise_it(_number: int, _frame: FrameType | None) -> None:
        raise HeardError

    before = signal.signal(signal.SIGALRM, raise_it)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.ray
@pytest.mark.usefixtures("one_node")
def test_cpus_are_free_again_when_their_actor_is_gone(store: Store) -> None:
    @ray.remote(num_cpus=1)
    class Worker:
        def ready(self) -> bool:
            return True

    assert is_shared()
    worker = Worker.remote()
    assert ray.get(worker.ready.remote())
    with Reservation(1, store) as asked:
        assert not asked.take(patience_seconds=0)
        ray.kill(worker)
        assert asked.take(patience_seconds=30)


def test_a_signal_in_the_moment_of_asking_ray_is_the_signal_and_not_rays_wrapping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrapped(*_: object, **__: object) -> None:
        raise SystemError("returned a result with an exception set") from HeardError()

    monkeypatch.setattr(ray, "wait", wrapped)
    with pytest.raises(HeardError):
        wait([])

    def broken(*_: object, **__: object) -> None:
        raise SystemError("something else")

    monkeypatch.setattr(ray, "wait", broken)
    with pytest.raises(SystemError, match="something else"):
        wait([])


@pytest.mark.ray
@pytest.mark.usefixtures("one_node", "alarm")
def test_a_signal_is_heard_while_ray_is_waited_for() -> None:
    @ray.remote(num_cpus=1)
    def nap() -> None:
        signal.pause()

    reference = nap.remote()
    with pytest.raises(HeardError):
        wait([reference])
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with pytest.raises(HeardError), heard_while_ray_waits():
        ray.get(reference)
    ray.cancel(reference, force=True)
