"""What the scores of a quality classifier say: how well they tell curated text from the rest, how far a score can be
read as a probability, and where the documents of each source lie between 0 and 1. Arrays in, counts out.
"""

# D documents
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from glam.records import Record

HISTOGRAM_BINS = 20
CALIBRATION_BINS = 10
"""All bins are of equal width; the last one includes 1."""


class CalibrationBin(Record):
    """Documents whose score lies in one tenth, counted as if both classes were equally frequent."""

    low: float
    high: float
    num_documents: int
    mean_score: float | None
    """None where there are no documents, here and below."""
    curated_fraction: float | None


class Threshold(Record):
    """What a cut at a score would keep, as fractions of each class."""

    score: float
    curated_fraction: float
    rest_fraction: float


class ScoreTest(Record):
    """A classifier on documents that its training did not see."""

    num_curated: int
    num_rest: int
    auc: float
    """Chance that a curated document scores above another one."""
    calibration: tuple[CalibrationBin, ...]
    calibration_error: float
    """Expected calibration error: mean over documents of |mean score - curated fraction| of their bin."""
    thresholds: tuple[Threshold, ...]
    histogram: dict[str, tuple[int, ...]]
    """Documents of each source in 20 bins of score, the curated ones among them."""


def measure_scores(score_D: NDArray[np.float64], curated_D: NDArray[np.bool_], sources: Sequence[str]) -> ScoreTest:
    """All that there is to say of scores of both classes."""
    bins, error = calibration(score_D, curated_D)
    edges = [edge / CALIBRATION_BINS for edge in range(1, CALIBRATION_BINS)]
    return ScoreTest(
        num_curated=int(curated_D.sum()),
        num_rest=int((~curated_D).sum()),
        auc=float(roc_auc_score(curated_D, score_D)),
        calibration=bins,
        calibration_error=error,
        thresholds=tuple(
            Threshold(
                score=edge,
                curated_fraction=float(np.mean(score_D[curated_D] >= edge)),
                rest_fraction=float(np.mean(score_D[~curated_D] >= edge)),
            )
            for edge in edges
        ),
        histogram=score_histogram(score_D, sources),
    )


def calibration(score_D: NDArray[np.float64], curated_D: NDArray[np.bool_]) -> tuple[tuple[CalibrationBin, ...], float]:
    """Calibration curve and expected calibration error, each class weighing one half."""
    weight_D = np.where(curated_D, 0.5 / max(1, curated_D.sum()), 0.5 / max(1, (~curated_D).sum()))
    bin_D = _bins(score_D, CALIBRATION_BINS)
    count, weight, score, curated = (
        np.bincount(bin_D, each, minlength=CALIBRATION_BINS)
        for each in (np.ones_like(weight_D), weight_D, weight_D * score_D, weight_D * curated_D)
    )
    bins = tuple(
        CalibrationBin(
            low=tenth / CALIBRATION_BINS,
            high=(tenth + 1) / CALIBRATION_BINS,
            num_documents=int(count[tenth]),
            mean_score=float(score[tenth] / weight[tenth]) if count[tenth] else None,
            curated_fraction=float(curated[tenth] / weight[tenth]) if count[tenth] else None,
        )
        for tenth in range(CALIBRATION_BINS)
    )
    return bins, float(np.abs(score - curated).sum())


def score_histogram(score_D: NDArray[np.float64], sources: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Documents of each source in bins of score; those without a score (NaN) are in none."""
    names = sorted(set(sources))
    code_of = {name: code for code, name in enumerate(names)}
    source_D = np.array([code_of[source] for source in sources], np.int64)
    scored_D = ~np.isnan(score_D)
    place_D = source_D[scored_D] * HISTOGRAM_BINS + _bins(score_D[scored_D], HISTOGRAM_BINS)
    counts = np.bincount(place_D, minlength=len(names) * HISTOGRAM_BINS).reshape(len(names), HISTOGRAM_BINS)
    return {name: tuple(row) for name, row in zip(names, counts.tolist(), strict=True)}


def _bins(score_D: NDArray[np.float64], num_bins: int) -> NDArray[np.intp]:
    return np.minimum((score_D * num_bins).astype(np.intp), num_bins - 1)
