"""Register: every checkpoint becomes a version of the study's model in MLflow; an alias names each arm's best."""

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.context import Context
from flows.train import summary_of, track_complete
from glam.lineage import RunStage


@task(name="register", cache_policy=NO_CACHE)
def register(model_name: str, runs: Sequence[RunStage], context: Context) -> None:
    """One version a run, found again by its manifest; `@arm` is the arm's seed with the lowest held-out loss."""
    folders = [context.store.open("runs", run.stage.reference.fingerprint) for run in runs]
    losses = [summary_of(folder).heldout_loss for folder in folders]
    for arm in dict.fromkeys(run.arm for run in runs):
        of_arm = [index for index, run in enumerate(runs) if run.arm == arm]
        best = min(of_arm, key=lambda index: float("inf") if (loss := losses[index]) is None else loss)
        for index in of_arm:
            run, folder = runs[index], folders[index]
            version = context.tracker.register(
                track_complete(run, folder, context),
                model_name=model_name,
                reference=folder.reference,
                manifest_hash=folder.manifest_hash(),
                tags={"arm": arm, "seed": str(run.seed)},
                alias=arm if index == best else None,
            )
            mark = f" @{arm}" if index == best else ""
            context.log(f"{model_name} version {version}: {arm} seed {run.seed}{mark}")
