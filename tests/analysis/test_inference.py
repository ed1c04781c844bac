"""Ratios and sentences on known numbers: where the first arm loses, it is said."""

from io import StringIO

import pytest
from rich.console import Console

from glam.analysis.inference import compare_inference, unsteady
from glam.analysis.inference_table import print_inference
from glam.records import InferencePoint, InferenceResult, Machine

MACHINE = Machine(processor="Fast 3000", gpu=None, cores=2, torch="2.0")


def point(batch_size: int = 1, seconds: tuple[float, ...] = (1.0, 1.0, 1.0), **changes: object) -> InferencePoint:
    """32 new tokens a row; the energy of a call is 10 W for as long as it takes."""
    middle = sorted(seconds)[len(seconds) // 2]
    fields = {
        "batch_size": batch_size,
        "tokens_per_second": batch_size * 32 / middle,
        "call_seconds": seconds,
        "first_token_seconds": middle / 10,
        "joules_per_token": 10 * sum(seconds) / len(seconds) / (batch_size * 32),
        "energy_method": "power_model",
        "call_joules": tuple(10 * each for each in seconds),
        "flops_per_token": 1e6,
        "weight_bytes": 4_000_000,
        "cache_bytes": 1000 * batch_size,
        "peak_bytes": 9_000_000,
    }
    return InferencePoint.model_validate({**fields, **changes})


def result(*points: InferencePoint, **changes: object) -> InferenceResult:
    fields = {
        "label": "x-s0",
        "run_fingerprint": None,
        "prompt_tokens": 32,
        "new_tokens": 32,
        "threads": 1,
        "prompts": "held-out text",
        "session": "one",
        "machine": MACHINE,
        "points": points,
    }
    return InferenceResult.model_validate({**fields, **changes})


SPARSE = result(point(seconds=(1.4, 1.4, 1.5), weight_bytes=15_600_000))
DENSE = result(point())


def test_where_sparse_loses_the_sentence_says_so() -> None:
    (batch,) = compare_inference("sparse", SPARSE, "dense", DENSE).batches
    assert batch.tokens_per_second == pytest.approx(1 / 1.4)
    assert (batch.tokens_per_second_low, batch.tokens_per_second_high) == pytest.approx((1 / 1.5, 1 / 1.4))
    assert batch.joules_per_token == pytest.approx(4.3 / 3)
    assert batch.weight_bytes == pytest.approx(3.9)
    assert (batch.cache_bytes, batch.peak_bytes, batch.flops_per_token) == (1, 1, 1)
    assert batch.outcomes == {"speed": "loses", "energy": "loses", "memory": "loses"}
    assert batch.sentence == (
        "At batch 1 sparse writes 0.71 times the tokens per second of dense, with 1.43 times the joules a token and "
        "3.90 times the memory for weights: sparse loses on speed, energy and memory."
    )


def test_turned_round_the_other_arm_wins_by_as_much() -> None:
    (one,) = compare_inference("sparse", SPARSE, "dense", DENSE).batches
    (two,) = compare_inference("dense", DENSE, "sparse", SPARSE).batches
    for name in ("tokens_per_second", "first_token_seconds", "joules_per_token", "weight_bytes"):
        assert getattr(one, name) * getattr(two, name) == pytest.approx(1)
    assert set(two.outcomes.values()) == {"wins"}
    assert two.sentence.endswith("dense wins on speed, energy and memory.")


def test_rounds_that_disagree_decide_nothing() -> None:
    sparse = result(point(seconds=(0.9, 1.1, 1.2), weight_bytes=8_000_000))
    (batch,) = compare_inference("sparse", sparse, "dense", DENSE).batches
    assert batch.outcomes == {"speed": "undecided", "energy": "undecided", "memory": "loses"}
    assert batch.sentence.endswith("sparse loses on memory, is undecided on speed and energy, for the rounds disagree.")


def test_equal_arms_are_not_told_apart() -> None:
    (batch,) = compare_inference("sparse", DENSE, "dense", DENSE).batches
    assert set(batch.outcomes.values()) == {"equal"}
    assert batch.sentence.endswith("nothing here tells sparse and dense apart.")


@pytest.mark.parametrize(
    "changes",
    [
        {"joules_per_token": None, "call_joules": (None, None, None), "energy_method": "none"},
        {"energy_method": "rapl"},
    ],
)
def test_energy_that_is_unknown_or_of_another_method_is_no_ratio(changes: dict[str, object]) -> None:
    (batch,) = compare_inference("sparse", result(point(**changes)), "dense", DENSE).batches
    assert (batch.joules_per_token, batch.joules_per_token_low) == (None, None)
    assert batch.outcomes["energy"] == "unknown"
    assert "an unknown number of joules a token" in batch.sentence


def test_arms_that_took_no_turns_are_noted_and_any_two_rounds_are_compared() -> None:
    sparse = result(point(seconds=(1.2, 1.2, 2.0)), session="two", prompts="random ids")
    dense = result(point(seconds=(1.0, 1.0, 1.5)))
    found = compare_inference("sparse", sparse, "dense", dense)
    (batch,) = found.batches
    assert (batch.tokens_per_second_low, batch.tokens_per_second_high) == pytest.approx((1.0 / 2.0, 1.5 / 1.2))
    assert batch.outcomes["speed"] == "undecided"
    assert "did not take turns" in found.notes[0]
    assert found.notes[1] == "sparse read random ids, dense held-out text."
    by_turns = compare_inference("sparse", sparse.model_copy(update={"session": "one"}), "dense", dense)
    assert by_turns.batches[0].outcomes["speed"] == "loses"
    assert compare_inference("sparse", DENSE, "dense", DENSE).notes == ()


def test_only_batch_sizes_that_both_have_are_compared() -> None:
    found = compare_inference("sparse", result(point(1), point(8)), "dense", result(point(8), point(64)))
    assert [batch.batch_size for batch in found.batches] == [8]


@pytest.mark.parametrize(
    "changes", [{"threads": 2}, {"new_tokens": 8}, {"machine": MACHINE.model_copy(update={"cores": 4})}]
)
def test_other_settings_or_machines_have_no_ratio(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"not measured alike: {next(iter(changes))}"):
        compare_inference("sparse", result(point(), **changes), "dense", DENSE)


def test_the_terminal_shows_every_figure_and_sentence() -> None:
    out = StringIO()
    comparison = compare_inference("sparse", SPARSE, "dense", DENSE)
    print_inference({"sparse": SPARSE, "dense": DENSE}, [comparison], Console(file=out, width=160))
    shown = out.getvalue()
    assert "Fast 3000, 2 cores, torch 2.0; 32 tokens of prompt (held-out text), 32 new ones, 1 thread" in shown
    for words in (
        "15.6 MB",
        "312 mJ (power model)",
        "0.67 to 0.71",
        "0.71 ×",
        "3.90 ×",
        comparison.batches[0].sentence,
    ):
        assert words in " ".join(shown.split())


def test_rounds_that_differ_much_tell_of_something_else_on_the_machine() -> None:
    assert unsteady({"sparse": SPARSE, "dense": DENSE}) == []
    (note,) = unsteady({"sparse": result(point(1), point(8, seconds=(1.0, 1.2, 4.2))), "dense": DENSE})
    assert note.startswith("The slowest round of sparse at batch 8 took 4.2 times its fastest")
