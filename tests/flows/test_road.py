"""The road's own decisions: what a stop is, what is tried again, how progress reads, who waits for whom."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.states import Failed, StateType

from flows import artifacts, progress, road, waiting
from flows.order import Order
from flows.progress import DONE, NOT_YET, TO_COME, Board, Progress, row_of, time_left
from flows.retries import may_help
from glam.config import RunOptions
from glam.lineage import RunStage, study_stages
from glam.recipes import smoke
from glam.records import HeldoutPoint, StepMetrics
from glam.store import Store, StoreError
from glam.training.loop import Stopped
from infra.processors import RayFailed


def step(number: int, *, seconds: float = 1.0) -> StepMetrics:
    return StepMetrics(
        step=number,
        tokens=number * 100,
        loss=5.0,
        grad_norm=1.0,
        learning_rate=1e-3,
        elapsed_seconds=seconds,
        tokens_per_second=100.0,
    )


@pytest.fixture
def run() -> RunStage:
    return study_stages(smoke()).runs[0]


def test_a_budget_that_is_used_up_is_neither_failure_nor_success(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = Stopped("it stopped where max_minutes says so")

    def stop(*_: object) -> None:
        raise stopped

    monkeypatch.setattr(road, "_take", stop)
    monkeypatch.setattr(road, "cluster", lambda **_: nullcontext())
    monkeypatch.setattr(road, "tracked", lambda _: nullcontext())
    study = smoke()
    order = Order("smoke", study, study_stages(study), RunOptions(), store, "compare")
    state = road.take(order)
    assert state is not None
    assert (state.type, state.name, state.message, state.data) == (
        StateType.CANCELLED,
        "Stopped",
        str(stopped),
        stopped,
    )


@pytest.mark.parametrize("up", [True, False])
def test_links_lead_to_the_stack_where_there_is_one(store: Store, monkeypatch: pytest.MonkeyPatch, up: bool) -> None:
    made: list[str] = []
    stack = SimpleNamespace(dashboard="http://127.0.0.1:8501", mlflow="http://127.0.0.1:5000")
    monkeypatch.setattr(artifacts, "read_stack", lambda _: stack if up else None)
    monkeypatch.setattr(artifacts, "create_link_artifact", lambda link, *_, **__: made.append(link))
    live: Any = SimpleNamespace(ask=lambda question: question(SimpleNamespace(experiment_id="7")))
    parent: Any = SimpleNamespace(run=SimpleNamespace(run_id="abc"))
    study = smoke()
    order = Order("smoke", study, study_stages(study), RunOptions(), store, "compare")
    artifacts.show_links(order, live, parent)
    links = [f"{stack.dashboard}/verdict?study={order.fingerprint}", f"{stack.mlflow}/#/experiments/7/runs/abc"]
    assert made == (links if up else [])
    made.clear()
    for until in ("classify", "prepare", "train", "evaluate"):
        artifacts.show_links(Order("smoke", study, study_stages(study), RunOptions(), store, until), live, parent)
    runs = [run.stage.reference.fingerprint for run in order.stages.runs]
    shards = order.stages.data[0].shards.reference.fingerprint
    pages = ["data", f"data?data={shards}", f"training?runs={runs[0]}&runs={runs[1]}", "tasks"]
    assert made[::2] == ([f"{stack.dashboard}/{page}" for page in pages] if up else [])


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (RayFailed("a node is gone"), True),
        (ConnectionResetError("the connection broke"), True),
        (TimeoutError("no answer"), True),
        (ValueError("wrong settings"), False),
        (StoreError("it cannot be written"), False),
        (Stopped("the budget is used up"), False),
        (OSError(28, "No space left on device"), False),
        (AssertionError("our fault"), False),
    ],
)
def test_what_may_pass_is_tried_again_and_nothing_else(error: Exception, again: bool) -> None:
    assert may_help(cast(Any, None), cast(Any, None), Failed(data=error)) is again


@pytest.mark.parametrize(
    ("done", "seconds", "left"), [(5, 5.0, "0:15"), (10, 1200.0, "20:00"), (1, 600.0, "3:10:00"), (20, 9.0, "0:00")]
)
def test_time_left_is_what_the_speed_so_far_says(done: int, seconds: float, left: str) -> None:
    assert time_left(step(done, seconds=seconds), 20) == left


def test_a_row_that_is_not_known_yet_says_so(run: RunStage) -> None:
    row = row_of(run, None, None, TO_COME)
    assert (row["step"], row["loss"], row["held-out loss"], row["time left"]) == ("0 of 20", NOT_YET, NOT_YET, TO_COME)


def test_the_table_is_replaced_once_in_a_while_and_at_the_end(
    run: RunStage, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[list[dict[str, str]]] = []
    table = SimpleNamespace(show=lambda rows: shown.append([dict(row) for row in rows]))
    monkeypatch.setattr(progress, "Table", lambda *_: table)
    board = Board([run], store)
    board.open()
    lines: list[str] = []
    tell = Progress(run, board, lines.append)
    tell([step(1)], [])
    tell([step(2)], [])
    tell([step(20)], [HeldoutPoint(step=20, tokens=2000, loss=4.25, elapsed_seconds=1.0)])
    assert [rows[0]["step"] for rows in shown] == ["1 of 20", "20 of 20"]
    assert (shown[-1][0]["held-out loss"], shown[-1][0]["time left"]) == ("4.2500", DONE)
    assert len(lines) == 3, "two lines of steps, one of held-out loss"


def test_a_roll_back_and_steps_that_changed_nothing_are_told_once(run: RunStage, store: Store) -> None:
    lines: list[str] = []
    tell = Progress(run, Board([run], store), lines.append)
    for number, faults in enumerate([{}, {"skipped_steps": 2}, {"skipped_steps": 2, "rollbacks": 1}, {"rollbacks": 1}]):
        tell([step(number + 1).model_copy(update=faults)], [])
    told = [line for line in lines if "loss " not in line]
    assert len(told) == 1
    assert "at step 3 (roll-back 1 of at most 3; detours.jsonl" in told[0]
    assert [line for line in lines if "2 steps until step 2 had a loss" in line]


@contextmanager
def held(store: Store, name: str) -> Iterator[threading.Event]:
    """The lock of a folder in somebody else's hands until the event is set."""
    release, taken = threading.Event(), threading.Event()

    def hold() -> None:
        with store.lock(name):
            taken.set()
            release.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    assert taken.wait(10)
    yield release
    release.set()
    other.join()


def test_a_folder_that_another_makes_is_waited_for_and_that_is_said(
    run: RunStage, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    context = cast(Any, SimpleNamespace(store=store))
    with held(store, f"runs-{run.stage.reference.fingerprint}") as release:

        def hear(line: str) -> None:
            said.append(line)
            release.set()

        monkeypatch.setattr(waiting, "get_run_logger", lambda: SimpleNamespace(info=hear))
        waiting.wait_for_others([run.stage], context)
        waiting.wait_for_others([run.stage], context)
    assert said == [f"waits for {run.stage.reference}: another process is making it"]
