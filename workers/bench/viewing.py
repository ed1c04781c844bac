"""The dashboard as a person waits for it: its server, and a Chromium that opens pages and uses controls.

A page is drawn once the script has run, every chart has its canvas and every table too: what is measured is all that
lies between the request and that, on this machine, with the browser's own work.
"""

import atexit
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from shutil import which
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

from glam.bench.measure import BenchError
from glam.environment import LOOPBACK
from infra.health import answers
from infra.places import CODE

CHROMIUM_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
PATIENCE_SECONDS = 60
MIB = 1 << 20
DRAWN = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    const drawn = (kind) => [...document.querySelectorAll(`[data-testid=${kind}]`)].every(
        (each) => each.offsetParent === null || each.querySelector('canvas, svg'));
    return app?.dataset.testScriptState === 'notRunning' && document.querySelector('h1')
        && !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')
        && drawn('stVegaLiteChart') && drawn('stDataFrame');
}"""


COUNT_RUNS = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    window.runs = 0;
    new MutationObserver(() => { window.runs += app.dataset.testScriptState === 'notRunning'; })
        .observe(app, { attributeFilter: ['data-test-script-state'] });
}"""


class Dashboard:
    """Its server over one store; ends with this process."""

    def __init__(self, store: str):
        with socket.create_server((LOOPBACK, 0)) as free:
            port = free.getsockname()[1]
        self.address = f"http://{LOOPBACK}:{port}"
        options = ("--server.address", LOOPBACK, "--server.port", str(port), "--server.fileWatcherType", "none")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "streamlit", "run", str(CODE / "dashboard" / "app.py"), *options],
            env={**os.environ, "GLAM_STORE": store, "STREAMLIT_SERVER_HEADLESS": "true"},
            cwd=CODE / "dashboard",
            stdout=subprocess.DEVNULL,
        )
        atexit.register(self.end)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers(f"{self.address}/_stcore/health"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("the dashboard did not start; its last words are above")
            time.sleep(0.05)

    @property
    def mebibytes(self) -> float:
        """Memory that its server holds now."""
        return psutil.Process(self._process.pid).memory_info().rss / MIB

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()


def chromium() -> str:
    """Its program. Raises BenchError where there is none."""
    found = which("chromium")
    if found is None:
        raise BenchError("pages are measured in Chromium, and there is none: apt-get install chromium")
    return found


def first_draw(store: str, path: str) -> Callable[[], dict[str, float]]:
    """Opens a page in a browser that has never been there, of a server that has just started and read nothing."""
    browser = _browser()

    def call() -> dict[str, float]:
        server, page = Dashboard(store), browser.new_context().new_page()
        seconds = _open(page, server.address + path)
        found = {"seconds": seconds, "mebibytes": server.mebibytes}
        page.context.close()
        server.end()
        return found

    return call


def draw(store: str, path: str) -> Callable[[], dict[str, float]]:
    """Opens a page in a new session of a server that is at work, in a browser that knows the program's files."""
    server, context = Dashboard(store), _browser().new_context()

    def call() -> dict[str, float]:
        page = context.new_page()
        found = {"seconds": _open(page, server.address + path), "mebibytes": server.mebibytes}
        page.close()
        return found

    return call


def control(store: str, path: str, label: str | None, names: list[str]) -> Callable[[], dict[str, float]]:
    """Uses a control of an open page until the page has followed: a list by its label, whose first options are chosen
    by turns, or buttons of these names.
    """
    server, page = Dashboard(store), _browser().new_context().new_page()
    _open(page, server.address + path)
    page.evaluate(COUNT_RUNS)
    places = itertools.cycle((1, 0))

    def call() -> dict[str, float]:
        place = next(places)
        if label is not None:
            page.get_by_label(label, exact=True).first.click()
            option = page.get_by_role("option").nth(place)
        else:
            option = page.get_by_role("radio", name=names[place], exact=True)
        option.wait_for()
        before, start = page.evaluate("window.runs"), time.perf_counter()
        option.click()
        page.wait_for_function(f"() => window.runs > {before} && ({DRAWN})()")
        return {"seconds": time.perf_counter() - start, "mebibytes": server.mebibytes}

    return call


def all_pages(store: str, paths: list[str]) -> Callable[[], dict[str, float]]:
    """Opens every page of one server, one after the other, and says what memory it then holds."""
    server, context = Dashboard(store), _browser().new_context()

    def call() -> dict[str, float]:
        page = context.new_page()
        seconds = sum(_open(page, server.address + path) for path in paths)
        page.close()
        return {"seconds": seconds, "mebibytes": server.mebibytes}

    return call


def _browser() -> Any:
    playwright = sync_playwright().start()
    atexit.register(playwright.stop)
    return playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_FLAGS))


def _open(page: Page, address: str) -> float:
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(DRAWN, timeout=1000 * PATIENCE_SECONDS)
    return time.perf_counter() - start


if __name__ == "__main__":  # one contestant by hand: python -m workers.bench.viewing draw '{"store": ..., "path": "/"}'
    call = globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    for _ in range(3):
        sys.stdout.write(f"{json.dumps(call())}\n")
