"""The classifier tells prose from lists, and the keep rule is GPT-3's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.config import QualityConfig
from glam.data.quality import Classifier, keeps, train_classifier
from glam.records import Document
from tests.data.conftest import MakeFolder, document

CONFIG = QualityConfig(num_features_log2=10)
PROSE = [document(number, curated=True) for number in range(40)]
LISTS = [document(100 + number, text=f"param{number} returns self none default raises error") for number in range(40)]


def test_curated_text_scores_above_the_rest_and_the_auc_says_so(make_folder: MakeFolder) -> None:
    folder = make_folder("classifiers")
    facts = train_classifier(CONFIG, PROSE + LISTS, folder)
    classifier = Classifier.load(folder)
    assert classifier is not None
    assert facts.auc == 1.0
    assert min(classifier.score([each.text for each in PROSE])) > max(classifier.score([each.text for each in LISTS]))
    assert len(classifier.score([])) == 0


def test_training_does_not_depend_on_the_order_of_documents(make_folder: MakeFolder) -> None:
    scores = []
    for documents in (PROSE + LISTS, (PROSE + LISTS)[::-1]):
        folder = make_folder("classifiers")
        train_classifier(CONFIG, documents, folder)
        classifier = Classifier.load(folder)
        assert classifier is not None
        scores.append(classifier.score(["the text of it"]))
    assert np.array_equal(*scores)


@pytest.mark.parametrize(
    ("config", "documents", "reason"),
    [
        (CONFIG, LISTS, "one class only: 0 curated documents, 40 others"),
        (CONFIG, PROSE, "one class only: 40 curated documents, 0 others"),
        (QualityConfig(enabled=False), PROSE + LISTS, "quality.enabled is false"),
    ],
)
def test_a_skipped_classifier_says_why(
    make_folder: MakeFolder, config: QualityConfig, documents: list[Document], reason: str
) -> None:
    folder = make_folder("classifiers")
    assert train_classifier(config, documents, folder).skipped == reason
    assert Classifier.load(folder) is None


def test_too_few_documents_leave_the_auc_unknown(make_folder: MakeFolder) -> None:
    assert train_classifier(CONFIG, PROSE[:3] + LISTS[:3], make_folder("classifiers")).auc is None


@pytest.mark.parametrize("score", [0.0, 0.5, 0.9])
def test_documents_of_a_score_stay_as_often_as_the_pareto_law_says(score: float) -> None:
    kept = np.mean([keeps(f"document {number}", score, alpha=9, seed=0) for number in range(20_000)])
    assert kept == pytest.approx((2 - score) ** -9, abs=0.01)


@given(st.text(), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32))
def test_a_better_score_never_loses_a_document(name: str, one: float, two: float, seed: int) -> None:
    worse, better = sorted((one, two))
    assert keeps(name, better, alpha=9, seed=seed) >= keeps(name, worse, alpha=9, seed=seed)


def test_a_certain_score_keeps_every_document() -> None:
    assert all(keeps(str(number), 1.0 - 1e-12, alpha=9, seed=0) for number in range(1000))
