"""The documentation's pictures: `python -m tests.browser.screenshots [STORE]` writes every page to docs/images/.

Without a store they show a fabricated one, so that no text of anybody's is in them.
"""

import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from dashboard.queries.servers import SERVE_VARIABLE
from glam.store import Store
from tests.browser.conftest import CHROMIUM, FLAGS, served
from tests.browser.test_pages import DRAWN, open_page
from tests.dashboard.fabricated import HOSTILE, fabricate
from tests.dashboard.test_inference import put, result
from tests.dashboard.test_try_it import Server

FOLDER = Path(__file__).parents[2] / "docs" / "images"
PICTURES = {
    "verdict": "/",
    "training": "/training?smoothing=0.8",
    "experts": "/experts",
    "tasks": "/tasks",
    "energy": "/energy",
    "inference": "/inference",
    "data": "/data",
    "runs": "/runs",
    "try_it": "/try_it",
}
COLOURS = 128
ANSWERED = "first expert"
PIECES = ("def", " area", "(width", ", height", "):", "\n   ", " return", " width", " *", " height")


def invented(path: str, question: Any) -> tuple[int, bytes]:
    """What `glam serve` might say of the fabricated runs."""
    if path == "/models":
        runs = (("1" * 16, "sparse-s0"), ("2" * 16, "dense-s0"))
        return 200, json.dumps([{"fingerprint": mark, "label": label} for mark, label in runs]).encode()
    sparse = question["model"].startswith("1")
    tokens = [
        {"text": text, "experts": [[place % 8, (3 * place + 1) % 8], [(5 * place) % 8, (place + 2) % 8]] * sparse}
        for place, text in enumerate(PIECES)
    ]
    return 200, json.dumps({"text": "".join(PIECES), "tokens": tokens, "seconds": 0.21}).encode()


@contextmanager
def completions() -> Iterator[None]:
    """Where the dashboard looks for them."""
    with Server() as server:
        server.answer = invented
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ[SERVE_VARIABLE] = server.address
        try:
            yield
        finally:
            del os.environ[SERVE_VARIABLE]
            server.shutdown()


def main(store: Path) -> None:
    """A picture of the top of each page, with few colours."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with served(store) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name, path in PICTURES.items():
            page, _, _ = open_page(browser, address + path)
            if name == "try_it":
                page.get_by_role("button", name="Complete", exact=True).click()
                page.get_by_test_id("stVegaLiteChart").get_by_text(ANSWERED, exact=True).wait_for()
                page.wait_for_function(DRAWN)
            file = FOLDER / f"{name}.png"
            page.screenshot(path=str(file))
            Image.open(file).convert("RGB").quantize(COLOURS).save(file, optimize=True)
            page.close()
        browser.close()


def presentable(store: Store) -> Path:
    """Without the run by whose name pages are tested to be safe, and with a measurement of inference."""
    hostile = store.find("runs", HOSTILE)
    assert hostile is not None
    shutil.rmtree(hostile.path)
    put(store, "1", result("sparse-s0", 0.9))
    put(store, "2", result("dense-s0", 0.6))
    return store.root


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder, completions():
            main(presentable(fabricate(Path(folder) / "store")))
