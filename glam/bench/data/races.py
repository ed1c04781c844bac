"""The data's benchmark: rules, quality scores, near duplicates and packing beside datatrove and fastText, a core each.

Names of rows stay, so that two results can be compared.
"""

from functools import cache

from glam.bench.data.corpus import documents, is_test, megabytes, with_planted_duplicates
from glam.bench.measure import Contestant, Measurement
from glam.bench.rows import Claim, Race

OURS, PEER = "glam.bench.data.ours", "glam.bench.data.peer"


def races(folder: str | None = None) -> list[Race]:
    """All of it, on the documents of a folder as the source `local_mixture` reads it; None: on `python_docs`."""
    work = _work(folder)
    return [
        Race(
            _both("rules", folder, work["megabytes"], "datatrove"),
            (Claim("rules/speed", "MB/s", "ours", "peer", 20.0),),
        ),
        Race(
            {"both": Contestant(f"{PEER}:rules_agreement", {"folder": folder}, package="datatrove")},
            (Claim("rules/same_verdict", "share", "both", "both", 0.999, _fact("agreement"), _all),),
        ),
        Race(
            _both("quality", folder, work["test_megabytes"], "fasttext"),
            (
                Claim("quality/speed", "MB/s", "ours", "peer", 1.0),
                Claim("quality/auc", "AUC", "ours", "peer", 0.99, _fact("auc")),
            ),
        ),
        Race(
            _both("near_duplicates", folder, work["documents"], "datatrove"),
            (
                Claim("near_duplicates/speed", "docs/s", "ours", "peer", 10.0),
                Claim("near_duplicates/recall", "share", "ours", "ours", 0.98, _fact("recall"), _all),
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


def _fact(name: str):
    return lambda _, measured: measured.facts[name]


def _all(_: Contestant, __: Measurement) -> float:
    return 1.0


@cache
def _work(folder: str | None) -> dict[str, float]:
    found = documents(folder)
    return {
        "megabytes": megabytes(found),
        "test_megabytes": megabytes(each for each in found if is_test(each)),
        "documents": len(with_planted_duplicates(found)[0]),
    }
