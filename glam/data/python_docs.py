"""The source `python_docs`: documentation that lies on every machine on which this project is installed.

Docstrings of the standard library and of installed packages, their documentation files and READMEs.
Files are those that a distribution recorded at installation, so the versions determine the text.
A unit is a package's own modules or one of its direct sub-packages (`scipy`, `scipy.stats`,
`python.json`): large enough that its texts belong together, small enough to hold some out.
"""

import csv
import platform
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath

from glam.config import SourceConfig
from glam.data.packages import DOCUMENTED, README_ONLY
from glam.data.units import FileKind, SourceFile, Unit

EXCLUDED_DIRECTORIES = frozenset(
    {
        *("test", "tests", "idlelib", "lib2to3", "turtledemo", "site-packages", "dist-packages", "__pycache__"),
        *("_vendor", "vendor", "_vendored", "third_party", "thirdparty", "thirdparty_files"),
    }
)
"""Tests, and copies of other projects."""
SUFFIXES: dict[str, FileKind] = {".py": "module", ".md": "longform", ".rst": "longform", ".txt": "longform"}
TEXT_SHARE = {"module": 0.22, "topics": 1.0, "readme": 1.0, "longform": 1.0}
"""Text in a byte of a file. Docstrings are 0.22 of the modules of these packages (measured)."""


def identity(config: SourceConfig) -> dict[str, object]:
    """Versions of Python and of every package read; None for one that is not installed."""
    return {
        "python": platform.python_version(),
        "packages": dict(_versions()),
        "max_megabytes": config.max_megabytes,
    }


def units(config: SourceConfig) -> list[Unit]:  # noqa: ARG001 - every source is asked the same way
    """All units in order of their names."""
    files: dict[str, dict[str, tuple[SourceFile, int]]] = defaultdict(dict)
    for unit, file, size in (*_standard_library(), *_installed()):
        # Two distributions may record the same file; it is read once.
        files[unit].setdefault(file.name, (file, size))
    return [
        Unit(
            name=name,
            size_bytes=round(sum(size * TEXT_SHARE[file.kind] for file, size in files[name].values())),
            parts=tuple(file for _, (file, _) in sorted(files[name].items())),
        )
        for name in sorted(files)
    ]


@cache
def _versions() -> tuple[tuple[str, str | None], ...]:
    return tuple((name, _version(name)) for name in sorted({*DOCUMENTED, *README_ONLY}))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return None


def _standard_library() -> Iterator[tuple[str, SourceFile, int]]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        name = PurePosixPath(path.relative_to(root).as_posix())
        if EXCLUDED_DIRECTORIES.intersection(name.parts) or name.parts[0].startswith("config-"):
            continue
        kind: FileKind = "topics" if str(name) == "pydoc_data/topics.py" else "module"
        top = name.parts[0].removesuffix(".py")
        yield f"python.{top}", SourceFile(kind, path, f"python/{name}"), path.stat().st_size


def _installed() -> Iterator[tuple[str, SourceFile, int]]:
    for distribution, version in _versions():
        if version is None:
            continue
        installed = metadata.distribution(distribution)
        root = Path(str(installed.locate_file("")))
        for name, size in _recorded_files(installed):
            kind = _kind(name)
            if kind is None or (kind != "readme" and distribution not in DOCUMENTED):
                continue
            unit = distribution if kind == "readme" else ".".join(name.parent.parts[:2]) or name.stem
            label = f"readme/{distribution}" if kind == "readme" else str(name)
            yield unit, SourceFile(kind, root / name, label), size


def _recorded_files(installed: metadata.Distribution) -> Iterator[tuple[PurePosixPath, int]]:
    record = installed.read_text("RECORD")
    if record is None:
        raise ValueError(
            f"the installed {installed.name} {installed.version} has no RECORD of its files, so python_docs cannot "
            "know which to read; install it anew with pip"
        )
    for name, _, size in csv.reader(record.splitlines()):
        if name.endswith((*SUFFIXES, ".dist-info/METADATA")):  # before the slow part: a quarter of all files
            yield PurePosixPath(name), int(size or 0)


def _kind(name: PurePosixPath) -> FileKind | None:
    """How to read a recorded file; None where it is no documentation."""
    top = name.parts[0]
    if top.endswith(".dist-info"):
        return "readme" if name.parts[1:] == ("METADATA",) else None
    if top == ".." or EXCLUDED_DIRECTORIES.intersection(name.parts):
        return None
    return SUFFIXES[name.suffix]
