"""A source is known by what it yields, and asked cheaply."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glam.config import HubConfig, KindConfig, SourceConfig, replace
from glam.data import local_files
from glam.data.identity import source_identity
from glam.data.sources import SOURCES


def local(*paths: Path) -> SourceConfig:
    return SourceConfig(name="local_files", paths=tuple(str(path) for path in paths))


def test_local_files_are_known_by_content_not_by_name_or_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_text("some text")
    (tmp_path / "a" / "two.md").write_text("other text")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "one.txt").rename(tmp_path / "b" / "zzz.rst")
    assert source_identity(local(tmp_path / "a")) == source_identity(local(tmp_path / "b"))
    (tmp_path / "b" / "two.md").write_text("changed")
    assert source_identity(local(tmp_path / "a")) != source_identity(local(tmp_path / "b"))


def test_python_docs_are_known_by_versions() -> None:
    identity = source_identity(SourceConfig(max_megabytes=1.0))
    assert isinstance(identity["packages"], dict)
    assert identity["packages"]["numpy"]
    assert identity["python"] == ".".join(map(str, sys.version_info[:3]))


def test_unknown_source_lists_what_exists() -> None:
    with pytest.raises(ValueError, match="unknown source 'web'; known: glam_mixture, hub, local_files,"):
        source_identity(SourceConfig(name="web"))


def test_a_pattern_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing\*'.*matches no file"):
        source_identity(local(tmp_path / "nothing*"))
    with pytest.raises(ValueError, match=r"needs data\.source\.paths"):
        source_identity(local())


def test_a_link_is_read_as_its_own_name_says(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text('{"text": "some text"}')
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.jsonl").symlink_to(tmp_path / "blob")
    shutil.copy(tmp_path / "blob", tmp_path / "copy.jsonl")
    assert source_identity(local(tmp_path / "a")) == source_identity(local(tmp_path / "copy.jsonl"))


def test_pages_are_known_by_the_extractor_too(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>text</p>")
    (tmp_path / "a.txt").write_text("text")
    assert "resiliparse" in source_identity(local(tmp_path))
    assert "resiliparse" not in source_identity(local(tmp_path / "a.txt"))


def test_pages_without_the_extra_are_refused_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.html").write_text("<p>text</p>")
    monkeypatch.setattr(local_files, "EXTRACTOR", "not-installed-here")
    with pytest.raises(ValueError, match=r"extra `web`.*glam\[web\]"):
        source_identity(local(tmp_path))


def test_a_data_set_of_the_hub_is_known_by_its_commit_alone() -> None:
    config = SourceConfig(name="hub", hub=HubConfig(id="owner/name", revision="0" * 40))
    other = replace(config, hub={"revision": "1" * 40})
    assert source_identity(config) == source_identity(replace(config, num_shards=3, max_quarantined_fraction=0.5))
    assert source_identity(config) != source_identity(other)
    with pytest.raises(ValueError, match=r"'main' is not the hash .* `glam data pin owner/name`"):
        HubConfig(id="owner/name", revision="main")
    with pytest.raises(ValueError, match=r"`glam data pin owner/name`"):
        HubConfig(id="owner/name")
    with pytest.raises(ValueError, match=r"needs data\.source\.hub"):
        source_identity(SourceConfig(name="hub"))


def configured(name: str, folder: Path) -> SourceConfig:
    """A source of each name; the folder has one file of the kind `web`."""
    web = KindConfig(name="web", paths=(str(folder),))
    given: dict[str, Any] = {
        "hub": {"hub": HubConfig(id="owner/name", revision="0" * 40)},
        "mixture": {"kinds": (web,)},
        "glam_mixture": {"kinds": (web,)},
    }
    return SourceConfig(name=name, **given.get(name, {"paths": (str(folder),)}))


@pytest.mark.parametrize("name", SOURCES)
def test_asking_imports_neither_numpy_nor_torch(name: str, tmp_path: Path) -> None:
    (tmp_path / "web.jsonl").write_text('{"text": "text"}')
    config = configured(name, tmp_path).model_dump_json()
    code = (
        "import sys; from glam.config import SourceConfig; from glam.data.identity import source_identity; "
        f"source_identity(SourceConfig.model_validate_json({config!r})); "
        "assert not {'numpy', 'torch', 'sklearn', 'pyarrow', 'datasets'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
