"""The README's pictures of the dashboard: `python -m tests.browser.screenshots [STORE]` writes them to docs/images/.

Without a store they show a fabricated one, so that no text of anybody's is in them.
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS, served
from tests.browser.test_pages import open_page
from tests.dashboard.fabricated import fabricate

FOLDER = Path(__file__).parents[2] / "docs" / "images"
PICTURES = {"verdict": "/", "training": "/training?smoothing=0.8", "experts": "/experts", "tasks": "/tasks"}
COLOURS = 128


def main(store: Path) -> None:
    """A picture of the top of each page, with few colours."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with served(store) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name, path in PICTURES.items():
            page, _, _ = open_page(browser, address + path)
            file = FOLDER / f"{name}.png"
            page.screenshot(path=str(file))
            Image.open(file).convert("RGB").quantize(COLOURS).save(file, optimize=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(fabricate(Path(folder) / "store").root)
