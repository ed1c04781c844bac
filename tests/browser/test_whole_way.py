"""What a person does: starts a run from Prefect's form, finds it in MLflow, reads its verdict, cancels another."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from glam.environment import LOOPBACK
from infra.health import accepts
from infra.stack_file import Stack
from tests.browser.test_pages import DRAWN
from tests.infra.conftest import glam, raylets, up

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CREATED = 201
COMPLETED_WITHIN_SECONDS = 300
REFUSED_WITHIN_SECONDS = 30
STARTED_WITHIN_SECONDS = 90
CANCELLED_WITHIN_SECONDS = 45
CRASHED_WITHIN_SECONDS = 45
RESTARTED_WITHIN_SECONDS = 60
ANSWERED_WITHIN_SECONDS = 60
ROOM_FOR_TITLE_AND_LEGEND = 90
LONG = "train.num_steps=100000"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole") / "store"


@pytest.fixture(scope="module")
def stack(browser, root: Path) -> Iterator[Stack]:  # noqa: ARG001 - none without a browser
    """Over an empty store."""
    yield up(root)
    assert glam(root, "down").returncode == 0


def submit(page, stack: Stack, *settings: str) -> None:
    """Fills in the form of `experiment` for `smoke`, sends it off, and opens the page of the run."""
    page.goto(f"{stack.prefect_page}/deployments")
    page.get_by_role("link", name="experiment", exact=True).first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    page.locator("button.p-select-button__control", has_text="quickstart").press("ArrowDown")
    page.locator(".p-select-option__text").get_by_text("smoke", exact=True).click()
    for place, setting in enumerate(settings):
        page.get_by_role("button", name="Add item").first.click()
        page.locator(".schema-form-property-array").first.locator("input, textarea").nth(place).fill(setting)
    with page.expect_response("**/create_flow_run") as answer:
        page.get_by_role("button", name="Submit").click()
    assert answer.value.status == CREATED, answer.value.text()
    page.goto(f"{stack.prefect_page}/runs/flow-run/{answer.value.json()['id']}")


def wait_until_training(page) -> None:
    page.get_by_text(re.compile("^sparse seed 0: step")).first.wait_for(timeout=1000 * STARTED_WITHIN_SECONDS)


def wait_until_restarted(stack: Stack) -> None:
    deadline = time.monotonic() + RESTARTED_WITHIN_SECONDS
    while not (raylets(stack) and accepts(LOOPBACK, stack.ports.ray + 1)):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def checkpoints(root: Path) -> set[Path]:
    return set(root.glob("runs/*/checkpoints/*/checkpoint.json"))


def wait_for_state(page, state: str, seconds: float) -> None:
    page.locator(".state-badge", has_text=re.compile(f"^{state}$")).first.wait_for(timeout=1000 * seconds)


def test_from_the_form_to_the_report(browser, stack: Stack) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    submit(page, stack)
    wait_for_state(page, "Completed", COMPLETED_WITHIN_SECONDS)
    assert re.search(r"smoke-[0-9a-f]{8}", page.locator("body").inner_text()), "named after its study"
    page.get_by_text("Artifacts", exact=True).click()
    page.get_by_text("verdict-smoke").first.wait_for()

    page.goto(stack.mlflow)
    page.get_by_role("link", name="smoke", exact=True).first.click()
    page.wait_for_url("**/experiments/*/**")
    page.goto(re.sub(r"(/experiments/\d+)/.*", r"\1/runs", page.url))  # a tour of MLflow's own lies over its menu
    page.get_by_text(re.compile("^smoke-[0-9a-f]{8}$")).first.wait_for()
    page.goto(f"{stack.mlflow}/#/models")
    page.get_by_role("link", name="glam-smoke", exact=True).first.wait_for()
    page.keyboard.press("Escape")  # what MLflow tells newcomers lies over it
    page.get_by_role("link", name="glam-smoke", exact=True).first.click()
    page.get_by_text(re.compile(r"^@\s*best$")).first.wait_for()

    page.goto(stack.dashboard, wait_until="commit")
    page.wait_for_function(DRAWN, timeout=60_000)
    assert "sparse" in page.locator("h4").first.inner_text(), "the sentence"
    page.get_by_role("radio", name="energy, joules").click()
    page.wait_for_url("**axis=joules**")
    page.wait_for_function(DRAWN, timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Report, HTML").click()
    assert Path(download.value.path()).read_text("utf-8").startswith("<!")

    page.goto(f"{stack.dashboard}/try_it", wait_until="commit")
    page.get_by_role("button", name="Complete", exact=True).click()
    tokens = page.get_by_test_id("stVegaLiteChart").get_by_text("first expert", exact=True)
    tokens.wait_for(timeout=1000 * ANSWERED_WITHIN_SECONDS)
    box = page.get_by_test_id("stVegaLiteChart").first.bounding_box()
    assert box["height"] > ROOM_FOR_TITLE_AND_LEGEND
    assert page.locator("text=Traceback").count() == 0
    page.close()


def test_a_setting_that_does_not_exist_is_refused_in_a_sentence(browser, stack: Stack) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    submit(page, stack, "train.num_stepz=3")
    wait_for_state(page, "Failed", REFUSED_WITHIN_SECONDS)
    page.get_by_text(re.compile("num_stepz")).first.wait_for()
    page.close()


def test_a_run_cancelled_in_its_page_saves_and_ends(browser, root: Path, stack: Stack) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    submit(page, stack, LONG)
    wait_until_training(page)
    assert not checkpoints(root)
    page.get_by_role("button", name="Cancel").first.click()
    page.get_by_role("button", name="Confirm", exact=True).click()
    wait_for_state(page, "Cancelled", CANCELLED_WITHIN_SECONDS)
    page.close()
    assert checkpoints(root)


def test_a_run_that_ray_ended_shows_where_its_last_words_are(browser, root: Path, stack: Stack) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    submit(page, stack, LONG)
    wait_until_training(page)
    (raylet,) = raylets(stack)
    raylet.kill()
    wait_for_state(page, "Crashed", CRASHED_WITHIN_SECONDS)
    log = root / "stack" / "deployments.log"
    page.get_by_text(f"What the process said last is in {log}").first.wait_for()
    page.close()
    # Which is seen to be gone first is a race: the head ends the others when one is.
    assert re.search(r"Ray broke down: its (raylet|gcs_server) \(pid \d+\) is gone", log.read_text())
    wait_until_restarted(stack)


def test_down_lets_a_run_save_and_say_that_it_was_ended(browser, root: Path, stack: Stack) -> None:
    before = checkpoints(root)
    page = browser.new_page(viewport={"width": 1400, "height": 1600})
    submit(page, stack, LONG)
    wait_until_training(page)
    page.close()
    assert glam(root, "down").returncode == 0
    assert checkpoints(root) - before
    with closing(sqlite3.connect(root / "prefect" / "prefect.db")) as database:
        (state,) = database.execute("SELECT state_type FROM flow_run ORDER BY created DESC LIMIT 1").fetchone()
    assert state == "CRASHED"
    assert not list(root.glob("runs/*/stop"))
