"""What is complete of a study in the store, brought into MLflow: at the end of a run, and when it was not there then.

One run for the study; below it one for each preparation, each training run and the evaluation; a version of the
study's model for each training run. What MLflow has fully is left alone, so a second call brings nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from glam.analysis.chart_files import chart_files
from glam.analysis.model_card import CardFacts, model_card
from glam.analysis.verdict import Verdict
from glam.lineage import DataStages, RunStage, StudyStages
from glam.records import EvalResult, RunSummary
from glam.store import Folder, Store
from glam.study import Study
from workers.registry import MAX_CHARACTERS, aliases, register
from workers.studies import title
from workers.tracked_stages import (
    CONFIG,
    MANIFEST,
    SELECTION,
    as_json,
    commits,
    mark,
    run_tags,
    tell_evaluated,
    tell_prepared,
    tell_trained,
    text,
)
from workers.tracking import COMPLETE_TAG, TrackedRun, Tracker

SUMMARY, RESULT, VERDICT, REPORT = "summary.json", "result.json", "verdict.json", "report.html"


def sync(study: Study, stages: StudyStages, store: Store, tracker: Tracker) -> list[str]:
    """Names of what MLflow did not have and has now. Raises what MLflow raises where it does not answer."""
    with store.lock("mlflow-sync"):
        folders = [folder for stage in stages if (folder := stage.find(store)) is not None]
        there, fingerprint = tracker.complete(), stages.verdict.reference.fingerprint
        if not folders or there.get(fingerprint) == mark(folders):
            return []
        parent = tracker.start_run(
            title(study, stages),
            fingerprint=fingerprint,
            params=study.model_dump(mode="json", exclude={"arms"}),
            started=min(folder.manifest().started for folder in folders),
        )
        return _Sync(study, stages, store, tracker, parent, there).bring(folders)


class _Sync:
    """One call of `sync` that has something to bring."""

    def __init__(
        self,
        study: Study,
        stages: StudyStages,
        store: Store,
        tracker: Tracker,
        parent: TrackedRun,
        there: Mapping[str, str],
    ):
        self._study, self._stages, self._store, self._tracker = study, stages, store, tracker
        self._parent, self._there = parent, there
        self._brought: list[str] = []
        self._judged = stages.verdict.find(store)
        self._verdict = None if self._judged is None else Verdict.model_validate(self._judged.read_json(VERDICT))
        self._scores = [
            (score, folder, EvalResult.model_validate(folder.read_json(RESULT)))
            for score in stages.scores
            if (folder := score.stage.find(store)) is not None
        ]

    def bring(self, folders: Sequence[Folder]) -> list[str]:
        for data in self._stages.data:
            self._bring_prepared(data)
        runs = {each.stage.reference.fingerprint: each for run in self._stages.runs for each in run}
        found = [(run, folder) for run in runs.values() if (folder := run.stage.find(self._store)) is not None]
        tracked = {run.stage.reference.fingerprint: self._bring_trained(run, folder) for run, folder in found}
        if self._scores:
            self._child(
                "evaluate",
                f"{self._stages.verdict.reference.fingerprint}-evaluate",
                [folder for _, folder, _ in self._scores],
                lambda run: tell_evaluated(run, self._scores, tracked),
                params=self._scores[0][0].judged.model_dump(mode="json"),
            )
        final = [(run, folder) for run, folder in found if run in self._stages.runs]
        summaries = [RunSummary.model_validate(folder.read_json(SUMMARY)) for _, folder in final]
        for (run, folder), summary, names in zip(final, summaries, aliases(summaries), strict=True):
            self._register(run, folder, summary, names, tracked[run.stage.reference.fingerprint])
        self._finish(folders)
        return [*self._brought, title(self._study, self._stages)]

    def _bring_prepared(self, data: DataStages) -> None:
        folders = [folder for stage in data if (folder := stage.find(self._store)) is not None]
        if len(folders) == len(list(data)):
            shards = data.shards.reference
            self._child(
                f"prepare-{shards.label}",
                shards.fingerprint,
                folders,
                lambda run: tell_prepared(run, data, self._store),
                params=data.config.model_dump(mode="json"),
            )

    def _bring_trained(self, run: RunStage, folder: Folder) -> TrackedRun:
        return self._child(
            run.stage.reference.label,
            run.stage.reference.fingerprint,
            [folder],
            lambda tracked: tell_trained(tracked, run, folder),
            params=run.experiment.model_dump(mode="json"),
            num_steps=run.experiment.train.num_steps,
            tags=run_tags(run),
        )

    def _child(
        self,
        name: str,
        fingerprint: str,
        folders: Sequence[Folder],
        tell: Callable[[TrackedRun], None],
        *,
        params: Mapping[str, Any],
        num_steps: int = 1,
        tags: Mapping[str, str] | None = None,
    ) -> TrackedRun:
        """The run that stands for these folders, told all of them unless MLflow has it fully."""
        manifests = [folder.manifest() for folder in folders]
        run = self._tracker.start_run(
            name,
            fingerprint=fingerprint,
            num_steps=num_steps,
            parent=self._parent,
            params=params,
            tags=tags,
            started=min(manifest.started for manifest in manifests),
        )
        if self._there.get(fingerprint) != mark(folders):
            tell(run)
            run.set_tags({COMPLETE_TAG: mark(folders), "commit": commits(folders)})
            self._brought.append(name)
        run.finish(ended=max(manifest.ended for manifest in manifests))
        return run

    def _register(
        self, run: RunStage, folder: Folder, summary: RunSummary, names: Sequence[str], tracked: TrackedRun
    ) -> None:
        selected, model_name = run.prepared.selected.find(self._store), f"glam-{self._study.name}"
        facts = CardFacts(
            study=self._study.name,
            experiment=run.experiment,
            summary=summary,
            data_report=None if selected is None else selected.read_json(SELECTION),
            scores=[result for score, _, result in self._scores if score.subject == run],
            verdict=self._verdict,
        )
        verdict = {} if self._verdict is None else {"verdict": self._verdict.sentence}
        version, is_new = register(
            self._tracker,
            tracked,
            folder,
            model_name=model_name,
            store_root=self._store.root,
            tags={**run_tags(run), **verdict, "commit": commits([folder])},
            card=model_card(facts, max_characters=MAX_CHARACTERS),
            aliases=names,
            loss=summary.heldout_loss,
        )
        tracked.log_files({"card.md": model_card(facts)})
        if is_new:
            self._brought.append(" ".join([f"{model_name} version {version}", *(f"@{name}" for name in names)]))

    def _finish(self, folders: Sequence[Folder]) -> None:
        files = {CONFIG: as_json(self._study.model_dump(mode="json"))}
        tags = {"data": ", ".join(data.shards.reference.fingerprint for data in self._stages.data)}
        if self._judged is not None and self._verdict is not None:
            files |= {name: text(self._judged, name) for name in (VERDICT, REPORT, MANIFEST)}
            files |= {f"charts/{name}": chart for name, chart in chart_files(self._verdict).items()}
            tags |= {"verdict": self._verdict.sentence, "report": str(self._judged.path / REPORT)}
        parent = self._parent
        parent.log_files(files)
        parent.set_tags({**tags, "commit": commits(folders), COMPLETE_TAG: mark(folders)})
        if self._judged is not None or parent.status_before is None:
            parent.finish(ended=max(folder.manifest().ended for folder in folders))
        else:
            parent.leave()
