"""The end of a run, whoever drove it: its vocabulary, its summary, and the manifest that makes it complete."""

from glam.config import RunOptions
from glam.counting import count
from glam.data.tokenizer import FILE as TOKENIZER_FILE
from glam.energy.account import weakest_method
from glam.lineage import RunStage
from glam.records import HeldoutPoint, RunSummary, StepMetrics
from glam.store import Folder, Store
from glam.training import checkpoint
from glam.training.loop import HELDOUT, STEPS
from glam.training.position import end_of
from workers.begin import PLAN
from workers.numerics import numerics


def finish(run: RunStage, store: Store, folder: Folder, options: RunOptions) -> None:
    """Completes the claimed folder of a run whose training has come to its end."""
    tokenizer = store.open("tokenizers", run.prepared.tokenizer.reference.fingerprint)
    folder.write_text(TOKENIZER_FILE, (tokenizer.path / TOKENIZER_FILE).read_text("utf-8"))
    folder.write_text("summary.json", _summary(run, folder, options).model_dump_json(indent=1) + "\n")
    folder.remove(PLAN)  # the manifest has it
    checkpoint.discard(folder, options, run.experiment.model, run.experiment.train)
    run.stage.commit(
        folder,
        numerics=numerics(
            num_workers=_worker_counts(folder),
            layout=options.layout,
            expert_parallel=options.expert_parallel,
            threads_per_worker=options.threads_per_worker,
            micro_batch_size=options.micro_batch_size,
            **({"use_gpu": True} if options.use_gpu else {}),
            **({"origin": _origin_numerics(run, store)} if run.origin is not None else {}),
        ),
        detours=end_of(folder).detours,
    )


def _summary(run: RunStage, folder: Folder, options: RunOptions) -> RunSummary:
    experiment = run.experiment
    counts = count(experiment.model)
    totals = end_of(folder)
    steps, points = folder.read(STEPS, StepMetrics), folder.read(HELDOUT, HeldoutPoint)
    return RunSummary(
        arm=run.arm,
        seed=run.seed,
        run_fingerprint=folder.reference.fingerprint,
        total_params=counts.total_params,
        active_params=counts.active_params,
        flops_per_token=counts.training_flops_per_token,
        tokens=steps[-1].tokens,
        train_loss=steps[-1].loss,
        heldout_loss=points[-1].loss,
        elapsed_seconds=totals.elapsed_seconds,
        tokens_per_second=steps[-1].tokens / totals.elapsed_seconds,
        energy_joules=totals.energy_joules,
        energy_low_joules=totals.energy_low_joules,
        energy_high_joules=totals.energy_high_joules,
        energy_method=weakest_method(each.energy_method for each in steps),
        idle_watts=totals.idle_watts,
        skipped_steps=totals.skipped_steps,
        detours=totals.detours,
        stream_hash=totals.stream_hash,
        num_workers=options.num_workers,
        worker_counts=totals.worker_counts,
        threads_per_worker=options.threads_per_worker,
    )


def _origin_numerics(run: RunStage, store: Store) -> dict[str, object]:
    """Of the run that it goes on from: they decide its last bits too."""
    assert run.origin is not None, "who asks has looked"
    return dict(store.open("runs", run.origin.stage.reference.fingerprint).manifest().numerics or {})


def _worker_counts(folder: Folder) -> int | list[int]:
    """That computed the run; a list where workers were lost or added on the way."""
    counts = end_of(folder).worker_counts
    return counts[0] if len(counts) == 1 else list(counts)
