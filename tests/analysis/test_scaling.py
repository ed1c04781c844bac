"""Laws with known answers, and refusals."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from glam.analysis.cost_sentences import law_values
from glam.analysis.judge import judge
from glam.analysis.laws import LAWS, LINE_IN_DOUBLINGS, POWER, POWER_WITH_FLOOR
from glam.analysis.report import render_report
from glam.analysis.scaling import fit_compute, fit_experts, scaling_fits
from glam.analysis.verdict import ScalingFit, ScalingPoint, Verdict
from glam.config import replace
from glam.study import Study, dense_as_published, dense_twin
from glam.variants import VARIANTS

FLOOR, SCALE, EXPONENT = 1.7, 2.0, 0.3
FLOPS = tuple(np.geomspace(1e13, 1e17, 5))


def points(flops: Sequence[float], *, floor: float = FLOOR, noise: float = 0.0, seed: int = 0) -> list[ScalingPoint]:
    rng = np.random.default_rng(seed)
    losses = (floor + SCALE * (np.array(flops) / 1e15) ** -EXPONENT) * np.exp(noise * rng.normal(size=len(flops)))
    return [
        ScalingPoint(arm=f"arm{number}", seed=0, x=x, loss=float(loss))
        for number, (x, loss) in enumerate(zip(flops, losses, strict=True))
    ]


def experts(numbers: Sequence[int], *, noise: float = 0.0, seed: int = 0) -> list[ScalingPoint]:
    rng = np.random.default_rng(seed)
    return [
        ScalingPoint(arm=f"{n}e", seed=0, x=n, loss=float(4.3 - 0.02 * np.log2(n) + noise * rng.normal()))
        for n in numbers
    ]


def values(fit: ScalingFit) -> dict[str, float]:
    return {name: each.value for name, each in fit.parameters.items()}


def test_a_law_without_noise_is_recovered_and_sure() -> None:
    fit = fit_compute("dense", points(FLOPS))
    assert values(fit) == pytest.approx({"E": FLOOR, "A": SCALE, "alpha": EXPONENT}, rel=1e-4)
    assert fit.reference_flops == pytest.approx(1e15)
    assert (fit.formula, fit.num_distinct, fit.reason, fit.notes) == (POWER_WITH_FLOOR.formula, 5, "", ())
    assert all(abs(point.residual or 0.0) < 1e-6 for point in fit.points)
    for each in fit.parameters.values():
        assert each.high - each.low < 1e-4


def test_the_exponent_is_within_its_interval() -> None:
    hits, trials = 0, 6
    for seed in range(trials):
        alpha = fit_compute("dense", points(FLOPS, noise=0.003, seed=seed)).parameters["alpha"]
        assert alpha.low < alpha.value < alpha.high
        hits += alpha.low <= EXPONENT <= alpha.high
    assert hits >= trials - 1


def test_order_and_the_unit_of_flops_do_not_matter() -> None:
    known = points([x for x in FLOPS for _ in range(2)], noise=0.003)
    shuffled = random.Random(1).sample(known, len(known))
    fit = fit_compute("dense", known)
    assert fit_compute("dense", shuffled) == fit
    in_tera = fit_compute("dense", [each.model_copy(update={"x": each.x / 1e12}) for each in known])
    assert values(in_tera) == pytest.approx(values(fit), rel=1e-5)
    assert in_tera.parameters["alpha"].low == pytest.approx(fit.parameters["alpha"].low, rel=1e-2)
    assert in_tera.reference_flops == pytest.approx((fit.reference_flops or 0) / 1e12)


def test_three_amounts_of_compute_give_a_power_law_without_a_floor_and_say_so() -> None:
    fit = fit_compute("dense", points([*FLOPS[:3], FLOPS[0]], floor=0.0))
    assert (fit.formula, fit.num_distinct) == (POWER.formula, 3)
    assert values(fit)["alpha"] == pytest.approx(EXPONENT, rel=1e-4)
    assert any("too few for a floor" in note for note in fit.notes)


@pytest.mark.parametrize("flops", [FLOPS[:1], FLOPS[:2], (FLOPS[0], FLOPS[1], 1.001 * FLOPS[1], FLOPS[1])])
def test_fewer_than_three_are_refused_however_many_runs_there_are(flops: tuple[float, ...]) -> None:
    fit = fit_compute("dense", points(flops))
    number = min(2, len(flops))
    assert fit.parameters == {}
    assert fit.reason == (
        f"{number} amount{'s' if number > 1 else ''} of compute: a power law needs at least 3, one with a floor 4"
    )
    assert len(fit.points) == len(flops)


def test_one_run_that_went_wrong_does_not_carry_the_law_away() -> None:
    known = points([x for x in FLOPS for _ in range(3)])
    spoilt = [known[4].model_copy(update={"loss": 1.2 * (known[4].loss or 0)}), *known[:4], *known[5:]]
    assert values(fit_compute("dense", spoilt))["alpha"] == pytest.approx(EXPONENT, rel=0.03)


def test_a_parameter_that_the_points_do_not_tell_is_named() -> None:
    flat = [point.model_copy(update={"loss": 4.0}) for point in points(FLOPS)]
    assert any("is at its bound" in note for note in fit_compute("dense", flat).notes)


@pytest.mark.parametrize("loss", [None, float("nan")])
def test_a_run_without_a_held_out_loss_is_named(loss: float | None) -> None:
    known = points(FLOPS)
    fit = fit_compute("dense", [known[0].model_copy(update={"loss": loss}), *known[1:]])
    assert (fit.reason, fit.parameters) == ("arm0 seed 0 has no finite held-out loss", {})


def test_loss_falls_by_as_much_with_every_doubling_of_experts() -> None:
    fit = fit_experts("4 layers", experts((1, 8, 32)))
    assert fit.formula == LINE_IN_DOUBLINGS.formula
    assert values(fit) == pytest.approx({"a": 4.3, "b": -0.02}, rel=1e-6)
    slope = fit_experts("4 layers", experts((1, 4, 8, 16, 32, 64), noise=0.005, seed=3)).parameters["b"]
    assert slope.low <= -0.02 <= slope.high


def test_two_numbers_of_experts_are_refused() -> None:
    fit = fit_experts("4 layers", experts((1, 8, 8)))
    assert fit.reason == "2 numbers of experts: a line needs at least 3"


@pytest.fixture
def ladder(make_study) -> Study:
    """Three sizes, each dense and with 4 and 8 experts; two seeds of the smallest."""
    base = make_study(seeds=(0,)).arms["sparse"]
    arms, pairs = {}, []
    for size, width in (("small", 32), ("middle", 64), ("large", 128)):
        sparse = replace(base, model=replace(VARIANTS["toy_4e"], model_dim=width, head_dim=width // 2))
        arms |= {
            f"{size}_dense": replace(sparse, model=dense_twin(sparse.model)),
            f"{size}_4e": sparse,
            f"{size}_8e": replace(sparse, model={"num_experts": 8}),
        }
        pairs += [(f"{size}_{number}e", f"{size}_dense") for number in (4, 8)]
    seeds = {arm: (0, 1) for arm in arms if arm.startswith("small")}
    return Study(name="toy_ladder", arms=arms, pairs=tuple(pairs), seeds=(0,), arm_seeds=seeds)


@pytest.fixture
def on_the_ladder(ladder: Study, make_evidence) -> Verdict:
    """With twice the FLOPs a token on every rung."""
    evidence = make_evidence(ladder)
    for (arm, seed), run in evidence.items():
        rung = ("small", "middle", "large").index(arm.partition("_")[0])
        summary = run.summary.model_copy(
            update={"flops_per_token": 2.0**rung * 1e7, "heldout_loss": (run.summary.heldout_loss or 0) - 0.2 * rung}
        )
        evidence[arm, seed] = type(run)(**{**vars(run), "summary": summary})
    return judge(ladder, evidence)


def test_a_study_of_several_sizes_has_a_law_a_family_and_a_line_a_size(on_the_ladder: Verdict) -> None:
    assert [(fit.axis, fit.group) for fit in on_the_ladder.scaling] == [
        ("flops", "dense"),
        ("flops", "4 experts"),
        ("flops", "8 experts"),
        ("experts", "2 layers of width 32"),
        ("experts", "2 layers of width 64"),
        ("experts", "2 layers of width 128"),
    ]
    dense, *_, small = on_the_ladder.scaling[:4]
    assert [point.seed for point in dense.points if point.arm == "small_dense"] in ([0, 1], [1, 0])
    assert len(dense.points) == 4
    assert {(point.arm, point.x) for point in small.points} == {("small_dense", 1), ("small_4e", 4), ("small_8e", 8)}
    assert all(fit.formula in LAWS and fit.parameters for fit in on_the_ladder.scaling)


def test_the_report_shows_laws_with_a_chart_an_axis(on_the_ladder: Verdict) -> None:
    html = render_report(on_the_ladder)
    assert html.count("Held-out loss over sizes against") == 2
    for fit in on_the_ladder.scaling:
        assert law_values(fit) in html
    assert Verdict.model_validate_json(on_the_ladder.model_dump_json()) == on_the_ladder


def test_a_study_of_one_size_has_none(verdict: Verdict) -> None:
    assert verdict.scaling == ()
    assert "over sizes" not in render_report(verdict).lower()


def test_dense_models_of_two_kinds_are_two_families(ladder: Study, make_evidence) -> None:
    more = {
        arm.replace("4e", "published"): replace(each, model=dense_as_published(each.model))
        for arm, each in ladder.arms.items()
        if arm.endswith("_4e")
    }
    both = replace(ladder, arms={**ladder.arms, **more})
    summaries = {key: run.summary for key, run in make_evidence(both).items()}
    groups = [fit.group for fit in scaling_fits(both, summaries) if fit.axis == "flops"]
    assert "dense (small_dense, middle_dense, large_dense)" in groups
    assert "dense (small_published, middle_published, large_published)" in groups
