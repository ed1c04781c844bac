"""What the store has goes into MLflow once, whether MLflow was there while it was made or not."""

import sqlite3

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from glam.analysis.verdict import ArmSummary, Verdict
from glam.config import DataConfig, EvalConfig, Experiment, TrainConfig, replace
from glam.lineage import RunStage, StudyStages, study_stages
from glam.records import EvalResult, HeldoutPoint, StepMetrics
from glam.store import Store
from glam.study import Study, dense_twin
from glam.variants import VARIANTS
from tests.browser.conftest import free_ports
from tests.bucket import Bucket
from tests.data.conftest import prepare_here
from tests.summaries import run_summary
from workers.live import Live
from workers.studies import remember, remembered, title
from workers.sync import sync
from workers.tracking import Tracker

STEPS = (10, 20)
SENTENCE = "Nothing is decided."


def step(number: int) -> StepMetrics:
    return StepMetrics(
        step=number,
        tokens=number * 100,
        loss=5 - number / 100,
        grad_norm=1.0,
        learning_rate=1e-3,
        elapsed_seconds=number / 10,
        tokens_per_second=1000.0,
    )


def put_run(run: RunStage, store: Store) -> None:
    with store.claim(**run.stage.reference.model_dump()) as folder:
        folder.append("steps.jsonl", [step(number) for number in STEPS])
        folder.append("heldout.jsonl", [HeldoutPoint(step=20, tokens=2000, loss=4.5, elapsed_seconds=2.0)])
        summary = run_summary(
            run.arm,
            run.seed,
            run.stage.reference.fingerprint,
            heldout_loss=4.5 if run.arm == "dense" else 4.4,
            tokens=2000,
        )
        folder.write_text("summary.json", summary.model_dump_json())
        run.stage.commit(folder)


def put_verdict(study: Study, stages: StudyStages, store: Store) -> None:
    for score in stages.scores:
        with store.claim(**score.stage.reference.model_dump()) as folder:
            result = EvalResult(
                task=score.task, num_shots=score.num_shots, metric="accuracy", value=0.5, num_examples=2
            )
            folder.write_text("result.json", result.model_dump_json())
            score.stage.commit(folder)
    arm = ArmSummary(
        arm="sparse",
        num_runs=1,
        total_params=10,
        active_params=10,
        flops_per_token=60.0,
        tokens_per_run=2000,
        train_loss=4.8,
        heldout_loss=4.4,
        elapsed_seconds=2.0,
        tokens_per_second=1000.0,
        energy_joules=None,
        energy_low_joules=None,
        energy_high_joules=None,
        energy_method="none",
        joules_per_token=None,
        load_imbalance=None,
        dropped_fraction=None,
    )
    verdict = Verdict(
        study=study.name,
        description="",
        match=study.match,
        varies=study.varies,
        seeds=study.seeds,
        arms=(arm,),
        runs=(),
        contrasts=(),
        numerics_differences=(),
        data=None,
        sentence=SENTENCE,
        caveats=(),
    )
    with store.claim(**stages.verdict.reference.model_dump()) as folder:
        folder.write_text("verdict.json", verdict.model_dump_json())
        folder.write_text("report.html", "<!doctype html>")
        stages.verdict.commit(folder)


@pytest.fixture
def study(tiny_data: DataConfig) -> Study:
    sparse = Experiment(
        data=tiny_data,
        model=replace(VARIANTS["toy_4e"], vocab_size=300, sequence_length=32),
        train=TrainConfig(num_steps=20, global_batch_size=2, heldout_sequences=2),
        eval=EvalConfig(tasks=("last_word",), shots=(0,)),
    )
    dense = replace(sparse, model=dense_twin(sparse.model))
    return Study(name="tiny", arms={"sparse": sparse, "dense": dense}, seeds=(0,))


@pytest.fixture
def stages(study: Study, store: Store, monkeypatch: pytest.MonkeyPatch) -> StudyStages:
    """Of a study whose data are prepared and whose runs are trained."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    prepare_here(study.arms["sparse"].data, store)
    made = study_stages(study)
    for run in made.runs:
        put_run(run, store)
    return made


def rows(store: Store) -> dict[str, int]:
    """Sizes of the tables that a second writing would make grow."""
    database = sqlite3.connect(store.root / "mlflow" / "mlflow.db")
    names = ("runs", "metrics", "params", "tags", "model_versions", "logged_models")
    return {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def runs_of(tracker: Tracker) -> dict[str, object]:
    found = MlflowClient(tracker.address).search_runs([tracker.experiment_id])
    return {run.info.run_name: run for run in found}


def test_everything_is_brought_once(study: Study, stages: StudyStages, store: Store) -> None:
    put_verdict(study, stages, store)
    tracker = Tracker.open(store.root, study.name)
    brought = sync(study, stages, store, tracker)
    assert {"sparse-s0", "dense-s0", "evaluate", title(study, stages)} < set(brought)
    runs = runs_of(tracker)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    parent = runs.pop(title(study, stages))
    assert parent.data.tags["verdict"] == SENTENCE
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert runs["sparse-s0"].data.metrics["score/last_word/0shot"] == 0.5
    client = MlflowClient(tracker.address)
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"config.json", "verdict.json", "report.html", "manifest.json"} <= files
    assert {"config.json", "manifest.json"} <= {
        file.path for file in client.list_artifacts(runs["sparse-s0"].info.run_id)
    }
    versions = {name: client.get_model_version_by_alias("glam-tiny", name) for name in ("sparse", "dense", "best")}
    assert versions["best"].version == versions["sparse"].version != versions["dense"].version
    assert SENTENCE in versions["best"].description
    before = rows(store)
    assert sync(study, stages, store, Tracker.open(store.root, study.name)) == []
    assert rows(store) == before


def test_a_verdict_that_comes_later_is_brought_alone(study: Study, stages: StudyStages, store: Store) -> None:
    tracker = Tracker.open(store.root, study.name)
    sync(study, stages, store, tracker)
    put_verdict(study, stages, store)
    assert sync(study, stages, store, tracker) == ["evaluate", title(study, stages)]
    version = MlflowClient(tracker.address).get_model_version_by_alias("glam-tiny", "best")
    assert SENTENCE in version.description
    assert version.tags["verdict"] == SENTENCE


def test_a_server_that_is_not_there_is_told_once_and_waited_for_no_more(
    study: Study, stages: StudyStages, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://somebody:p%40ss@127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    told: list[str] = []
    live = Live(store, study.name, told.append)
    run = live.start(lambda tracker: tracker.start_run("a", fingerprint="a" * 16))
    run.log_steps([step(10)])
    run.finish()
    assert live.lost
    assert len(told) == 1
    assert f"MLflow at http://***@127.0.0.1:{port} fails" in told[0]
    assert "p%40ss" not in told[0]
    assert f"`glam sync tiny --store {store.root}`" in told[0]
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert title(study, stages) in sync(study, stages, store, Tracker.open(store.root, study.name))


def test_one_that_fails_midway_is_made_up_for_without_doubled_points(
    study: Study, stages: StudyStages, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    live = Live(store, study.name, told.append)
    reference = stages.runs[0].stage.reference
    run = live.start(
        lambda tracker: tracker.start_run(reference.label, fingerprint=reference.fingerprint, num_steps=20)
    )
    run.log_steps([step(10)])

    def fail(*_: object, **__: object) -> None:
        raise MlflowException("the database is locked")

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_batch", fail)
        run.log_steps([step(20)])
        run.finish()
    assert len(told) == 1
    assert "the database is locked" in told[0]
    tracker = Tracker.open(store.root, study.name)
    sync(study, stages, store, tracker)
    found = runs_of(tracker)[reference.label]
    assert found.info.status == "FINISHED"
    points = MlflowClient(tracker.address).get_metric_history(found.info.run_id, "train/loss")
    assert [point.step for point in points] == [10, 20]


def test_every_file_goes_to_the_bucket_and_is_read_from_there(
    study: Study, stages: StudyStages, store: Store, bucket: Bucket
) -> None:
    put_verdict(study, stages, store)
    tracker = Tracker.open(store.root, study.name)
    sync(study, stages, store, tracker)

    assert list((store.root / "mlflow" / "artifacts").iterdir()) == []
    files, here = bucket.files(), store.open("verdicts", stages.verdict.reference.fingerprint).path
    assert all(name.startswith("of/glam/experiment-") for name in files)
    (there,) = [content for name, content in files.items() if name.endswith("/artifacts/verdict.json")]
    assert there == (here / "verdict.json").read_bytes()
    assert len([name for name in files if name.endswith("/MLmodel")]) == len(list(stages.runs))

    parent = runs_of(tracker)[title(study, stages)]
    assert mlflow.artifacts.load_text(f"{parent.info.artifact_uri}/report.html") == "<!doctype html>"


def test_a_bucket_that_is_gone_is_told_once_and_made_up_for_once(
    study: Study, stages: StudyStages, store: Store, bucket: Bucket
) -> None:
    bucket.close()
    told: list[str] = []
    live = Live(store, study.name, told.append)
    for _ in range(2):
        assert live.ask(lambda tracker: sync(study, stages, store, tracker)) is None
    assert live.lost
    assert len(told) == 1
    assert "artifacts cannot be written to s3://results/of/glam/experiment-" in told[0]
    assert f"`glam sync tiny --store {store.root}`" in told[0]

    bucket.open()
    tracker = Tracker.open(store.root, study.name)
    assert title(study, stages) in sync(study, stages, store, tracker)
    assert len([name for name in bucket.files() if name.endswith("/MLmodel")]) == len(list(stages.runs))
    before = rows(store)
    assert sync(study, stages, store, tracker) == []
    assert rows(store) == before


def test_a_study_is_remembered_as_it_was_run(study: Study, stages: StudyStages, store: Store) -> None:
    remember(study, stages, store)
    remember(study, stages, store)
    assert [found for found, _ in remembered(store, "tiny")] == [study]
    note = next((store.root / "mlflow" / "studies").glob("*.json"))
    note.write_text("{")
    with pytest.raises(ValueError, match=f"{note.name} is not the note of a study"):
        list(remembered(store))
