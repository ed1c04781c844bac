"""Mixtures: every document is of its kind; weights are settled, checked, and no part of what is read."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from glam.config import KindConfig, SourceConfig, replace
from glam.data.identity import source_identity
from glam.data.mixture import GLAM_KINDS, mixture_kinds, mixture_weights
from glam.data.readers import read_unit
from glam.data.sources import plan_shards
from glam.records import Document, Drop

REAL_TEXT = Path(__file__).parents[3] / "shared" / "data" / "text"


def write(path: Path, *records: dict) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def read(config: SourceConfig) -> list[Document | Drop]:
    return [each for shard in plan_shards(config) for unit in shard for each in read_unit(unit)]


@pytest.fixture
def mixture(tmp_path: Path) -> SourceConfig:
    letters = write(tmp_path / "one.jsonl", {"text": "dear", "source": "somebody's set", "id": 7}, {"text": ""})
    laws = write(tmp_path / "two.jsonl", {"text": "thou shalt", "id": 7}, {"text": "not", "curated": False})
    return SourceConfig(
        name="mixture",
        kinds=(
            KindConfig(name="letters", weight=1, paths=(letters,)),
            KindConfig(name="laws", weight=3, paths=(laws,), curated=True),
        ),
        num_shards=2,
    )


def test_documents_and_drops_are_of_their_kind(mixture: SourceConfig) -> None:
    found = {each.text: each for each in read(mixture) if isinstance(each, Document)}
    assert {text: each.source for text, each in found.items()} == {
        "dear": "letters",
        "thou shalt": "laws",
        "not": "laws",
    }
    assert [text for text, each in found.items() if each.curated] == ["thou shalt"]
    assert [(each.source, each.reason) for each in read(mixture) if isinstance(each, Drop)] == [("letters", "empty")]


def test_ids_of_two_kinds_differ_though_their_records_and_files_are_the_same(
    mixture: SourceConfig, tmp_path: Path
) -> None:
    shutil.copy(tmp_path / "one.jsonl", tmp_path / "two.jsonl")
    ids = [each.id for each in read(mixture) if isinstance(each, Document)]
    assert sorted(ids) == ["laws/7", "letters/7"]


def test_a_text_file_is_a_document_of_its_kind(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text")
    kind = KindConfig(name="books", paths=(str(tmp_path / "a.txt"),))
    (document,) = read(SourceConfig(name="glam_mixture", kinds=(kind,)))
    assert isinstance(document, Document)
    assert (document.source, document.curated) == ("books", True)


def test_weights_are_no_part_of_the_identity_and_kinds_are(mixture: SourceConfig, tmp_path: Path) -> None:
    letters, laws = mixture.kinds
    before = source_identity(mixture)
    assert source_identity(replace(mixture, kinds=(replace(laws, weight=1), letters))) == before
    shutil.move(tmp_path / "one.jsonl", tmp_path / "renamed.jsonl")
    moved = replace(letters, paths=(str(tmp_path / "renamed.jsonl"),))
    assert source_identity(replace(mixture, kinds=(moved, laws))) == before
    for other in (replace(laws, name="rules"), replace(laws, curated=False)):
        assert source_identity(replace(mixture, kinds=(moved, other))) != before


def test_glams_weights_are_those_of_its_table_over_the_kinds_that_are_there(tmp_path: Path) -> None:
    assert sum(kind.weight for kind in GLAM_KINDS.values()) == pytest.approx(1)
    path = write(tmp_path / "a.jsonl", {"text": "x"})
    kinds = (
        KindConfig(name="web", paths=(path,)),
        KindConfig(name="news", paths=(path,)),
        KindConfig(name="books"),
        KindConfig(name="forums", paths=(path,), weight=0),
    )
    config = SourceConfig(name="glam_mixture", kinds=kinds)
    assert mixture_weights(config) == pytest.approx({"web": 0.42 / 0.44, "news": 0.02 / 0.44})
    with pytest.raises(ValueError, match=r"spam .* none of GLaM's kinds"):
        mixture_weights(SourceConfig(name="glam_mixture", kinds=(KindConfig(name="spam", paths=(path,)),)))
    with pytest.raises(ValueError, match="no kind of text"):
        mixture_weights(SourceConfig(name="glam_mixture"))


def test_a_folder_is_a_mixture_of_its_files(tmp_path: Path) -> None:
    for name in ("web-1.jsonl", "webpages_raw.jsonl", "wikipedia.jsonl", "letters.jsonl", "notes.jsonl"):
        write(tmp_path / name, {"text": name})
    (tmp_path / "README.md").write_text("no kind")
    config = SourceConfig(name="local_mixture", paths=(str(tmp_path),))
    with pytest.raises(ValueError, match=r"no weight for letters, notes in .*\{name: letters, weight: 0.02\}"):
        source_identity(config)
    config = replace(config, kinds=(KindConfig(name="letters", weight=0.24), KindConfig(name="notes", weight=0)))
    assert mixture_weights(config) == pytest.approx(
        {"letters": 0.24 / 0.72, "web": 0.42 / 0.72, "wikipedia": 0.06 / 0.72}
    )
    assert {each.text: each.source for each in read(config) if isinstance(each, Document)} == {
        "web-1.jsonl": "web",
        "webpages_raw.jsonl": "web",
        "wikipedia.jsonl": "wikipedia",
        "letters.jsonl": "letters",
    }
    config = replace(config, kinds=(*config.kinds, KindConfig(name="webpages_raw", weight=0.1)))
    assert Counter(kind.name for kind in mixture_kinds(config)) == Counter(
        ["letters", "web", "webpages_raw", "wikipedia"]
    )
    with pytest.raises(ValueError, match="no file of songs"):
        source_identity(replace(config, kinds=(*config.kinds, KindConfig(name="songs", weight=1))))


def test_a_kind_without_text_is_an_error_that_names_it(mixture: SourceConfig, tmp_path: Path) -> None:
    letters, laws = mixture.kinds
    with pytest.raises(ValueError, match=r"no paths and no hub .* for laws"):
        source_identity(replace(mixture, kinds=(letters, replace(laws, paths=()))))
    with pytest.raises(ValueError, match=r"kind laws: .*none.*matches no file"):
        source_identity(replace(mixture, kinds=(letters, replace(laws, paths=(str(tmp_path / "none*"),)))))
    with pytest.raises(ValueError, match=r"has laws more than once"):
        replace(mixture, kinds=(laws, laws))


def test_weights_are_of_all_kinds_or_of_none(mixture: SourceConfig) -> None:
    letters, laws = mixture.kinds
    assert mixture_weights(mixture) == {"letters": 0.25, "laws": 0.75}
    natural = tuple(replace(kind, weight=None) for kind in mixture.kinds)
    assert mixture_weights(replace(mixture, kinds=natural)) is None
    assert mixture_weights(SourceConfig()) is None
    with pytest.raises(ValueError, match=r"only letters of the kinds letters, laws have a weight"):
        mixture_weights(replace(mixture, kinds=(letters, replace(laws, weight=None))))


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_TEXT.is_dir(), reason="no folder of real text beside the checkout")
def test_the_folder_of_real_text_is_read_without_a_fault() -> None:
    kinds = tuple(KindConfig(name=name, weight=0) for name in ("spam", "newsletters", "webpages_nonenglish"))
    config = SourceConfig(name="local_mixture", paths=(str(REAL_TEXT),), kinds=kinds)
    found = Counter((type(each).__name__, each.source) for each in read(config))
    assert {name for name, _ in found} == {"Document"}
    assert {source for _, source in found} == {"web", "wikipedia", "forums", "books", "news"}
    assert mixture_weights(config) == pytest.approx(
        {"web": 42 / 72, "wikipedia": 6 / 72, "forums": 2 / 72, "books": 20 / 72, "news": 2 / 72}
    )
