"""MLflow without a server: one writer, resumed without doubles, a registry of pointers."""

import os
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from glam.config import ModelConfig
from glam.records import HeldoutPoint, StepMetrics
from glam.store import Store
from workers.metrics import HELDOUT_METRICS, MAX_POINTS, STEP_METRICS, Thinning, flatten
from workers.registry import register
from workers.tracking import Tracker, registered_run, tracking_address


def step(number: int, *, balance_loss: float | None = 1.25) -> StepMetrics:
    return StepMetrics(
        step=number,
        tokens=number * 100,
        loss=5 - number / 100,
        balance_loss=balance_loss,
        grad_norm=1.0,
        learning_rate=1e-3,
        elapsed_seconds=number / 10,
        tokens_per_second=1000.0,
    )


def point(number: int) -> HeldoutPoint:
    return HeldoutPoint(step=number, tokens=number * 100, loss=5.0, elapsed_seconds=1.0)


@pytest.fixture
def tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Tracker.open(tmp_path, "a study with a / in its name")


def history(tracker: Tracker, run_id: str, metric: str) -> list[int]:
    return [each.step for each in MlflowClient(tracker.address).get_metric_history(run_id, metric)]


def test_every_field_of_a_step_has_a_metric_or_is_left_out_on_purpose():
    assert set(STEP_METRICS) == set(StepMetrics.model_fields) - {"schema_version", "step", "energy_method"}
    assert set(HELDOUT_METRICS) <= set(HeldoutPoint.model_fields)


@pytest.mark.parametrize(("num_steps", "every"), [(20, 1), (300, 10), (100_000, 1), (100_000, 10), (2_001, 1)])
def test_thinning_keeps_few_points_and_the_last(num_steps: int, every: int):
    kept = [each.step for each in Thinning(num_steps)(step(n) for n in range(every, num_steps + 1, every))]
    assert len(kept) <= MAX_POINTS
    assert kept[-1] == num_steps
    if num_steps // every <= MAX_POINTS // 2:
        assert len(kept) == num_steps // every


def test_nested_configurations_become_dotted_paths():
    assert flatten({"model": {"num_layers": 4, "positions": {"kind": "rope"}}, "seed": 0}) == {
        "model.num_layers": "4",
        "model.positions.kind": "rope",
        "seed": "0",
    }


def test_a_run_that_is_taken_up_again_is_the_same_run_without_doubled_points(tracker: Tracker, tmp_path: Path):
    run = tracker.start_run("sparse-s0", fingerprint="f" * 16, num_steps=4, params={"model": {"num_layers": 2}})
    run.log_steps([step(1), step(2)])
    run.log_heldout([point(2)])
    run.finish("KILLED")

    again = Tracker.open(tmp_path, "a study with a / in its name")
    resumed = again.start_run("sparse-s0", fingerprint="f" * 16, num_steps=4)
    resumed.log_steps([step(2), step(3)])
    resumed.log_steps([step(3), step(4)])
    resumed.log_heldout([point(2), point(4)])
    resumed.log_values({"score/last_word/0shot": 0.5, "unknown": None})
    resumed.finish()

    assert resumed.run_id == run.run_id
    assert history(tracker, run.run_id, "train/loss") == [1, 2, 3, 4]
    assert history(tracker, run.run_id, "heldout/loss") == [2, 4]
    stored = MlflowClient(tracker.address).get_run(run.run_id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"model.num_layers": "2"}
    assert stored.data.metrics["moe/balance_loss"] == 1.25
    assert "unknown" not in stored.data.metrics
    assert "energy/joules" not in stored.data.metrics


def test_children_hang_below_their_parent(tracker: Tracker):
    parent = tracker.start_run("quickstart", fingerprint="a" * 16)
    child = tracker.start_run("dense-s0", fingerprint="b" * 16, parent=parent)
    stored = MlflowClient(tracker.address).get_run(child.run_id)
    assert stored.data.tags["mlflow.parentRunId"] == parent.run_id


def test_the_environment_names_the_server_and_the_store_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_address(tmp_path) == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert tracking_address(tmp_path) == "http://127.0.0.1:1"


@pytest.mark.filterwarnings("error:.*type hints")
def test_a_registered_version_is_a_pointer_that_completes_text_and_notices_another_result(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import mlflow

    from glam.config import TokenizerConfig
    from glam.data.tokenizer import train_tokenizer
    from glam.model.saved import save_model
    from glam.model.transformer import Transformer

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    config = ModelConfig(vocab_size=300, num_layers=2, model_dim=16, num_heads=2, head_dim=8, hidden_dim=32)
    tokenizer, _ = train_tokenizer(["def add(a, b): return a + b"], TokenizerConfig(kind="bpe", vocab_size=300))
    weights = Transformer(config)
    weights.initialize(0)
    with Store(tmp_path).claim("runs", "sparse-s0", "c" * 16) as folder:
        save_model(folder.path, config, weights.state_dict())
        folder.write_text("tokenizer.json", tokenizer.to_json())
        folder.commit(config={}, revision=1)

    run = tracker.start_run("sparse-s0", fingerprint="c" * 16)

    def put() -> tuple[str, bool]:
        return register(
            tracker,
            run,
            folder,
            model_name="glam-quickstart",
            store_root=tmp_path,
            tags={"arm": "sparse"},
            card="# A card",
            aliases=["sparse", "best"],
            loss=4.5,
        )

    version, _ = put()
    run.finish()
    assert put() == (version, False), "registering twice makes one version"
    assert MlflowClient(tracker.address).get_model_version("glam-quickstart", version).description == "# A card"

    artifacts = [path for path in (tmp_path / "mlflow" / "artifacts").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in artifacts) < 50_000
    assert not [path for path in artifacts if path.suffix in (".pkl", ".pickle")]
    assert not (Path.cwd() / "mlruns").exists()
    assert not (Path.cwd() / "mlflow.db").exists()
    assert MlflowClient(tracker.address).get_run(run.run_id).info.status == "FINISHED"

    named = (folder.reference.fingerprint, folder.manifest_hash())
    for name in (
        "models:/glam-quickstart@sparse",
        "models:/glam-quickstart@best",
        f"models:/glam-quickstart/{version}",
    ):
        assert registered_run(tmp_path, name) == named
    for name in ("models:/glam-quickstart@dense", "models:/glam-quickstart/99", "models:/other@sparse"):
        with pytest.raises(ValueError, match=f"{name}: .*`glam run` registers models"):
            registered_run(tmp_path, name)

    mlflow.set_tracking_uri(tracker.address)
    try:
        model = mlflow.pyfunc.load_model("models:/glam-quickstart@best")
        completions = model.predict(["def add", "return"], params={"max_new_tokens": 3})
        assert [type(text) for text in completions] == [str, str]
        assert all(value < 0 for value in model.predict(["def add"], params={"mode": "loglikelihood"}))
        (folder.path / "manifest.json").write_text(
            (folder.path / "manifest.json").read_text().replace('"revision": 1', '"revision": 2')
        )
        with pytest.raises(Exception, match="it is another result"):
            mlflow.pyfunc.load_model("models:/glam-quickstart@sparse")
    finally:
        mlflow.set_tracking_uri(None)


def test_an_alias_stays_with_the_better_one_of_the_same_data(tracker: Tracker, tmp_path: Path) -> None:
    versions = []
    for number, (data, loss) in enumerate([("d1", 4.0), ("d1", 5.0), ("d1", None), ("d1", 3.5), ("d2", 6.0)]):
        mark = f"{number}" * 16
        with Store(tmp_path).claim("runs", "sparse-s0", mark) as folder:
            folder.commit(config={}, revision=1)
        run = tracker.start_run("sparse-s0", fingerprint=mark)
        told = {"model_name": "glam-x", "store_root": tmp_path, "card": "# A card", "aliases": ["best"]}
        versions.append(register(tracker, run, folder, tags={"data": data}, loss=loss, **told)[0])
        best = tracker.client.get_model_version_by_alias("glam-x", "best")
        assert str(best.version) == versions[[0, 0, 0, 3, 4][number]]


def test_mlflow_reads_no_pickle():
    from glam import environment

    settings: dict[str, str] = dict(os.environ)
    environment.apply(settings)
    assert settings["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
