"""A source is known by what it yields, and asked cheaply."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glam.config import SourceConfig
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
    with pytest.raises(ValueError, match="unknown source 'web'; known: local_files, python_docs"):
        source_identity(SourceConfig(name="web"))


def test_a_pattern_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing\*'.*matches no file"):
        source_identity(local(tmp_path / "nothing*"))
    with pytest.raises(ValueError, match=r"needs data\.source\.paths"):
        source_identity(local())


@pytest.mark.parametrize("name", SOURCES)
def test_asking_imports_neither_numpy_nor_torch(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    config = SourceConfig(name=name, paths=(str(tmp_path),)).model_dump_json()
    code = (
        "import sys; from glam.config import SourceConfig; from glam.data.identity import source_identity; "
        f"source_identity(SourceConfig.model_validate_json({config!r})); "
        "assert not {'numpy', 'torch', 'sklearn'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
