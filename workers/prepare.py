"""Prepare on Ray: every stage of a DataConfig that is not complete yet, in order. Ray and nothing about text."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayTaskError

from glam.config import DataConfig
from glam.data import stages as library
from glam.data.sources import plan_shards
from glam.energy.account import UNKNOWN, between
from glam.energy.entries import total_use, use
from glam.energy.meter import Meter, open_meter
from glam.lineage import DataStages, Stage, data_stages
from glam.records import EnergyUse
from glam.store import Folder, Store
from workers.nodes import on_one_node
from workers.signals import wait

ENERGY, ENERGY_PARTS = "energy.json", "energy_parts.jsonl"
"""What making a folder used, and the calls of which that is the sum. The same folder made again has others."""
HEARTBEAT_SECONDS = 10.0
Call = tuple[Any, ...]
"""A plain function and its arguments: configs and folders, never text."""


def prepare(
    config: DataConfig, store_root: str, *, only: Sequence[Stage] | None = None, log: Callable[[str], None] = print
) -> DataStages:
    """The complete folders of `config`, made where they are missing (`only` those); says through `log` what it does.

    The caller has initialised Ray, unless every folder is complete. Finished shards of an interrupted
    stage are kept. Raises what a stage raises: ValueError for text or settings that leave nothing.
    """
    if config.judged_as is not None:
        prepare(config.judged_as, store_root, only=only, log=log)
    store = Store(store_root)
    stages = data_stages(config)
    meter = open_meter()
    for stage, make in stage_calls(config, stages):
        if only is not None and stage not in only:
            continue
        if stage.find(store):
            log(f"{stage.reference}: there already")
            continue
        with store.claim(**stage.reference.model_dump()) as folder:
            if not folder.complete:
                reads = {read.fingerprint: store.open(read.kind, read.fingerprint) for read in stage.reads}
                log(f"{stage.reference}: started")
                for calls in make(reads, folder):
                    _run(calls, folder, meter)
                used = total_use(folder.read(ENERGY_PARTS, EnergyUse))
                folder.write_text(ENERGY, used.model_dump_json(indent=1) + "\n")
                stage.commit(folder)
                log(f"{stage.reference}: complete")
    return stages


Make = Callable[[Mapping[str, Folder], Folder], Iterator[Iterable[Call]]]
"""Calls of a stage in rounds: those of one round share nothing and run in any order."""


def stage_calls(config: DataConfig, stages: DataStages) -> Iterator[tuple[Stage, Make]]:
    """Each stage with what makes its calls, from the folders that it reads and the one that it fills."""
    num_shards = config.source.num_shards
    extracted, classifier, selected, tokenizer = (
        stage.reference.fingerprint
        for stage in (stages.extracted, stages.classifier, stages.selected, stages.tokenizer)
    )

    def extract(_: Mapping[str, Folder], folder: Folder) -> Iterator[Iterable[Call]]:
        shards = plan_shards(config.source)
        yield [(library.extract_shard, config.filters, shard, units, folder) for shard, units in enumerate(shards)]
        yield [(library.finish_extraction, config, sum(map(len, shards)), folder)]

    def classify(reads: Mapping[str, Folder], folder: Folder) -> Iterator[Iterable[Call]]:
        yield [(library.make_classifier, config, reads[extracted], folder)]

    def select(reads: Mapping[str, Folder], folder: Folder) -> Iterator[Iterable[Call]]:
        shards, texts = range(num_shards), reads[extracted]
        judged = reads[stages.judged_as.selected.reference.fingerprint] if stages.judged_as is not None else None
        guests = [(library.measure_guests, config, judged, folder)] if judged is not None else []
        yield [*((library.measure_shard, config, shard, texts, reads[classifier], folder) for shard in shards), *guests]
        yield [(library.match_partition, config, partition, folder) for partition in shards]
        yield [(library.decide, config, texts, judged, folder), (library.index_benchmarks, config, folder)]
        yield [(library.carry_out, config, shard, texts, folder) for shard in shards]
        yield [(library.index_judged_text, config, judged, folder)]
        yield [(library.search_shard, config, shard, folder) for shard in shards]
        yield [(library.finish_selection, config, texts, reads[classifier], judged, folder)]

    def tokenize(reads: Mapping[str, Folder], folder: Folder) -> Iterator[Iterable[Call]]:
        yield [(library.make_tokenizer, config, reads[selected], folder)]

    def hold_out(reads: Mapping[str, Folder], folder: Folder) -> Iterator[Iterable[Call]]:
        yield [(library.make_heldout, config, reads[selected], reads[tokenizer], folder)]

    def pack(reads: Mapping[str, Folder], folder: Folder) -> Iterator[Iterable[Call]]:
        inputs = (reads[selected], reads[tokenizer], folder)
        yield [(library.encode_documents, shard, *inputs) for shard in range(num_shards)]
        yield [(library.pack_rows, config, reads[tokenizer], folder)]

    yield from zip(stages, (extract, classify, select, tokenize, hold_out, pack), strict=True)


@ray.remote(num_cpus=1)
def _call(meter_name: str, function: Callable[..., object], *arguments: Any) -> EnergyUse:
    meter = open_meter(meter_name)
    before = meter.read()
    function(*arguments)
    after = meter.read()
    return use(between(before, after), after.at_seconds - before.at_seconds, meter.covers)


def _run(calls: Iterable[Call], folder: Folder, meter: Meter) -> None:
    """Runs one round, as many calls at once as there are processors, and keeps the folder's heartbeat going.

    What it used is written down as calls end: by each call where the meter is one of a process, else by this node's.
    """
    if not ray.is_initialized():
        raise RuntimeError(
            f"{folder.reference} is to be made and Ray is not initialised; call ray.init() before prepare()"
        )
    waiting = list(calls)[::-1]
    most_at_once = max(1, int(ray.cluster_resources().get("CPU", 1)))
    running: list[ray.ObjectRef] = []
    meter_of_calls = meter.method if meter.per_process else "none"
    before = meter.read()
    while waiting or running:
        while waiting and len(running) < most_at_once:
            running.append(_call.remote(meter_of_calls, *waiting.pop()))
        done, running = wait(running, timeout_seconds=HEARTBEAT_SECONDS)
        folder.heartbeat()
        try:
            used: list[EnergyUse] = ray.get(done)
        except RayTaskError as error:
            for each in running:
                ray.cancel(each)
            raise error.cause from error  # the library's own words, not Ray's wrapping of them
        if not meter.per_process:
            after = meter.read()
            window = between(before, after) if on_one_node() else UNKNOWN
            used = [use(window, after.at_seconds - before.at_seconds, meter.covers)]
            before = after
        folder.append(ENERGY_PARTS, used)
