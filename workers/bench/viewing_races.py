"""The dashboard's benchmark: seconds that a person waits for pages and controls, and memory, over 200 large runs.

It measures a real server and a real browser, not the script alone: half of what is waited for is the browser's. It
needs Chromium, and Playwright of the extra `dev`. Names of rows stay, so that two results can be compared.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glam.bench.measure import Contestant, Measurement
from glam.bench.rows import Claim, Race, fact
from workers.bench.viewing_store import Size, make_store

MODULE = "workers.bench.viewing"
PAGES = {
    "verdict": "/",
    "training": "/training",
    "experts": "/experts",
    "tasks": "/tasks",
    "items": "/tasks?view=items",
    "energy": "/energy",
    "data": "/data",
    "runs": "/runs",
    "pair": "/runs?view=pair",
}
CONTROLS: dict[str, dict[str, Any]] = {
    "verdict_axis": {"path": "/", "label": None, "names": ["tokens", "energy, joules"]},
    "training_axis": {"path": "/training", "label": None, "names": ["tokens", "energy, joules"]},
    "training_quantity": {"path": "/training", "label": None, "names": ["Loss", "Gradient norm"]},
    "expert_layer": {"path": "/experts", "label": "Layer", "names": []},
    "item_filter": {"path": "/tasks?view=items", "label": "Items", "names": []},
}
MOST_SECONDS_OF_A_PAGE, MOST_SECONDS_OF_A_CONTROL, MOST_MEBIBYTES = 2.0, 1.0, 1024.0


def races() -> list[Race]:
    """All of it, in the order in which it runs; the store is made now, and removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="glam-bench-dashboard-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_store(Path(folder), Size())
    return list(_races(folder))


def _races(store: str) -> Iterator[Race]:
    for kind in ("draw", "first_draw"):
        for name, path in PAGES.items():
            # A server that has just started has its libraries to load, which no limit was set for.
            limit = MOST_SECONDS_OF_A_PAGE if kind == "draw" else None
            yield _race(f"{kind}/{name}", kind, "seconds", limit, store=store, path=path)
    for name, used in CONTROLS.items():
        yield _race(f"control/{name}", "control", "seconds", MOST_SECONDS_OF_A_CONTROL, store=store, **used)
    yield _race("memory/all_pages", "all_pages", "mebibytes", MOST_MEBIBYTES, store=store, paths=list(PAGES.values()))


def _race(name: str, builder: str, measured: str, limit: float | None, **arguments: Any) -> Race:
    """One row: what was measured, beside its limit; without one beside itself."""

    def other(contestant: Contestant, found: Measurement) -> float:
        return fact(measured)(contestant, found) if limit is None else limit

    claim = Claim(
        name,
        "s" if measured == "seconds" else "MiB",
        "ours",
        "ours",
        None if limit is None else 1.0,
        fact(measured),
        other_measure=other,
        less_is_better=True,
    )
    return Race({"ours": Contestant(f"{MODULE}:{builder}", arguments, package="playwright")}, (claim,))
