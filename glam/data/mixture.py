"""The sources `mixture`, `glam_mixture` and `local_mixture`: kinds of text, each with its own files or data set, its
share of the training tokens, and the word on whether it is curated.

`mixture`: the kinds that the config names. `glam_mixture`: GLaM's six, each from what the config gives it; a kind that
is given nothing is left out. `local_mixture`: a folder in which every file of records is a kind, called by its name:
`letters.jsonl`, or by its first word where that is one of GLaM's (`web-00001.parquet`, `books_old.jsonl.gz`).

The kind is the `source` of its documents, whatever a record says there. Weights are no part of the identity: they
decide how text is packed, so another weight reads nothing anew.
"""

import glob
import re
from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path
from typing import NamedTuple, TypeVar

from glam.config import KindConfig, SourceConfig, replace
from glam.data import hub, local_files
from glam.data.units import SourceFile, Unit, up_to


class PublishedKind(NamedTuple):
    """A kind of text that GLaM was trained on."""

    weight: float
    """Share of the training tokens."""
    curated: bool = False
    """Whether the quality classifier took it as good text."""


# GLaM (arXiv:2112.06905): weights of table 3; section 3 trains the classifier on Wikipedia, books and selected sites.
GLAM_KINDS = {
    "web": PublishedKind(0.42),
    "wikipedia": PublishedKind(0.06, curated=True),
    "conversations": PublishedKind(0.28),
    "forums": PublishedKind(0.02),
    "books": PublishedKind(0.20, curated=True),
    "news": PublishedKind(0.02),
}
FIRST_WORDS = {
    **{name: name for name in GLAM_KINDS},
    "webpage": "web",
    "webpages": "web",
    "wiki": "wikipedia",
    "conversation": "conversations",
    "dialogues": "conversations",
    "forum": "forums",
    "book": "books",
}
"""GLaM's kinds by the first word of a file's name."""
RECORDS = frozenset({"jsonl", "jsonl_gzip", "jsonl_zstd", "parquet"})


def identity(config: SourceConfig) -> dict[str, object]:
    """Name, curation and text of every kind. Raises ValueError as `mixture_kinds` does."""
    facts = {
        kind.name: {"curated": bool(kind.curated), "text": _ask(kind, hub.identity, local_files.identity)}
        for kind in mixture_kinds(config)
    }
    return {"kinds": facts, "max_megabytes": config.max_megabytes}


def units(config: SourceConfig) -> list[Unit]:
    """Units of all kinds in order of their names, `kind/...`. Raises ValueError as `mixture_kinds` does."""
    found = [
        _of_kind(kind, unit)
        for kind in mixture_kinds(config)
        for unit in up_to(kind.max_megabytes, _ask(kind, hub.units, local_files.units))
    ]
    return sorted(found, key=lambda unit: unit.name)


def mixture_weights(config: SourceConfig) -> dict[str, float] | None:
    """Shares of the kinds that are there, summing to 1; None: as much of each as there is.

    Raises ValueError as `mixture_kinds` does.
    """
    if config.name not in KINDS:
        return None
    weights = {kind.name: kind.weight for kind in mixture_kinds(config)}
    unknown = [name for name, weight in weights.items() if weight is None]
    if len(unknown) == len(weights):
        return None
    total = sum(weight for weight in weights.values() if weight is not None)
    return {name: weight / total for name, weight in weights.items() if weight is not None}


def mixture_kinds(config: SourceConfig) -> tuple[KindConfig, ...]:
    """The kinds of a mixture that are there, with weight and curation settled; those of weight 0 are left out.

    Raises ValueError for a kind without text, for kinds of which only some have a weight, and where no kind is left.
    """
    kinds = tuple(kind for kind in KINDS[config.name](config) if kind.weight != 0)
    if not kinds:
        raise ValueError(
            f"source {config.name} has no kind of text; give data.source.kinds paths or a hub, and weights"
        )
    if empty := [kind.name for kind in kinds if not kind.paths and kind.hub is None]:
        raise ValueError(f"no paths and no hub in data.source.kinds for {', '.join(empty)}")
    weighed = [kind.name for kind in kinds if kind.weight is not None]
    if 0 < len(weighed) < len(kinds):
        raise ValueError(
            f"only {', '.join(weighed)} of the kinds {', '.join(kind.name for kind in kinds)} have a weight in "
            "data.source.kinds; give all of them one, or none; 0 leaves a kind out"
        )
    return kinds


def _named(config: SourceConfig) -> tuple[KindConfig, ...]:
    return config.kinds


def _glams(config: SourceConfig) -> tuple[KindConfig, ...]:
    if unknown := [kind.name for kind in config.kinds if kind.name not in GLAM_KINDS]:
        raise ValueError(
            f"{', '.join(unknown)} in data.source.kinds is none of GLaM's kinds ({', '.join(GLAM_KINDS)}); the source "
            "mixture takes any"
        )
    return tuple(_settled(kind) for kind in config.kinds if kind.paths or kind.hub)


def _in_folder(config: SourceConfig) -> tuple[KindConfig, ...]:
    if len(config.paths) != 1 or not (folder := Path(config.paths[0]).expanduser()).is_dir():
        raise ValueError(f"source local_mixture needs one folder in data.source.paths, not {list(config.paths)}")
    said = {kind.name: kind for kind in config.kinds}
    files: dict[str, list[str]] = {name: [] for name in said}
    for path in sorted(folder.iterdir()):
        if local_files.is_readable(path) and local_files.file_kind(path) in RECORDS:
            stem = path.name.split(".")[0]
            name = stem if stem in said else FIRST_WORDS.get(re.split("[-_ ]", stem)[0], stem)
            files.setdefault(name, []).append(glob.escape(str(path)))
    if missing := [name for name, paths in files.items() if not paths]:
        raise ValueError(f"no file of {', '.join(missing)} in {folder}, though data.source.kinds names it")
    found = tuple(
        _settled(replace(said.get(name) or KindConfig(name=name), paths=tuple(files[name]))) for name in sorted(files)
    )
    if unknown := [kind.name for kind in found if kind.weight is None]:
        raise ValueError(
            f"GLaM has no weight for {', '.join(unknown)} in {folder}; give each one in data.source.kinds, as in "
            f"{{name: {unknown[0]}, weight: 0.02}}, or weight 0 to leave it out"
        )
    return found


KINDS: dict[str, Callable[[SourceConfig], tuple[KindConfig, ...]]] = {
    "mixture": _named,
    "glam_mixture": _glams,
    "local_mixture": _in_folder,
}
"""Which kinds a mixture has, by the name of the source."""


def _settled(kind: KindConfig) -> KindConfig:
    """With GLaM's weight and curation where the config has none."""
    published = GLAM_KINDS.get(kind.name)
    if published is None:
        return kind
    return replace(
        kind,
        weight=published.weight if kind.weight is None else kind.weight,
        curated=published.curated if kind.curated is None else kind.curated,
    )


AnswerT = TypeVar("AnswerT")


def _ask(
    kind: KindConfig, of_hub: Callable[[SourceConfig], AnswerT], of_files: Callable[[SourceConfig], AnswerT]
) -> AnswerT:
    """Asks the source of one kind's text."""
    name, ask = ("hub", of_hub) if kind.hub else ("local_files", of_files)
    try:
        return ask(SourceConfig(name=name, paths=kind.paths, hub=kind.hub, max_megabytes=kind.max_megabytes))
    except ValueError as error:
        raise ValueError(f"kind {kind.name}: {error}") from error


def _of_kind(kind: KindConfig, unit: Unit) -> Unit:
    """The unit under its kind's name, so that the same file in two kinds stays two."""
    parts = []
    for part in unit.parts:
        label = {"source": kind.name, "curated": bool(kind.curated)}
        if isinstance(part, SourceFile):
            label["name"] = f"{kind.name}/{part.name}"
        parts.append(changed(part, **label))
    return Unit(f"{kind.name}/{unit.name}", unit.size_bytes, tuple(parts))
