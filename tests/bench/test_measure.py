"""Contestants take turns in processes of their own. No assertion here depends on how fast the machine is."""

from pathlib import Path

import pytest

from glam.bench import rows
from glam.bench.measure import BenchError, Contestant, Measurement, race
from glam.bench.model import ours
from glam.bench.model import races as model
from glam.bench.rows import Claim, Race, peak_mebibytes, run
from glam.environment import CPU_ALLOCATOR

pytestmark = pytest.mark.usefixtures("one_thread")


HERE = "tests.bench.contestants"
VARIABLE = next(iter(CPU_ALLOCATOR))


@pytest.fixture(autouse=True)
def contestants_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def silent(_: str) -> None:
    pass


def test_a_race_measures_each_contestant_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glam.bench.measure.WARM_UP_ROUNDS", 1)
    measured = race(
        {
            "quick": Contestant(f"{HERE}:sleeper", {"seconds": 0.1}),
            "small": Contestant(f"{HERE}:holder", {"megabytes": 1}),
            "large": Contestant(f"{HERE}:holder", {"megabytes": 40}),
        },
        rounds=1,
    )
    assert {name: len(each.seconds) for name, each in measured.items()} == {"quick": 1, "small": 1, "large": 1}
    assert measured["quick"].median_seconds >= 0.1
    assert measured["large"].peak_bytes - measured["small"].peak_bytes > 70 << 20
    assert 30 << 20 < measured["large"].call_bytes < measured["large"].peak_bytes - (30 << 20)


def test_the_allocator_is_ours_or_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    ours = Contestant(f"{HERE}:only_with", {"variable": VARIABLE, "value": CPU_ALLOCATOR[VARIABLE]})
    without = Contestant(f"{HERE}:only_with", {"variable": VARIABLE, "value": None}, our_allocator=False)
    monkeypatch.setattr("glam.bench.measure.WARM_UP_ROUNDS", 0)
    assert set(race({"ours": ours, "without": without}, rounds=1)) == {"ours", "without"}


@pytest.mark.parametrize(("name", "words"), [("broken", "cannot be built"), ("failing", "cannot be called")])
def test_a_contestant_that_fails_is_named(name: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BenchError, match=f"contestants:{name} ended with exit code 1"):
        race({name: Contestant(f"{HERE}:{name}")}, rounds=1)
    assert words in capfd.readouterr().err


@pytest.mark.parametrize(
    "tiny",
    [
        model.layer_against_dense(512, 16, 32, 4, goal=1.0),
        model.training_step("toy_4e", "sparse"),
        model.training_step_memory("toy_4e"),
        model.dense_step_flops_share("toy_4e"),
        model.generation("toy_4e", num_prompts=2, tokens=8),
    ],
    ids=lambda tiny: tiny.claims[0].name,
)
def test_our_contestants_can_be_built_and_called_twice(tiny: Race) -> None:
    for contestant in tiny.contestants.values():
        if isinstance(contestant, Contestant):
            builder = contestant.builder.removeprefix("glam.bench.model.ours:")
            call = getattr(ours, builder)(**contestant.arguments)
            call()
            call()


FAKE = {
    "ours": Measurement((1.0, 2.0, 9.0), peak_bytes=1 << 20, call_bytes=1 << 19),
    "other": Measurement((4.0, 4.0, 4.0), peak_bytes=3 << 20, call_bytes=1 << 20),
}
RACE = Race(
    {"ours": Contestant("a:b", work=100), "other": Contestant("c:d", work=100, package="no_such_peer")},
    (
        Claim("toy/speed", "tokens/s", "ours", "other", 1.5),
        Claim("toy/memory", "MiB", "ours", "other", None, peak_mebibytes, less_is_better=True),
    ),
)


def test_ratio_above_one_is_better_for_rates_and_for_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "race", lambda *_, **__: FAKE)
    monkeypatch.setattr(rows, "find_spec", lambda package: package)
    speed, memory = run([RACE], rounds=3, log=silent).rows
    assert (speed.ours, speed.other, speed.ratio, speed.goal) == (50.0, 25.0, 2.0, 1.5)
    assert (memory.ours, memory.other, memory.ratio, memory.goal) == (1.0, 3.0, 3.0, None)


def test_of_several_others_the_fastest_is_raced_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(contestants: dict[str, Contestant], **_: int) -> dict[str, Measurement]:
        return {
            name: Measurement((len(each.label) + 1.0,), peak_bytes=0, call_bytes=0)
            for name, each in contestants.items()
        }

    monkeypatch.setattr(rows, "race", fake)
    several = [Contestant("c:d", work=6, label=label) for label in ("slow", "ok")]
    outcome = run([Race({"ours": Contestant("a:b", work=6), "other": several}, RACE.claims[:1])], rounds=1, log=silent)
    assert outcome.chosen == {"toy/speed": "ok"}
    assert outcome.rows[0].other == 2.0


def test_a_pattern_that_fits_nothing_lists_the_rows() -> None:
    with pytest.raises(ValueError, match="no row fits 'nonsense'; known: toy/speed, toy/memory"):
        run([RACE], only="nonsense", rounds=1, log=silent)


def test_a_missing_peer_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(BenchError, match=r"no_such_peer is not installed.*pip install 'glam\[bench\]'"):
        run([RACE], rounds=1, log=silent)
