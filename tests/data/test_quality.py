"""The classifier tells prose from lists, and the keep rule is GPT-3's."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pareto

from glam.config import QualityConfig
from glam.data.draws import draw
from glam.data.quality import Classifier, keeps, sample_classes, train_classifier
from glam.records import Document
from tests.data.conftest import MakeFolder, document

CONFIG = QualityConfig(num_features_log2=10)
NUM_OF_A_CLASS = 80
PROSE = [document(number, unit=f"page{number}", curated=True) for number in range(NUM_OF_A_CLASS)]
LISTS = [
    document(
        NUM_OF_A_CLASS + number, unit=f"list{number}", text=f"param{number} returns self none default raises error"
    )
    for number in range(NUM_OF_A_CLASS)
]
REAL_TEXT = Path(__file__).parents[3] / "shared" / "data" / "text"
"""Documents, one file a kind, beside the repository."""
PIECE_CHARACTERS = 3000


def test_curated_text_scores_above_the_rest_and_the_auc_says_so(make_folder: MakeFolder) -> None:
    folder = make_folder("classifiers")
    facts = train_classifier(CONFIG, PROSE + LISTS, folder)
    classifier = Classifier.load(folder)
    assert classifier is not None
    assert facts.auc == 1.0
    assert min(classifier.score([each.text for each in PROSE])) > max(classifier.score([each.text for each in LISTS]))
    assert len(classifier.score([])) == 0


def test_training_writes_the_same_bytes_whatever_the_order_of_documents(make_folder: MakeFolder) -> None:
    written = []
    for documents in (PROSE + LISTS, PROSE + LISTS, (PROSE + LISTS)[::-1]):
        folder = make_folder("classifiers")
        train_classifier(CONFIG, iter(documents), folder)
        written.append([(folder.path / name).read_bytes() for name in ("weights.npy", "classifier.json")])
    assert written[0] == written[1] == written[2]


def test_a_score_depends_neither_on_the_other_texts_nor_on_their_order() -> None:
    classifier = Classifier(np.random.default_rng(0).integers(-(2**20), 2**20, 2**10 + 1).astype(np.int32))
    texts = [each.text[: 7 * place] for place, each in enumerate(PROSE + LISTS)] * 3
    scores = classifier.score(texts)
    assert np.array_equal(classifier.score(texts[::-1])[::-1], scores)
    assert np.array_equal([classifier.score([text])[0] for text in texts], scores)


def test_a_sample_is_the_first_of_each_class_by_draw() -> None:
    documents = [document(number, curated=number % 3 == 0, text=str(number)) for number in range(200)]
    documents.append(document(5, text="another text of the same id"))
    by_draw = sorted(documents, key=lambda each: draw(each.id, 7))
    samples = []
    for seed in range(3):
        random.Random(seed).shuffle(documents)
        samples.append(sample_classes(iter(documents), 7, most=20))
    assert samples[0] == samples[1] == samples[2]
    for sample, curated in zip(samples[0], (True, False), strict=True):
        assert [each.id for each in sample] == [each.id for each in by_draw if each.curated == curated][:20]


def test_parts_of_one_unit_are_not_on_both_sides_of_the_test(make_folder: MakeFolder) -> None:
    for seed in range(10):  # the book is on either side
        parts = [each.model_copy(update={"unit": "book"}) for each in PROSE] + LISTS
        config = QualityConfig(num_features_log2=10, seed=seed)
        assert train_classifier(config, parts, make_folder("classifiers")).test is None


def test_the_test_counts_documents_that_training_did_not_take(make_folder: MakeFolder) -> None:
    facts = train_classifier(CONFIG, PROSE + LISTS, make_folder("classifiers"))
    assert facts.test is not None
    assert facts.num_curated + facts.test.num_curated == facts.num_rest + facts.test.num_rest == NUM_OF_A_CLASS
    num_tested = facts.test.num_curated + facts.test.num_rest
    assert sum(map(sum, facts.test.histogram.values())) == num_tested
    assert sum(each.num_documents for each in facts.test.calibration) == num_tested


@pytest.mark.parametrize(
    ("config", "documents", "reason"),
    [
        (CONFIG, LISTS, "one class only: 0 curated documents, 80 others"),
        (CONFIG, PROSE, "one class only: 80 curated documents, 0 others"),
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


def test_the_rule_in_scipys_convention_would_keep_everything() -> None:
    draws = pareto(9).rvs(10_000, random_state=0)
    assert (draws > 1 - 1e-9).all()
    assert np.mean(draws - 1 > 1 - 0.5) == pytest.approx(1.5**-9, abs=0.01)


@given(st.text(), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32))
def test_a_better_score_never_loses_a_document(name: str, one: float, two: float, seed: int) -> None:
    worse, better = sorted((one, two))
    assert keeps(name, better, alpha=9, seed=seed) >= keeps(name, worse, alpha=9, seed=seed)


def test_a_certain_score_keeps_every_document() -> None:
    assert all(keeps(str(number), 1.0 - 1e-12, alpha=9, seed=0) for number in range(1000))


@pytest.mark.real_data
def test_wikipedia_and_books_are_told_from_web_pages_and_mail(make_folder: MakeFolder) -> None:
    if not REAL_TEXT.is_dir():
        pytest.skip(f"no text in {REAL_TEXT}")
    curated, rest = ("wikipedia", "books"), ("webpages_raw", "spam", "newsletters")
    documents = [piece for source in (*curated, *rest) for piece in pieces(source, curated=source in curated)]
    test = train_classifier(QualityConfig(), documents, make_folder("classifiers")).test
    assert test is not None
    assert test.auc > 0.96  # 0.9806 measured
    assert test.calibration_error < 0.1
    assert set(test.histogram) == {*curated, *rest}


def pieces(source: str, *, curated: bool) -> list[Document]:
    """Texts of one kind cut to about one length, for length must not tell the classes apart."""
    found = []
    with open(REAL_TEXT / f"{source}.jsonl", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            text = json.loads(line)["text"]
            for start in range(0, len(text), PIECE_CHARACTERS):
                part = text[start : start + PIECE_CHARACTERS]
                unit = f"{source}:{number}"
                found.append(Document(id=f"{unit}:{start}", text=part, source=source, unit=unit, curated=curated))
    return found
