"""Every page opens, over an empty store, a small one and a broken one."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views import pair
from glam.store import Store
from tests.dashboard.fabricated import HOSTILE_NAME, fabricate

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


def compare_page() -> None:
    from dashboard.views import compare

    compare.show()


def runs_page() -> None:
    from dashboard.views import runs

    runs.show()


PAGES = {"compare": compare_page, "runs": runs_page}


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return fabricate(tmp_path_factory.mktemp("store"))


def opened(page: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("GLAM_STORE", str(root))
    app = AppTest.from_function(PAGES[page], default_timeout=30).run()
    assert not app.exception
    return app


def shown(app: AppTest) -> str:
    texts = [*app.markdown, *app.info, *app.error, *app.caption, *app.title]
    return "\n".join(element.value for element in texts).replace("\\", "")


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_shows_what_to_do(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened(page, tmp_path / "nothing", monkeypatch)
    assert "glam run quickstart" in app.code[0].value
    assert not (tmp_path / "nothing").exists(), "looking makes nothing"


def test_the_first_page_states_the_verdict(small_store: Store, monkeypatch: pytest.MonkeyPatch):
    app = opened("compare", small_store.root, monkeypatch)
    text = shown(app)
    assert "sparse is better than dense by" in text
    assert "power_model" in text
    assert [metric.label for metric in app.metric][:2] == ["Held-out loss, nats per token", "Tokens to equal loss"]
    assert len(app.get("vega_lite_chart")) == 5
    decisions = next(table.value for table in app.dataframe if "Holm's p" in table.value)
    assert len(decisions) == 9
    undecided = ("too noisy at this size", "not after the correction of Holm")
    assert all(each.startswith(undecided) or each in ("sparse", "dense") for each in decisions["Better"])
    assert not app.error


def test_a_pair_of_runs_shows_both_curves_and_no_verdict(small_store: Store, monkeypatch: pytest.MonkeyPatch):
    app = opened("compare", small_store.root, monkeypatch)
    app.button_group[0].set_value("A pair of runs").run()
    assert not app.exception
    assert "no verdict" in shown(app)
    assert len(app.selectbox) == 2
    assert len(app.dataframe) == 1


def test_runs_are_listed_in_every_state_and_a_broken_one_harms_none(
    small_store: Store, monkeypatch: pytest.MonkeyPatch
):
    app = opened("runs", small_store.root, monkeypatch)
    table = app.dataframe[0].value
    assert sorted(table["State"]) == [
        "broken",
        "complete",
        "complete",
        "complete",
        "complete",
        "interrupted",
        "running",
    ]
    assert "unknown" in set(table["Held-out loss"])
    assert "cannot be read" in app.error[0].value.replace("\\", "")
    assert HOSTILE_NAME not in shown(app)


def test_a_verdict_that_cannot_be_read_is_an_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Store(tmp_path).claim("verdicts", "old", "b" * 16) as folder:
        folder.write_text("verdict.json", '{"schema_version": 999}')
        folder.commit(config={}, revision=1)
    app = opened("compare", tmp_path, monkeypatch)
    assert "verdict.json cannot be read" in app.error[0].value.replace("\\", "")


def test_the_whole_app_opens(small_store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GLAM_STORE", str(small_store.root))
    app = AppTest.from_file(str(APP), default_timeout=30).run()
    assert not app.exception
    assert app.title[0].value == "Sparse against dense"


def test_two_runs_of_one_arm_get_two_names():
    from dashboard.queries import RunEntry

    run = RunEntry("sparse-s0", "a" * 16, "running", None, None, None, None)
    assert pair._name(run, []) == "sparse"
    assert pair._name(run, ["sparse"]) == "sparse-s0 aaaaaa"
