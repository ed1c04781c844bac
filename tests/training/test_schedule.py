"""Learning rates are pure functions of the step."""

import pytest

from glam.config import TrainConfig, replace
from glam.training.schedule import SCHEDULES, learning_rate

CONFIG = TrainConfig(num_steps=100_000, global_batch_size=1, learning_rate=0.01)


def test_published_schedule_is_flat_then_inverse_square_root() -> None:
    assert learning_rate(0, CONFIG) == 0.01
    assert learning_rate(9_999, CONFIG) == 0.01
    # GLaM: 1 / sqrt(step) beyond 10,000.
    assert learning_rate(39_999, CONFIG) == pytest.approx(40_000**-0.5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_warm_up_rises_linearly_and_no_rate_exceeds_the_peak(name: str) -> None:
    config = replace(CONFIG, schedule=name, warmup_steps=10, num_steps=50)
    rates = [learning_rate(step, config) for step in range(50)]
    assert rates[0] == pytest.approx(0.001)
    assert max(rates) == pytest.approx(0.01)
    assert min(rates) > 0


def test_unknown_schedule_lists_what_exists() -> None:
    with pytest.raises(ValueError, match="unknown schedule 'linear'; known: cosine, inverse_sqrt"):
        learning_rate(0, replace(CONFIG, schedule="linear"))
