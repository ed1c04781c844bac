"""The quality classifier and the keep rule: GLaM's data filter (arXiv:2112.06905, section 3).

A linear model over hashed words and word pairs tells curated text from the rest. A document is kept
when a draw from a Pareto distribution exceeds 1 - score, so some of every score stay. The rule, with
alpha = 9, is that of GPT-3 (arXiv:2005.14165, appendix A): there as here curated text is not judged.
"""

# D texts
import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from glam.config import QualityConfig
from glam.data.arrays import load_array, save_array
from glam.data.draws import draw, uniform
from glam.data.hashed_words import HashedWords, hashed_words
from glam.data.scores import ScoreTest, measure_scores
from glam.records import Document, Record
from glam.store import Folder

MAX_DOCUMENTS_OF_A_CLASS = 4000
READ_CHARACTERS = 4000
"""The classifier judges a document by its beginning, in training as in scoring: what one document costs is bounded."""
TEXTS_AT_ONCE = 64
"""Their running sums stay in the processor's cache."""
TEST_SHARE = 0.2
MIN_TEST_DOCUMENTS = 5
"""Of each class, and as many to train on; with fewer a test says nothing, and training takes all."""
INVERSE_PENALTY = 0.1
"""Of squared weights, for features in per cent of a text. Of 0.003 to 100, tried on 8,114 pieces of Wikipedia, books,
web pages and mail, the best calibrated within 0.002 of the highest AUC."""
MAX_ITERATIONS = 300
PER_CENT = 100.0
WEIGHT_UNIT = 2.0**-12
"""Weights are whole numbers of it, in nats: their sum has the same bits in any order."""
FACTS = "classifier.json"


class ClassifierFacts(Record):
    """What the classifier was trained on, and how well it tells the classes apart."""

    num_curated: int
    """Documents that it was trained on; those of the test are not among them."""
    num_rest: int
    num_features_log2: int
    test: ScoreTest | None = None
    """None where there are too few documents to set some aside, or no classifier."""
    skipped: str | None = None
    """Why there is no classifier; everything is kept then."""

    @property
    def auc(self) -> float | None:
        """On documents that training did not see; None where there is no test."""
        return self.test.auc if self.test else None


class Excerpt(NamedTuple):
    """What training reads of a document."""

    id: str
    text: str
    source: str
    unit: str
    curated: bool


class Classifier:
    """Probability that a text is curated, as if both classes were equally frequent.

    Its logit is the bias and the mean weight of the text's words and pairs, so length by itself says nothing.
    """

    def __init__(self, weights: NDArray[np.int32]):
        """One weight for each feature, then the bias."""
        self._weights = weights
        self._log2 = (len(weights) - 1).bit_length() - 1

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """One probability for each text, in which the others have no part."""
        means = [self._mean_weights(features) for features in _features(texts, self._log2)]
        return expit((np.concatenate([np.empty(0), *means]) + self._weights[-1]) * WEIGHT_UNIT)

    def _mean_weights(self, features: HashedWords) -> NDArray[np.float64]:
        sums = np.zeros(len(features.word_W) + 1, np.int64)
        np.cumsum(self._weights[features.word_W] + self._weights[features.pair_W], out=sums[1:])
        return np.diff(sums[features.first_D]) / np.maximum(2 * np.diff(features.first_D), 1)

    @classmethod
    def load(cls, folder: Folder) -> Self | None:
        """The classifier in a folder; None where training was skipped."""
        if ClassifierFacts.model_validate(folder.read_json(FACTS)).skipped:
            return None
        return cls(load_array(folder, "weights"))

    def save(self, folder: Folder) -> None:
        """Writes the weights; the facts say that there are any."""
        save_array(folder, "weights", self._weights)


def train_classifier(config: QualityConfig, documents: Iterable[Document], folder: Folder) -> ClassifierFacts:
    """Writes the classifier of these documents, or that and why there is none. Goes through them once."""
    curated, rest = sample_classes(documents, config.seed)
    trained, tested = _set_aside([*curated, *rest], config.seed)
    skipped, test = None, None
    if not config.enabled:
        skipped = "quality.enabled is false"
    elif not (curated and rest):
        skipped = f"one class only: {len(curated)} curated documents, {len(rest)} others"
    else:
        classifier = _fit(trained, config.num_features_log2)
        classifier.save(folder)
        if tested:
            scores = classifier.score([each.text for each in tested])
            test = measure_scores(scores, _are_curated(tested), [each.source for each in tested])
    num_curated = int(_are_curated(trained).sum())
    facts = ClassifierFacts(
        num_curated=num_curated,
        num_rest=len(trained) - num_curated,
        num_features_log2=config.num_features_log2,
        test=test,
        skipped=skipped,
    )
    folder.write_json(FACTS, facts.model_dump(mode="json"))
    return facts


def sample_classes(
    documents: Iterable[Document], seed: int, *, most: int = MAX_DOCUMENTS_OF_A_CLASS
) -> tuple[list[Excerpt], list[Excerpt]]:
    """Curated documents and the others, of each those with the `most` lowest draws, lowest first.

    Never holds more than these; which they are does not depend on the order of the documents.
    """
    heaps: dict[bool, list[tuple[int, Excerpt]]] = {True: [], False: []}
    for document in documents:
        text = document.text[:READ_CHARACTERS]
        excerpt = Excerpt(document.id, text, document.source, document.unit, document.curated)
        heap, entry = heaps[document.curated], (-draw(document.id, seed), excerpt)
        if len(heap) < most:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    curated, rest = ([excerpt for _, excerpt in sorted(heaps[each], reverse=True)] for each in (True, False))
    return curated, rest


def keeps(document_id: str, score: float, *, alpha: float, seed: int) -> bool:
    """GPT-3's `pareto(alpha) > 1 - score`, the draw being a function of the document's id and the seed.

    numpy's Pareto distribution starts at 0, so a document of score s stays with probability (2 - s) ** -alpha;
    scipy's starts at 1 and would keep everything.
    """
    pareto = (1 - uniform(f"keep {document_id}", seed)) ** (-1 / alpha) - 1
    return pareto > 1 - score


def _set_aside(sample: Sequence[Excerpt], seed: int) -> tuple[list[Excerpt], list[Excerpt]]:
    """What to train on and what to test on; parts of one unit are too much alike to stand on both sides."""
    sides: dict[bool, list[Excerpt]] = {True: [], False: []}
    for each in sample:
        sides[uniform(f"test {each.unit}", seed) < TEST_SHARE].append(each)
    fewest = min(min(np.bincount(_are_curated(side), minlength=2)) for side in sides.values())
    if fewest < MIN_TEST_DOCUMENTS:
        return list(sample), []
    return sides[False], sides[True]


def _fit(sample: Sequence[Excerpt], num_features_log2: int) -> Classifier:
    """Logistic regression on the means that `Classifier` takes."""
    batches = _features([each.text for each in sample], num_features_log2)
    shares = vstack([_shares(features, 1 << num_features_log2) for features in batches], format="csr")
    model = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=MAX_ITERATIONS)
    # One thread: sums in another order change the last bits of a weight, and a score decides a draw.
    with threadpool_limits(1):
        model.fit(shares, _are_curated(sample))
    weights = np.append(model.coef_ * PER_CENT, model.intercept_)
    return Classifier(np.rint(weights / WEIGHT_UNIT).astype(np.int32))


def _shares(features: HashedWords, num_features: int) -> csr_matrix:
    """A row a text: how many of all its features each one makes, in per cent, for then the solver converges."""
    count_D = 2 * np.diff(features.first_D)
    column = np.stack([features.word_W, features.pair_W], axis=1).ravel()
    value = np.repeat(PER_CENT / np.maximum(count_D, 1), count_D)
    shares = csr_matrix((value, column, 2 * features.first_D), shape=(len(count_D), num_features))
    shares.sum_duplicates()
    return shares


def _features(texts: Sequence[str], num_features_log2: int) -> Iterator[HashedWords]:
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        yield hashed_words([text[:READ_CHARACTERS] for text in texts[start : start + TEXTS_AT_ONCE]], num_features_log2)


def _are_curated(sample: Sequence[Excerpt]) -> NDArray[np.bool_]:
    return np.array([each.curated for each in sample], dtype=bool)
