"""`glam data`: what it shows of prepared shards, and how it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import cli
from glam.config import DataConfig, QualityConfig, SourceConfig, SplitConfig, TokenizerConfig, replace
from glam.lineage import DataStages
from glam.store import Store
from tests.data.conftest import document, prepare_here, write_corpus

Glam = Callable[..., tuple[int, str, str]]
CURATED = 0.25
NUM_DOCUMENTS = 120


@pytest.fixture
def glam(capsys: pytest.CaptureFixture[str], store: Store) -> Glam:
    """Runs a command in this process, on a store of its own; gives exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli._run([*arguments, "--store", str(store.root)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def prepared(tmp_path: Path, store: Store) -> DataStages:
    """Shards of a small corpus of files, made without Ray."""
    documents = [
        document(number, unit=f"u{number % 20}", curated=number < CURATED * NUM_DOCUMENTS)
        for number in range(NUM_DOCUMENTS)
    ]
    write_corpus(tmp_path / "corpus.jsonl", documents)
    config = DataConfig(
        source=SourceConfig(name="local_files", paths=(str(tmp_path / "corpus.jsonl"),), num_shards=1),
        quality=QualityConfig(alpha=1.0, num_features_log2=10),
        split=SplitConfig(heldout_fraction=0.2),
        tokenizer=TokenizerConfig(kind="bpe", vocab_size=320),
        sequence_length=32,
    )
    return prepare_here(config, store)


def test_show_knows_a_preparation_that_is_judged_as_another(glam: Glam, prepared: DataStages, store: Store) -> None:
    unfiltered = replace(prepared.config, quality={"enabled": False}, judged_as=prepared.config)
    other = prepare_here(unfiltered, store)
    code, out, _ = glam("data", "show", other.shards.reference.fingerprint, "--json")
    assert code == 0
    assert json.loads(out)["classifier"]["skipped"] == "quality.enabled is false"


def test_show_says_what_became_of_every_document(glam: Glam, prepared: DataStages) -> None:
    name = prepared.shards.reference.fingerprint
    code, out, _ = glam("data", "show", name, "--json")
    shown = json.loads(out)
    assert code == 0
    steps, dropped = shown["selection"]["steps"], shown["selection"]["dropped"]
    num_dropped = sum(count for by_source in dropped.values() for count in by_source.values())
    assert steps["train"]["documents"] + steps["heldout"]["documents"] + num_dropped == NUM_DOCUMENTS
    assert shown["shards"]["num_documents"] == steps["train"]["documents"]
    assert {each["kept"] for each in shown["examples"]} == {True, False}
    assert sum(map(sum, shown["selection"]["score_histogram"].values())) == NUM_DOCUMENTS * (1 - CURATED)
    code, out, _ = glam("data", "show", "local_files")
    assert code == 0
    assert f"{shown['shards']['num_tokens']:,} tokens" in out
    assert out.index("extracted") < out.index("near_duplicate") < out.index("train ")


@pytest.mark.usefixtures("prepared")
def test_sample_gives_documents_as_the_model_gets_them(glam: Glam) -> None:
    code, out, _ = glam("data", "sample", "local_files", "-n", "2", "--source", "made", "--json")
    drawn = json.loads(out)
    assert code == 0
    assert len(drawn) == 2
    assert all(each["source"] == "made" and each["text"].startswith("The text of this and that:") for each in drawn)
    assert json.loads(glam("data", "sample", "local_files", "-n", "2", "--json")[1]) == drawn
    assert drawn[0]["text"] in glam("data", "sample", "local_files", "-n", "2")[1]


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "nonsense"), "'nonsense' names no shards"),
        (("sample", "local_files", "--source", "web"), "no text of kind 'web'; there are: made"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(glam: Glam, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = glam("data", *arguments)
    assert code == cli.WRONG_USE
    assert message in err
