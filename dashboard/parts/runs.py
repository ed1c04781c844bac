"""Which runs a page is about."""

from collections.abc import Sequence
from pathlib import Path

from streamlit.delta_generator import DeltaGenerator

from dashboard.parts import choices
from dashboard.queries import Broken, RunEntry, list_verdicts, read_verdict

DEFAULT_RUNS = 6


def choose_runs(root: Path, runs: Sequence[RunEntry], *, most: int) -> list[str]:
    """Fingerprints of the runs of the address, or of what is likely looked for."""
    return choices.some_of(
        "Runs",
        {run.fingerprint: run.title for run in runs},
        "runs",
        default=likely(root, runs, DEFAULT_RUNS),
        most=most,
    )


def choose_run(
    runs: Sequence[RunEntry], key: str, *, label: str = "Run", place: DeltaGenerator | None = None
) -> RunEntry:
    """One run, of at least one; the address' or the first."""
    by_mark = {run.fingerprint: run for run in runs}
    return by_mark[choices.one_of(label, {mark: run.title for mark, run in by_mark.items()}, key, place=place)]


def likely(root: Path, runs: Sequence[RunEntry], most: int) -> list[str]:
    """Runs that go on, else those of the latest study, else the latest; never broken ones where there are others."""
    going = [run.fingerprint for run in runs if run.state == "running"]
    readable = [run.fingerprint for run in runs if run.state != "broken"]
    judged = next((entry.runs for entry in list_verdicts(root) if entry.runs & set(readable)), frozenset())
    of_study = [
        run.fingerprint for run in sorted(runs, key=lambda run: (run.seed or 0, run.name)) if run.fingerprint in judged
    ]
    return (going or of_study or readable or [run.fingerprint for run in runs])[:most]


def likely_pair(root: Path, runs: Sequence[RunEntry]) -> tuple[RunEntry, RunEntry] | None:
    """Two runs of one seed that somebody may want to see side by side: of the latest study's first pair, else any two
    arms, the dense one last; None for fewer than two.
    """
    for entry in list_verdicts(root):
        try:
            contrasts = read_verdict(root, entry.fingerprint).contrasts
        except Broken:
            continue
        judged = sorted((run for run in runs if run.fingerprint in entry.runs), key=lambda run: run.seed or 0)
        for contrast in contrasts:
            for first in (run for run in judged if run.arm == contrast.first):
                for second in (run for run in judged if run.arm == contrast.second and run.seed == first.seed):
                    return first, second
    order = [run for run in runs if run.state != "broken"]
    if len(order) < 2:
        return None
    first = next((run for run in order if "dense" not in run.arm), order[0])
    others = sorted(
        (run for run in order if run is not first), key=lambda run: (run.arm == first.arm, "dense" not in run.arm)
    )
    return first, others[0]
