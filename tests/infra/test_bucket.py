"""The stack with its artifacts in a bucket: `up` looks whether it is there, MLflow's pages show what lies in it."""

import urllib.request
from pathlib import Path

import pytest

from infra.bucket import BucketError, check_bucket
from infra.lifeline import marked
from infra.settings import Settings
from infra.stack_file import STACK_MARK, recorded_stack
from tests.bucket import SECRET, Bucket
from tests.infra.conftest import glam, options, stack_ports
from workers.tracking import Tracker


def test_one_that_is_there_passes_and_any_other_is_named(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    check_bucket(Settings())
    check_bucket(Settings.read())
    monkeypatch.setenv("GLAM_MLFLOW_ARTIFACTS", "s3://nonsense/prefix")
    named = rf"GLAM_MLFLOW_ARTIFACTS: the bucket 'nonsense' at {bucket.endpoint} cannot be used"
    with pytest.raises(BucketError, match=f"{named}: .*not exist"):
        check_bucket(Settings.read())
    bucket.close()
    with pytest.raises(BucketError, match=f"{named}: Could not connect"):
        check_bucket(Settings.read())


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_mlflow_shows_what_lies_in_it_and_only_who_needs_them_has_the_credentials(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = bucket.variables
    wrong = {**given, "GLAM_MLFLOW_ARTIFACTS": "s3://nonsense"}
    refused = glam(tmp_path, "up", "--detach", *options(stack_ports()), **wrong)
    assert refused.returncode == 1
    assert "the bucket 'nonsense'" in refused.stderr
    done = glam(tmp_path, "up", "--detach", *options(stack_ports()), **given)
    assert done.returncode == 0, done.stderr
    stack = recorded_stack(tmp_path)
    assert stack is not None
    try:
        monkeypatch.delenv("GLAM_MLFLOW_ARTIFACTS")  # the server says where
        run = Tracker.open(tmp_path, "a study").start_run("a run", fingerprint="a" * 16)
        run.log_files({"verdict.json": "{}"})
        (name,) = bucket.files()
        assert name.startswith("of/glam/")
        page = f"{stack.mlflow}/get-artifact?path=verdict.json&run_uuid={run.run_id}"
        with urllib.request.urlopen(page, timeout=20) as answer:
            assert answer.read() == b"{}"

        holders = {
            each.name() if "-m" not in (words := each.cmdline()) else words[words.index("-m") + 1]
            for each in marked(STACK_MARK, stack.mark)
            if SECRET in each.environ().values()
        }
        assert holders >= {"mlflow", "flows.deployments"}
        assert not holders & {"streamlit", "workers.serve", "workers.ray_head", "prefect"}
    finally:
        assert glam(tmp_path, "down").returncode == 0
    said = [path.read_text(errors="replace") for path in (tmp_path / "stack").iterdir() if path.is_file()]
    assert not [text for text in [*said, done.stdout, done.stderr] if SECRET in text]
