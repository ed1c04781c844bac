"""The dashboard as a person sees it: in Chromium, wide and narrow, light and dark."""

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

SIZES = {"wide": (1400, 2350), "narrow": (420, 2600)}


def keep(page, name: str, tmp_path: Path) -> None:
    """A screenshot in GLAM_SCREENSHOTS, or where pytest keeps its files."""
    folder = Path(os.environ.get("GLAM_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(folder / f"{name}.png"))


def open_page(browser, address: str, *, size: str = "wide", scheme: str = "light"):
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    page.goto(address, wait_until="networkidle")
    page.wait_for_selector("h1", timeout=30_000)
    return page, outside


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("wide", "dark"), ("narrow", "light")])
def test_the_first_page_shows_verdict_curves_tasks_and_energy(browser, dashboard, tmp_path, size, scheme):
    page, requests = open_page(browser, dashboard, size=size, scheme=scheme)
    page.wait_for_selector("text=sparse is better than dense by", timeout=30_000)
    page.wait_for_function(
        "document.querySelectorAll('.vega-embed canvas, .vega-embed svg').length >= 5", timeout=30_000
    )
    page.wait_for_timeout(500)
    keep(page, f"compare-{size}-{scheme}", tmp_path)
    assert page.locator("text=How it was obtained").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing hangs over the edge"
    outside = [url for url in requests if not url.startswith((dashboard, "data:", "blob:", "ws://127.0.0.1"))]
    assert not outside, "a page asks nobody but its own server"
    page.close()


def test_another_axis_is_drawn_when_it_is_chosen(browser, dashboard, tmp_path):
    page, _ = open_page(browser, dashboard)
    page.get_by_role("radio", name="energy, joules").click()
    page.wait_for_timeout(1500)
    keep(page, "compare-joules", tmp_path)
    assert page.locator("text=Traceback").count() == 0
    page.close()


def test_a_pair_of_runs_is_compared(browser, dashboard, tmp_path):
    page, _ = open_page(browser, dashboard)
    page.get_by_role("radio", name="A pair of runs").click()
    page.wait_for_selector("text=no verdict", timeout=20_000)
    page.wait_for_timeout(800)
    keep(page, "pair", tmp_path)
    page.close()


def test_runs_are_listed_and_a_hostile_name_is_text(browser, dashboard, tmp_path):
    page, _ = open_page(browser, f"{dashboard}/runs")
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    page.wait_for_selector("text=cannot be read", timeout=20_000)
    page.wait_for_timeout(500)
    keep(page, "runs", tmp_path)
    assert not alerts
    page.close()
