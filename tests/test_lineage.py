"""What determines a result names it; what does not, does not."""

import subprocess
import sys

import pytest

from glam.config import replace
from glam.lineage import Stage, study_stages, why_not_done
from glam.recipes import smoke
from glam.store import Store
from glam.study import Study, override


def marks(study: Study) -> dict[str, str]:
    return {
        stage.reference.kind + "/" + stage.reference.label: stage.reference.fingerprint for stage in study_stages(study)
    }


def changed(*settings: str) -> set[str]:
    before, after = marks(smoke()), marks(override(smoke(), settings))
    return {name.split("/")[0] for name in before if before[name] != after.get(name)}


@pytest.mark.parametrize(
    ("setting", "kinds"),
    [
        ("eval.max_examples=3", {"scores", "verdicts"}),
        ("train.learning_rate=0.5", {"runs", "scores", "verdicts"}),
        ("data.sequence_length=32 model.sequence_length=32", {"shards", "runs", "scores", "verdicts"}),
        ("data.tokenizer.train_megabytes=0.5", {"tokenizers", "heldout", "shards", "runs", "scores", "verdicts"}),
        (
            "data.filters.min_characters=9",
            {"corpora", "classifiers", "tokenizers", "heldout", "shards", "runs", "scores", "verdicts"},
        ),
    ],
)
def test_a_change_renames_its_stage_and_what_follows_and_nothing_before(setting: str, kinds: set[str]) -> None:
    assert changed(*setting.split()) == kinds


def test_names_are_labels() -> None:
    assert marks(smoke())["verdicts/smoke"] == marks(override(smoke(), ["name=other"]))["verdicts/other"]


def test_arms_share_their_data_and_differ_in_their_runs() -> None:
    stages = study_stages(replace(smoke(), seeds=(0, 1)))
    assert len(stages.data) == 1
    assert len({run.stage.reference.fingerprint for run in stages.runs}) == 4
    assert len(list(stages)) == len({stage.reference.fingerprint for stage in stages})


def complete(stage: Stage, store: Store) -> None:
    with store.claim(**stage.reference.model_dump()) as folder:
        folder.write_text("x", "x")
        stage.commit(folder)


def test_a_continued_run_reads_the_run_that_was_trained_for_fewer_steps() -> None:
    short = study_stages(override(smoke(), ["train.num_steps=20"]))
    longer = study_stages(override(smoke(), ["train.num_steps=30", "train.continues=20"]))
    for before, run in zip(short.runs, longer.runs, strict=True):
        assert [each.stage.reference for each in run] == [before.stage.reference, run.stage.reference]
        assert before.stage.reference in run.stage.reads
    trained = [stage.reference.fingerprint for stage in longer.until("train") if stage.reference.kind == "runs"]
    assert len(set(trained)) == 4
    assert all(score.subject in longer.runs for score in longer.scores)


def test_a_dry_run_names_the_field_that_made_the_difference(store: Store) -> None:
    before, after = study_stages(smoke()), study_stages(override(smoke(), ["train.learning_rate=0.5"]))
    for stage in before:
        complete(stage, store)
    assert all(stage.find(store) is not None for stage in before)
    assert why_not_done(after.runs[0].stage, store) == ["train.learning_rate: 0.01 -> 0.5"]
    assert why_not_done(after.scores[0].stage, store) == ["reads another runs/sparse-s0"]


def test_it_is_all_known_without_torch_ray_or_prefect() -> None:
    program = (
        "import sys; from glam.lineage import study_stages; from glam.recipes import smoke; study_stages(smoke())\n"
        "print([name for name in ('torch', 'ray', 'prefect', 'mlflow', 'numpy', 'sklearn') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
