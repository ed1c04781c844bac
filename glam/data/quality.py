"""The quality classifier and the keep rule: GLaM's data filter (arXiv:2112.06905, section 3).

A linear model over hashed words and word pairs tells curated text from the rest. A document is kept
when a draw from a Pareto distribution exceeds 1 - score, so some of every score stay. The rule, with
alpha = 9, is that of GPT-3 (arXiv:2005.14165, appendix A): there as here curated text is not judged.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from glam.config import QualityConfig
from glam.data.arrays import load_array, save_array
from glam.data.draws import draw, uniform
from glam.records import Document, Record
from glam.store import Folder

MAX_DOCUMENTS_OF_A_CLASS = 4000
READ_CHARACTERS = 4000
"""The classifier judges a document by its beginning."""
TEST_SHARE = 0.2
MIN_TEST_DOCUMENTS = 5
"""Of each class; with fewer the AUC says nothing and stays unknown."""
FACTS = "classifier.json"


class ClassifierFacts(Record):
    """What the classifier was trained on, and how well it tells the classes apart."""

    num_curated: int
    num_rest: int
    num_features_log2: int
    auc: float | None
    """On documents that training did not see; None where there are too few, or no classifier."""
    skipped: str | None = None
    """Why there is no classifier; everything is kept then."""


class Classifier:
    """Probability that a text is curated, as if both classes were equally frequent."""

    def __init__(self, weights: NDArray[np.float64], bias: float):
        self.weights = weights
        self.bias = bias

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """One probability for each text."""
        if not texts:
            return np.empty(0)
        features = _features(texts, len(self.weights))
        return expit(features @ self.weights + self.bias)

    @classmethod
    def load(cls, folder: Folder) -> Self | None:
        """The classifier in a folder; None where training was skipped."""
        if ClassifierFacts.model_validate(folder.read_json(FACTS)).skipped:
            return None
        weights = load_array(folder, "weights")
        return cls(weights[:-1], float(weights[-1]))


def train_classifier(config: QualityConfig, documents: Sequence[Document], folder: Folder) -> ClassifierFacts:
    """Writes the classifier of these documents, or that and why there is none."""
    sample = {True: _sample(documents, True, config.seed), False: _sample(documents, False, config.seed)}
    counts = {"num_curated": len(sample[True]), "num_rest": len(sample[False])}
    skipped, auc = None, None
    if not config.enabled:
        skipped = "quality.enabled is false"
    elif not all(sample.values()):
        skipped = f"one class only: {counts['num_curated']} curated documents, {counts['num_rest']} others"
    else:
        classifier, auc = _fit(config, sample[True] + sample[False])
        save_array(folder, "weights", np.append(classifier.weights, classifier.bias))
    facts = ClassifierFacts(**counts, num_features_log2=config.num_features_log2, auc=auc, skipped=skipped)
    folder.write_json(FACTS, facts.model_dump(mode="json"))
    return facts


def keeps(document_id: str, score: float, *, alpha: float, seed: int) -> bool:
    """GPT-3's `pareto(alpha) > 1 - score`, the draw being a function of the document's id and the seed.

    A document of score s stays with probability (2 - s) ** -alpha.
    """
    pareto = (1 - uniform(f"keep {document_id}", seed)) ** (-1 / alpha) - 1
    return pareto > 1 - score


def _sample(documents: Sequence[Document], curated: bool, seed: int) -> list[Document]:
    of_class = [document for document in documents if document.curated == curated]
    return sorted(of_class, key=lambda document: (draw(document.id, seed), document.id))[:MAX_DOCUMENTS_OF_A_CLASS]


def _fit(config: QualityConfig, documents: Sequence[Document]) -> tuple[Classifier, float | None]:
    features = _features([document.text for document in documents], 1 << config.num_features_log2)
    curated = np.array([document.curated for document in documents])
    held_out = np.array([uniform(f"test {document.id}", config.seed) < TEST_SHARE for document in documents])
    auc = None
    # One thread: sums in another order change the last bits of a score, and a score decides a draw.
    with threadpool_limits(1):
        if min(np.bincount(curated[held_out], minlength=2)) >= MIN_TEST_DOCUMENTS:
            test = _logistic_regression().fit(features[~held_out], curated[~held_out])
            auc = float(roc_auc_score(curated[held_out], test.decision_function(features[held_out])))
        model = _logistic_regression().fit(features, curated)
    return Classifier(model.coef_[0], float(model.intercept_[0])), auc


def _logistic_regression() -> LogisticRegression:
    return LogisticRegression(class_weight="balanced", max_iter=200)


def _features(texts: Sequence[str], num_features: int) -> csr_matrix:
    vectorizer = HashingVectorizer(n_features=num_features, ngram_range=(1, 2), alternate_sign=False)
    return csr_matrix(vectorizer.transform([text[:READ_CHARACTERS] for text in texts]))
