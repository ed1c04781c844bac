"""What is said of scores: counts that add up, and known answers."""

import numpy as np
import pytest

from glam.data.scores import calibration, measure_scores, score_histogram

CURATED = np.arange(1000) % 4 == 0


def test_scores_that_mean_what_they_say_have_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(200_000)
    bins, error = calibration(scores, rng.random(200_000) < scores)
    assert error < 0.005
    assert [each.mean_score for each in bins] == pytest.approx([0.05 + 0.1 * tenth for tenth in range(10)], abs=0.01)
    assert sum(each.num_documents for each in bins) == 200_000


def test_classes_weigh_the_same_however_rare_one_is() -> None:
    bins, error = calibration(np.full(1000, 0.5), CURATED)
    assert error == pytest.approx(0.0)
    assert bins[5].curated_fraction == pytest.approx(0.5)
    assert bins[4].mean_score is None
    assert calibration(np.full(1000, 0.9), CURATED)[1] == pytest.approx(0.4)


def test_known_scores_give_known_answers() -> None:
    test = measure_scores(np.where(CURATED, 1.0, 0.2), CURATED, ["book" if each else "page" for each in CURATED])
    assert (test.auc, test.num_curated, test.num_rest) == (1.0, 250, 750)
    assert [each.rest_fraction for each in test.thresholds] == [1.0, 1.0, *[0.0] * 7]
    assert {each.curated_fraction for each in test.thresholds} == {1.0}
    assert test.histogram["book"] == (*[0] * 19, 250)
    assert test.histogram["page"][4] == 750


def test_what_has_no_score_is_in_no_bin() -> None:
    histogram = score_histogram(np.array([np.nan, 0.0, 0.049, 1.0]), ["a", "a", "b", "b"])
    assert histogram == {"a": (1, *[0] * 19), "b": (1, *[0] * 18, 1)}
    assert score_histogram(np.empty(0), []) == {}
