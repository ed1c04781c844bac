"""What `glam prepare --train-classifier` says: how well the quality classifier tells curated text from the rest."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

from flows.commands.options import console, print_json
from glam.lineage import Stage
from glam.store import Store

if TYPE_CHECKING:
    from glam.data.scores import ScoreTest


def show_classifiers(stages: Iterable[Stage], store: Store, as_json: bool) -> None:
    """The facts of each classifier, which is there."""
    from glam.data.quality import FACTS, ClassifierFacts  # brings scikit-learn, which few commands need

    facts = {
        str(stage.reference): ClassifierFacts.model_validate(
            store.open(stage.reference.kind, stage.reference.fingerprint).read_json(FACTS)
        )
        for stage in stages
    }
    if as_json:
        print_json({name: each.model_dump(mode="json") for name, each in facts.items()})
        return
    out = console()
    for name, each in facts.items():
        out.print(name, highlight=False)
        out.print(f"trained on {each.num_curated:,} curated and {each.num_rest:,} other documents")
        if each.test:
            _show_test(each.test, out)
        else:
            out.print(f"nothing measured: {each.skipped or 'too few documents to set some aside'}")


def _show_test(test: "ScoreTest", out: Console) -> None:
    out.print(
        f"AUC {test.auc:.4f}, expected calibration error {test.calibration_error:.4f}, on {test.num_curated:,} curated "
        f"and {test.num_rest:,} other documents that training did not see\n"
    )
    calibration = _table("score", "documents", "mean score", "curated fraction")
    for each in test.calibration:
        calibration.add_row(
            f"{each.low:.1f} to {each.high:.1f}",
            f"{each.num_documents:,}",
            *("" if value is None else f"{value:.3f}" for value in (each.mean_score, each.curated_fraction)),
        )
    out.print(calibration)
    out.print("\ndocuments by source")
    histogram = _table("score from", *test.histogram)
    bins = list(zip(*test.histogram.values(), strict=True))
    for number, counts in enumerate(bins):
        histogram.add_row(f"{number / len(bins):.2f}", *(f"{count:,}" for count in counts))
    out.print(histogram)


def _table(first: str, *others: str) -> Table:
    return Table(first, *(Column(other, justify="right") for other in others), box=None)
