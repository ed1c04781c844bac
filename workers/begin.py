"""The beginning of a run, whoever drives it: what is known of it already, until its manifest says it."""

from glam.counting import count
from glam.lineage import RunStage
from glam.records import RunPlan
from glam.store import Folder

PLAN = "plan.json"


def begin(run: RunStage, folder: Folder) -> None:
    """Notes in the claimed folder of a run what it is to be."""
    plan = RunPlan(
        config=dict(run.stage.config),
        reads=tuple(str(read) for read in run.stage.reads),
        flops_per_token=count(run.experiment.model).training_flops_per_token,
    )
    folder.write_text(PLAN, plan.model_dump_json() + "\n")
