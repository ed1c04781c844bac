"""The dashboard as a person sees it: in Chromium, wide and narrow, light and dark."""

import os
from pathlib import Path

import pytest

from dashboard.app import PAGES
from tests.dashboard.fabricated import VERDICT

pytestmark = pytest.mark.browser

SIZES = {"wide": (1400, 900), "narrow": (420, 900)}
TALLEST = 6_000
VIEWS = {
    "tasks-items": "/tasks?view=items&which=only+first",
    "tasks-paired": "/tasks?view=paired",
    "tasks-published": "/tasks?view=published",
    "tasks-averages": "/tasks?view=averages",
    "runs-pair": "/runs?view=pair",
    "training-smooth": "/training?show=grad_norm&axis=seconds&smoothing=0.8",
}
DRAWN = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    const drawn = (kind) => [...document.querySelectorAll(`[data-testid=${kind}]`)].every(
        (each) => each.offsetParent === null || each.querySelector('canvas, svg'));
    return app?.dataset.testScriptState === 'notRunning' && document.querySelector('h1')
        && !document.querySelector('[data-testid=stSkeleton], [data-stale=true]')
        && drawn('stVegaLiteChart') && drawn('stDataFrame');
}"""
SIZES_OF_CHARTS = """() => [...document.querySelectorAll('[data-testid=stVegaLiteChart] canvas')].map(
    (each) => [each.getBoundingClientRect().width, each.getBoundingClientRect().height])"""


def keep(page, name: str, tmp_path: Path) -> None:
    """A screenshot of the whole page in GLAM_SCREENSHOTS, or where pytest keeps its files."""
    folder = Path(os.environ.get("GLAM_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": min(TALLEST, height + 20)})
    page.wait_for_timeout(300)
    page.screenshot(path=str(folder / f"{name}.png"))


def open_page(browser, address: str, *, size: str = "wide", scheme: str = "light"):
    """The page once all is drawn, what it has asked for, and what has popped up."""
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    requests: list[str] = []
    alerts: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(address, wait_until="commit")
    page.wait_for_function(DRAWN, timeout=60_000)
    return page, requests, alerts


def check(page, requests: list[str], alerts: list[str], dashboard: str) -> None:
    """What holds of every page."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "nothing hangs over the edge"
    assert page.locator("text=Traceback").count() == 0
    assert page.locator("text=Page not found").count() == 0
    # Headings link to themselves.
    links = page.locator("[data-testid=stMain] a[href]:not([href^='#'])")
    assert links.count() == 0, "no name has become a link"
    assert not alerts
    assert page.title() != "taken"
    outside = [url for url in requests if not url.startswith((dashboard, "data:", "blob:", "ws://127.0.0.1"))]
    assert not outside, "a page asks nobody but its own server"
    for width, height in page.evaluate(SIZES_OF_CHARTS):
        assert width > 100
        assert height > 60


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("wide", "dark"), ("narrow", "light")])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn_within_its_edges(browser, dashboard, tmp_path, name, size, scheme):
    page, requests, alerts = open_page(browser, f"{dashboard}/{name}", size=size, scheme=scheme)
    keep(page, f"{name}-{size}-{scheme}", tmp_path)
    check(page, requests, alerts, dashboard)
    page.close()


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_drawn_from_its_address(browser, dashboard, tmp_path, name):
    page, requests, alerts = open_page(browser, dashboard + VIEWS[name])
    keep(page, name, tmp_path)
    check(page, requests, alerts, dashboard)
    page.close()


def test_a_choice_goes_into_the_address_and_holds_from_page_to_page(browser, dashboard):
    page, _, _ = open_page(browser, f"{dashboard}/verdict?study={VERDICT}")
    page.get_by_role("radio", name="energy, joules").click()
    page.wait_for_url("**axis=joules**")
    page.get_by_role("link", name="Training").click()
    page.wait_for_selector("h1:has-text('Training')")
    page.wait_for_function(DRAWN, timeout=60_000)
    assert page.get_by_role("radio", name="energy, joules").is_checked()
    page.get_by_role("radio", name="Gradient norm").click()
    page.wait_for_url("**show=grad_norm**")
    page.go_back()
    page.wait_for_function(DRAWN, timeout=60_000)
    assert page.locator("text=Traceback").count() == 0
    page.close()


def test_a_table_and_a_chart_are_downloaded(browser, dashboard):
    page, _, _ = open_page(browser, dashboard)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).first.click()
    assert Path(download.value.path()).read_text().startswith("At equal,")
    page.locator("[data-testid=stPopover] button").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="SVG").first.click()
    assert Path(download.value.path()).read_text().startswith("<svg")
    page.close()


def test_addresses_icons_and_emoji_in_a_name_stay_text(browser, tmp_path):
    from dashboard.words import plain
    from tests.browser.conftest import streamlit_of

    names = [
        "www.example.com",
        "https://example.com",
        "a@example.com",
        ":material/home:",
        ":smile:",
        ":red[x]",
        "**b**",
    ]
    script = tmp_path / "names.py"
    script.write_text(f"import streamlit as st\nst.title('names')\nst.markdown({plain(' '.join(names))!r})\n")
    with streamlit_of(script) as address:
        page, requests, _ = open_page(browser, address)
        text = page.locator("[data-testid=stMarkdown]").last.inner_text().replace("\u2060", "")
        assert text == " ".join(names)
        assert page.locator("[data-testid=stMarkdown] a, [data-testid=stMarkdown] strong").count() == 0
        assert all(url.startswith((address, "data:", "blob:", "ws://127.0.0.1")) for url in requests)
        page.close()
