import pytest

from glam.energy.account import Energy
from glam.energy.entries import energy_fields, energy_of, total_use, use
from glam.records import EvalResult

RESULT = EvalResult(task="test", num_shots=0, metric="accuracy", value=None, num_examples=0)


@pytest.mark.parametrize("energy", [Energy(4, 2, 8, "power_model"), Energy(4, None, None, "rapl"), energy_of(RESULT)])
def test_a_record_says_again_what_it_was_told(energy: Energy):
    assert energy_of(RESULT.model_copy(update=dict(energy_fields(energy)))) == energy


def test_a_record_that_was_told_nothing_knows_nothing():
    assert energy_of(EvalResult.model_validate(RESULT.model_dump())) == Energy(None, None, None, "none")


def test_uses_sum_and_cover_what_all_of_them_cover():
    parts = [use(Energy(4, 2, 8, "power_model"), seconds, "busy cores") for seconds in (1.0, 2.5)]
    whole = total_use(parts)
    assert (whole.energy_joules, whole.low_joules, whole.high_joules, whole.seconds) == (8, 4, 16, 3.5)
    assert whole.covers == "busy cores"


def test_an_unknown_part_makes_the_use_unknown_and_its_cover_too():
    whole = total_use([use(Energy(4, 4, 4, "rapl"), 1.0, "packages and memory"), use(energy_of(RESULT), 1.0, None)])
    assert (whole.energy_joules, whole.method, whole.covers, whole.seconds) == (None, "none", None, 2.0)
