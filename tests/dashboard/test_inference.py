"""The inference page over an empty store, two arms, and a broken measurement; and the published costs of a study."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.charts.inference import PANELS, by_batch
from dashboard.queries import list_inference
from glam.inference import RESULT
from glam.records import InferencePoint, InferenceResult, Machine
from glam.store import Store
from tests.dashboard.fabricated import HOSTILE_NAME, fabricate


def inference_page() -> None:
    from dashboard.views import inference

    inference.show()


def published_part() -> None:
    from dashboard.queries import list_verdicts, read_verdict, store_root
    from dashboard.views.published import draw_published

    (entry,) = list_verdicts(store_root())
    draw_published(read_verdict(store_root(), entry.fingerprint), ("sparse", "dense"))


def opened(page, root: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("GLAM_STORE", str(root))
    app = AppTest.from_function(page, default_timeout=30).run()
    assert not app.exception
    return app


def texts(*elements) -> str:
    return "\n".join(element.value for each in elements for element in each).replace("\\", "")


def result(label: str, seconds: float, *, cores: int = 2, known: bool = True) -> InferenceResult:
    points = tuple(
        InferencePoint(
            batch_size=batch_size,
            tokens_per_second=32 * batch_size / seconds,
            call_seconds=(seconds, seconds),
            first_token_seconds=seconds / 10,
            joules_per_token=seconds / batch_size if known else None,
            low_joules_per_token=seconds / batch_size / 2 if known else None,
            high_joules_per_token=seconds / batch_size * 2 if known else None,
            energy_method="power_model" if known else "none",
            call_joules=(32 * seconds, 32 * seconds) if known else (None, None),
            flops_per_token=1e6,
            weight_bytes=15_600_000 if label.startswith("sparse") else 4_000_000,
            cache_bytes=1000,
            peak_bytes=20_000_000,
        )
        for batch_size in (1, 8)
    )
    return InferenceResult(
        label=label,
        run_fingerprint=None,
        prompt_tokens=32,
        new_tokens=32,
        threads=2,
        prompts="held-out text",
        session="one",
        machine=Machine(processor="Fast 3000", gpu=None, cores=cores, torch="2.0"),
        points=points,
    )


def put(store: Store, mark: str, measured: InferenceResult) -> None:
    with store.claim("inference", measured.label, mark * 16) as folder:
        folder.write_text(RESULT, measured.model_dump_json())
        folder.commit(config={}, revision=1)


def test_an_empty_store_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(inference_page, tmp_path / "nothing", monkeypatch)
    assert app.code[0].value == "glam inference quickstart"
    assert not (tmp_path / "nothing").exists(), "looking makes nothing"


def test_two_arms_are_drawn_and_where_sparse_loses_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "a", result("dense-s0", 1.0))
    put(store, "b", result("sparse-s0", 1.4))
    app = opened(inference_page, store.root, monkeypatch)
    said = texts(app.markdown, app.caption)
    assert "At batch 1 sparse writes 0.71 times the tokens per second of dense" in said
    assert said.count("sparse loses on speed, energy and memory.") == 2
    assert app.selectbox(key="measured").options == [
        "Fast 3000, 2 cores, torch 2.0; 32 tokens of prompt (held-out text), 32 new ones, 2 threads"
    ]
    assert len(app.get("vega_lite_chart")) == 3
    table = app.dataframe[0].value
    assert list(table["Batch"]) == [1, 1, 8, 8]
    assert list(table["Weights"])[:2] == ["15.6 MB", "4 MB"]
    app.selectbox(key="writer").select("dense").run()
    assert not app.exception
    assert "At batch 1 dense writes 1.40 times the tokens per second of sparse" in texts(app.markdown)


def test_arms_that_took_turns_are_the_pair_at_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "a", result("a_dense-s0", 1.0))
    put(store, "b", result("a_sparse-s0", 1.4))
    put(store, "c", result("z_dense-s0", 1.0).model_copy(update={"session": "another"}))
    app = opened(inference_page, store.root, monkeypatch)
    assert [app.selectbox(key=key).value for key in ("writer", "other_writer")] == ["a_sparse", "a_dense"]
    assert "did not take turns" not in texts(app.caption)
    app.selectbox(key="other_writer").select("z_dense").run()
    assert "did not take turns" in texts(app.caption)


def test_machines_are_kept_apart_and_one_arm_alone_is_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "a", result("dense-s0", 1.0))
    put(store, "b", result("sparse-s0", 1.4, cores=64, known=False))
    app = opened(inference_page, store.root, monkeypatch)
    assert len(app.selectbox) == 1
    for title in app.selectbox(key="measured").options:
        app.selectbox(key="measured").select(title).run()
        assert not app.exception
        assert len(app.dataframe[0].value) == 2
        assert "times the tokens" not in texts(app.markdown)
        unknown = "Energy of a new token: unknown" in texts(app.info)
        assert unknown == ("64 cores" in title)


def test_a_broken_measurement_shows_as_broken_and_harms_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "a", result("dense-s0", 1.0))
    with store.claim("inference", HOSTILE_NAME, "f" * 16) as folder:
        folder.write_text(RESULT, '{"label": 3}')
        folder.commit(config={}, revision=1)
    with store.claim("inference", "sparse-s0", "e" * 16):
        pass
    assert sorted(entry.state for entry in list_inference(store.root)) == ["broken", "complete", "running"]
    app = opened(inference_page, store.root, monkeypatch)
    assert "cannot be read" in texts(app.error)
    assert HOSTILE_NAME not in texts(app.error, app.markdown)
    assert len(app.dataframe[0].value) == 2


def test_the_latest_measurement_comes_first(store: Store) -> None:
    put(store, "a", result("dense-s0", 1.0))
    put(store, "b", result("sparse-s0", 1.0))
    ended = [entry.ended or datetime.min.replace(tzinfo=UTC) for entry in list_inference(store.root)]
    assert ended == sorted(ended, reverse=True)


def test_a_figure_that_is_known_of_no_arm_gives_no_chart() -> None:
    unknown = {"dense": result("dense-s0", 1.0, known=False)}
    assert [by_batch(unknown, panel) is None for panel in PANELS] == [False, True, False]


def test_published_costs_stand_beside_those_of_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(published_part, fabricate(tmp_path).root, monkeypatch)
    (table,) = (each.value for each in app.dataframe if "GPT-3" in each.value)
    rows = table.set_index("")
    assert list(rows.columns)[:3] == ["sparse", "dense", "sparse / dense"]
    assert rows.loc["training energy", "GPT-3"] == "1.29 GWh"
    assert rows.loc["training energy", "sparse / dense"] == "1.35 ×"
    assert "(power model)" in rows.loc["training energy", "sparse"]
    assert rows.loc["emissions of training", "sparse"] == "unknown"
    assert "without a site's overhead" in texts(app.caption)
