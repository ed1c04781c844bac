"""The fastest way to lay a run out on a cluster, among those that fit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from glam.config import ModelConfig, TrainConfig
from glam.counting import Counts, count
from glam.plan.clusters import Cluster
from glam.plan.job import Job
from glam.plan.layout import Layout, layouts, rows_of_replica, why_not_runnable
from glam.plan.memory import Memory, memory
from glam.plan.step_time import StepTime, step_time
from glam.plan.weights import weigh


@dataclass(frozen=True)
class Choice:
    """A job that fits, with what it takes."""

    job: Job
    memory: Memory
    time: StepTime


@dataclass(frozen=True)
class Wish:
    """What is to be laid out, and what of the layout is fixed; None: to be chosen."""

    model: ModelConfig
    train: TrainConfig
    cluster: Cluster
    layout: Layout | None = None
    micro_rows: int | None = None
    recompute: bool | None = None

    @property
    def counts(self) -> Counts:
        return count(self.model)

    def layouts(self) -> Iterable[Layout]:
        """That may be tried; matrices are cut inside a node only."""
        if self.layout is not None:
            return (self.layout,)
        cluster, rows = self.cluster, self.train.global_batch_size
        return layouts(self.model, cluster.num_devices, rows, most_tensor=cluster.node.num_devices)


def jobs(wish: Wish) -> Iterator[tuple[Job, Memory]]:
    """Every layout with and without recomputation, each with the most rows at a time that fit, or with one row."""
    weights = weigh(wish.model)
    for layout in wish.layouts():
        for recompute in (False, True) if wish.recompute is None else (wish.recompute,):
            job = Job(wish.model, wish.train, wish.cluster, layout, wish.micro_rows or 1, recompute, weights)
            held = memory(job)
            if wish.micro_rows is None and held.fits:
                if layout.pipeline > 1:  # whose bubble is least with the smallest micro-batches
                    yield job, held
                job, held = _most_rows(job, held)
            yield job, held
            if held.fits and job.num_micro_batches == 1:
                break  # computing anything again would only take longer


def fastest(wish: Wish) -> tuple[Choice | None, Choice | None]:
    """(of the layouts that `glam train` runs, of the others); None: none of them fits."""
    best: dict[bool, Choice] = {}
    counts = wish.counts
    for job, held in jobs(wish):
        if held.fits:
            time = step_time(job, counts)
            runs = why_not_runnable(job.layout, wish.model) is None
            if runs not in best or time.seconds < best[runs].time.seconds:
                best[runs] = Choice(job, held, time)
    return best.get(True), best.get(False)


def least(wish: Wish) -> tuple[Job, Memory] | None:
    """The job that lacks least memory; None where the batch or the model allows no layout at all."""
    return min(jobs(wish), key=lambda each: each[1].missing, default=None)


def _most_rows(job: Job, held: Memory) -> tuple[Job, Memory]:
    """With all rows of a replica, or the largest power of two of them that fits."""
    most = rows_of_replica(job.layout, job.train.global_batch_size)
    whole = replace(job, micro_rows=most)
    needed = memory(whole)
    if needed.fits:
        return whole, needed
    rows = 2
    while rows < most:
        larger = replace(job, micro_rows=rows)
        needed = memory(larger)
        if not needed.fits:
            break
        job, held, rows = larger, needed, 2 * rows
    return job, held
