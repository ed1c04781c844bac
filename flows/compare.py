"""Compare: the verdict of a study, from its complete runs and scores."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.artifacts import show_verdict
from flows.context import Context
from glam.analysis.evidence import read_run
from glam.analysis.judge import judge
from glam.analysis.report import render_report
from glam.analysis.verdict import Verdict
from glam.lineage import StudyStages
from glam.store import Folder, Store
from glam.study import Study

VERDICT, REPORT = "verdict.json", "report.html"


@task(name="compare", cache_policy=NO_CACHE)
def compare(study: Study, stages: StudyStages, context: Context) -> None:
    """Writes the verdict's folder and shows it."""
    allowed = context.options.allow_different_numerics
    verdict = read_verdict(judge_study(study, stages, context.store, allow_different_numerics=allowed))
    show_verdict(verdict)
    context.log(verdict.sentence)


def judge_study(study: Study, stages: StudyStages, store: Store, *, allow_different_numerics: bool = False) -> Folder:
    """The complete verdict folder. Raises ValueError where the arms were not computed alike."""
    with store.claim(**stages.verdict.reference.model_dump()) as folder:
        if not folder.complete:
            evidence = {}
            for run in stages.runs:
                scores = [score.stage.reference for score in stages.scores if score.subject is run]
                evidence[run.arm, run.seed] = read_run(
                    store.open("runs", run.stage.reference.fingerprint),
                    [store.open("scores", score.fingerprint) for score in scores],
                )
            data = store.open("corpora", stages.data[0].selected.reference.fingerprint).read_json("report.json")
            verdict = judge(study, evidence, data=data, allow_different_numerics=allow_different_numerics)
            folder.write_text(VERDICT, verdict.model_dump_json(indent=1) + "\n")
            folder.write_text(REPORT, render_report(verdict))
            stages.verdict.commit(folder)
    return folder


def read_verdict(folder: Folder) -> Verdict:
    """The verdict of a complete folder."""
    return Verdict.model_validate(folder.read_json(VERDICT))
