"""Everything that a run logs is handed over once, and what is made again after a roll-back is handed over again."""

import pytest

from glam.records import Detour, HeldoutPoint, StepMetrics
from glam.store import Folder, Store
from glam.training.loop import forget_after
from workers.follow import Follower


def step(number: int) -> StepMetrics:
    return StepMetrics(
        step=number,
        tokens=number,
        loss=1.0,
        grad_norm=1.0,
        learning_rate=0.1,
        elapsed_seconds=1.0,
        tokens_per_second=1.0,
    )


def point(number: int) -> HeldoutPoint:
    return HeldoutPoint(step=number, tokens=number, loss=1.0, elapsed_seconds=1.0)


def make(folder: Folder, first: int, last: int) -> None:
    folder.append("steps.jsonl", map(step, range(first, last + 1)))
    folder.append("heldout.jsonl", map(point, range(first, last + 1, 2)))


def new(follower: Follower) -> tuple[list[int], list[int]]:
    steps, points = follower.new()
    return [each.step for each in steps], [each.step for each in points]


@pytest.fixture
def folder(store: Store) -> Folder:
    with store.claim("runs", "x", "0" * 16) as claimed:
        return claimed


def test_nothing_is_handed_over_twice_and_no_half_line(folder: Folder) -> None:
    follower = Follower(folder)
    assert new(follower) == ([], [])
    make(folder, 1, 3)
    assert new(follower) == ([1, 2, 3], [1, 3])
    make(folder, 4, 5)
    line = step(6).model_dump_json()
    with open(folder.path / "steps.jsonl", "a") as out:
        out.write(line[:9])
        out.flush()
        assert new(follower) == ([4, 5], [4])
        out.write(line[9:] + "\n")
    assert new(follower) == ([6], [])


def test_an_interruption_hands_over_what_comes_after_and_a_roll_back_what_is_made_again(folder: Folder) -> None:
    follower = Follower(folder)
    make(folder, 1, 9)
    assert new(follower) == ([*range(1, 10)], [1, 3, 5, 7, 9])
    forget_after(folder, 6)
    make(folder, 7, 12)
    assert new(follower) == ([10, 11, 12], [11])
    folder.append("detours.jsonl", [Detour(step=8, left_at=12, reason="test", elapsed_seconds=1.0)])
    assert new(follower) == ([], [])
    forget_after(folder, 8)
    make(folder, 9, 11)
    assert new(follower) == ([9, 10, 11], [9, 11])
