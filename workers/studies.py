"""Which studies were run over a store: what MLflow is told about, also when it was not there at the time."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from glam.lineage import StudyStages, study_stages
from glam.recipes import RECIPES
from glam.store import Store
from glam.store.errors import writing
from glam.study import Study
from infra.places import mlflow_artifacts

MARK_CHARACTERS = 8


def remember(study: Study, stages: StudyStages, store: Store) -> None:
    """Notes that a study is run over this store."""
    path = _place(store) / f"{stages.verdict.reference.fingerprint}.json"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(study.model_dump_json(indent=1) + "\n", "utf-8")
        os.replace(partial, path)


def title(study: Study, stages: StudyStages) -> str:
    """What a run of a study is called: its name and the beginning of what determines its verdict."""
    return f"{study.name}-{stages.verdict.reference.fingerprint[:MARK_CHARACTERS]}"


def remembered(store: Store, name: str | None = None) -> Iterator[tuple[Study, StudyStages]]:
    """Every study that was noted, and the recipes as they are for a store from before that; `name` alone if given.

    Raises ValueError for a note that is not ours.
    """
    studies = [_read(path) for path in sorted(_place(store).glob("*.json"))]
    studies += [make() for make in RECIPES.values()]
    seen: set[str] = set()
    for study in studies:
        if name is not None and study.name != name:
            continue
        with suppress(ValueError):  # its files of text or benchmarks are no longer where they were
            stages = study_stages(study)
            if (mark := stages.verdict.reference.fingerprint) not in seen:
                seen.add(mark)
                yield study, stages


def _place(store: Store) -> Path:
    return mlflow_artifacts(store.root).with_name("studies")


def _read(path: Path) -> Study:
    try:
        return Study.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not the note of a study: remove it and try again ({error})") from error
