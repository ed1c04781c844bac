"""All published tasks, asked of a model: as many answers as questions, the same ones one by one and all at once."""

import pytest

from glam.config import EvalConfig
from glam.evaluation.averages import ENTRIES
from glam.evaluation.names import find_task
from glam.evaluation.runner import Asking, examination
from glam.evaluation.task import Generation
from glam.evaluation.tasks import PUBLISHED
from glam.records import Scored
from tests.workers.checkpoints import BENCHMARKS, tiny_checkpoint
from workers.judged import JudgedModel

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> JudgedModel:
    return JudgedModel(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model"))


def asking(task: str, num_shots: int, judged: JudgedModel) -> Asking:
    found = examination(
        find_task(task),
        num_shots=num_shots,
        judged=EvalConfig(max_examples=None, benchmarks=str(BENCHMARKS)),
        tokenizer=judged.tokenizer,
        sequence_length=judged.model.config.sequence_length,
        heldout=None,
    )
    assert isinstance(found, Asking)
    return found


@pytest.mark.parametrize("num_shots", [0, 1])
@pytest.mark.parametrize("task", PUBLISHED)
def test_every_question_is_answered_and_alike_however_many_are_asked_at_once(
    task: str, num_shots: int, judged: JudgedModel
) -> None:
    examined = asking(task, num_shots, judged)
    together = examined.score(judged, 0, examined.num_items)
    alone = [examined.score(judged, place, place + 1) for place in range(examined.num_items)]
    items = [item for piece in alone for item in piece.items]
    for one, other in zip(together.items, items, strict=True):
        assert (one.item_id, one.value, one.chosen, one.generation, one.demonstrations) == (
            other.item_id,
            other.value,
            other.chosen,
            other.generation,
            other.demonstrations,
        )
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-4)
        assert one.value is not None
        assert one.item_id not in one.demonstrations
    result = examined.result(Scored(items=together.items, seconds=1.0))
    assert (result.num_examples, result.num_too_long) == (examined.num_items, 0)
    assert result.value is not None
    assert 0 <= result.value <= 1
    assert result.majority is not None
    assert 0 <= result.majority <= 1
    assert (result.chance is None) == isinstance(examined.task, Generation)
    counted = {entry.metric for entry in ENTRIES if entry.task == task}
    assert counted in (set(), {result.metric, *result.counted})
    assert set(result.counted) <= set(result.others)
