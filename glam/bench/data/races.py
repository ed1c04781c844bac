"""The data's benchmark: rules, quality scores, near duplicates and packing beside datatrove and fastText, a core each.

Names of rows stay, so that two results can be compared.
"""

from functools import cache

from glam.bench.data.corpus import (
    RULED_MEGABYTES,
    documents,
    first_megabytes,
    is_test,
    megabytes,
    with_planted_duplicates,
)
from glam.bench.measure import Contestant, Measurement
from glam.bench.rows import Claim, Race, fact

OURS, PEER = "glam.bench.data.ours", "glam.bench.data.peer"
SHARDS = "glam.bench.data.scaling:shards"
DECISIONS = "glam.bench.data.scaling:decisions"
SCALED_MEGABYTES = 4.0
MOST_MEGABYTES = 1500.0
"""That a worker may hold, whatever the size of the corpus."""


def races(folder: str | None = None) -> list[Race]:
    """All of it, on the documents of a folder as the source `local_mixture` reads it; None: on `python_docs`."""
    work = _work(folder)
    return [
        Race(
            _both("rules", folder, work["ruled_megabytes"], "datatrove"),
            (Claim("rules/speed", "MB/s", "ours", "peer", 20.0),),
        ),
        Race(
            {
                "first_pass": Contestant(f"{OURS}:rules_first_pass", {"folder": folder}, work["ruled_megabytes"]),
                "peer": Contestant(f"{PEER}:rules", {"folder": folder}, work["ruled_megabytes"], package="datatrove"),
            },
            (Claim("rules/speed_first_pass", "MB/s", "first_pass", "peer", 20.0),),
        ),
        Race(
            {"both": Contestant(f"{PEER}:rules_agreement", {"folder": folder}, package="datatrove")},
            (Claim("rules/same_verdict", "share", "both", "both", 0.999, fact("agreement"), _all),),
        ),
        Race(
            _both("quality", folder, work["test_megabytes"], "fasttext"),
            (
                Claim("quality/speed", "MB/s", "ours", "peer", 1.0),
                Claim("quality/auc", "AUC", "ours", "peer", 0.99, fact("auc")),
            ),
        ),
        Race(
            _both("near_duplicates", folder, work["documents"], "datatrove"),
            (
                Claim("near_duplicates/speed", "docs/s", "ours", "peer", 10.0),
                Claim("near_duplicates/recall", "share", "ours", "ours", 0.98, fact("recall"), _all),
            ),
        ),
        Race(
            {
                name: Contestant(SHARDS, {"folder": folder, "num_workers": number, "megabytes": SCALED_MEGABYTES})
                for name, number in (("two", 2), ("one", 1))
            },
            (Claim("workers/two_against_one", "1/s", "two", "one", 1.8),),
        ),
        Race(
            {
                "ten_times": Contestant(
                    SHARDS, {"folder": folder, "num_workers": 2, "megabytes": SCALED_MEGABYTES, "times": 10}
                )
            },
            (
                Claim(
                    "workers/memory_of_ten_times_the_text",
                    "MB",
                    "ten_times",
                    "ten_times",
                    1.0,
                    fact("worker_megabytes"),
                    other_measure=_most_megabytes,
                    less_is_better=True,
                ),
            ),
        ),
        Race(
            {name: Contestant(DECISIONS, {"num_shards": number}) for name, number in (("one", 8), ("ten_times", 80))},
            tuple(
                Claim(
                    f"decisions/memory_of_{name}",
                    "MB",
                    name,
                    name,
                    1.0,
                    fact("own_megabytes"),
                    other_measure=_most_megabytes,
                    less_is_better=True,
                )
                for name in ("one", "ten_times")
            ),
        ),
        Race(
            _both("packing", folder, work["megabytes"], "datatrove"),
            (Claim("packing/speed", "MB/s", "ours", "peer", 1.2),),
        ),
    ]


def _both(builder: str, folder: str | None, work: float, package: str) -> dict[str, Contestant]:
    return {
        "ours": Contestant(f"{OURS}:{builder}", {"folder": folder}, work),
        "peer": Contestant(f"{PEER}:{builder}", {"folder": folder}, work, package=package),
    }


def _all(_: Contestant, __: Measurement) -> float:
    return 1.0


def _most_megabytes(_: Contestant, __: Measurement) -> float:
    return MOST_MEGABYTES


@cache
def _work(folder: str | None) -> dict[str, float]:
    found = documents(folder)
    return {
        "megabytes": megabytes(found),
        "ruled_megabytes": megabytes(first_megabytes(found, RULED_MEGABYTES)),
        "test_megabytes": megabytes(each for each in found if is_test(each)),
        "documents": len(with_planted_duplicates(found)[0]),
    }
