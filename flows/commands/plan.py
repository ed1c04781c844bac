"""`glam plan`: what a run would take that has not happened, or why it cannot be done there. Needs no torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import replace as with_
from typing import Annotated

import typer

from flows.commands.options import AsJson, Settings, StorePath, open_store, print_json
from flows.commands.plan_tables import print_arms, print_held_against, print_plan
from flows.commands.stages import print_stages, stage_rows
from glam.config import DataConfig, Experiment, ModelConfig, RunOptions, TokenizerConfig, TrainConfig, replace
from glam.energy.grid import GRIDS, grid_intensity
from glam.lineage import StudyStages, study_stages
from glam.plan.clusters import CLUSTERS, Cluster, cluster_of, find_cluster
from glam.plan.devices import DEVICES
from glam.plan.held_against import rows as held_against
from glam.plan.layout import parse_layout
from glam.plan.machine import this_machine
from glam.plan.plan import Plan, make_plan
from glam.recipes import RECIPES
from glam.recipes import recipe as find_recipe
from glam.store import Store
from glam.study import Study, override
from glam.variants import VARIANTS

BATCH_TOKENS = 1 << 20
"""Of variants; GLaM's largest models saw up to so many at once (section 5.1)."""
CPU = "cpu"


@dataclass(frozen=True)
class ArmPlan:
    """An arm of a study: one run planned, and how many there are."""

    plan: Plan
    num_runs: int
    """One a seed."""
    num_to_run: int
    """Those that are not in the store."""


@dataclass(frozen=True)
class _Asked:
    """Options that hold for every arm."""

    cluster: Cluster
    tokens: float | None
    batch_tokens: float | None
    layout: str | None
    micro_batch_size: int | None
    recompute: bool | None

    def plan(self, model: ModelConfig, train: TrainConfig) -> Plan:
        """With the batch and the steps of `train` where no other are asked for."""
        if self.batch_tokens is not None:
            train = replace(train, global_batch_size=max(1, round(self.batch_tokens / model.sequence_length)))
        tokens = self.tokens
        if tokens is None:
            tokens = float(train.num_steps * train.global_batch_size * model.sequence_length)
        return make_plan(
            model,
            train,
            tokens,
            self.cluster,
            None if self.layout is None else parse_layout(self.layout),
            micro_batch_rows=self.micro_batch_size,
            recompute=self.recompute,
        )


def add_to(app: typer.Typer) -> None:
    """Puts this command on the command line."""
    app.command()(plan)


def plan(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE|VARIANT", help="`glam recipes` and `glam counts` list them.", show_default=False
        ),
    ] = None,
    cluster: Annotated[str | None, typer.Option(metavar="NAME", help=f"One of: {', '.join(CLUSTERS)}.")] = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"Instead of a cluster, one of: {CPU}, {', '.join(DEVICES)}.")
    ] = None,
    num_devices: Annotated[int | None, typer.Option(min=1, help="How many; default the cluster's, or 1.")] = None,
    tokens: Annotated[float | None, typer.Option(min=1, help="To train on, as 600e9; a recipe has its own.")] = None,
    batch_tokens: Annotated[
        float | None, typer.Option(min=1, help=f"In a step; default a recipe's own, else {BATCH_TOKENS:,}.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(metavar="AXIS=N,...", help="data, sharded, expert, tensor, pipeline. Default: the fastest."),
    ] = None,
    micro_batch_size: Annotated[
        int | None, typer.Option(min=1, help="Rows at a time; default as many as fit.", show_default=False)
    ] = None,
    recompute: Annotated[
        bool | None,
        typer.Option("--recompute/--keep-activations", help="Default: where it is needed.", show_default=False),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32, float64, bfloat16. Default: a recipe's own, else bfloat16.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help=f"Of {CPU}.")] = RunOptions().threads_per_worker,
    pue: Annotated[
        float | None, typer.Option(min=1, help="Power usage effectiveness of the site; default the cluster's.")
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(metavar="REGION", help=f"Whose electricity; default the cluster's. One of: {', '.join(GRIDS)}."),
    ] = None,
    price: Annotated[float | None, typer.Option(min=0, help="Of a device for an hour, in any currency.")] = None,
    published: Annotated[bool, typer.Option("--published", help="Plans beside what published runs took.")] = False,
    settings: Settings = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """What a run would take: memory, time, energy, emissions. For a recipe also which steps are done already."""
    if published:
        if what is not None:
            raise ValueError(f"--published is about published runs, not {what!r}; leave one of them away")
        _show_published(as_json)
        return
    if what is None or what not in (*RECIPES, *VARIANTS):
        raise ValueError(
            f"{'name what to plan' if what is None else f'unknown recipe or variant {what!r}'}; "
            f"recipes: {', '.join(RECIPES)}; variants: {', '.join(VARIANTS)}"
        )
    changes = [*(settings or []), *([] if precision is None else [f"train.precision={precision}"])]
    study = override(find_recipe(what) if what in RECIPES else _alone(what), changes)
    place = _cluster(cluster, device, num_devices, threads, default=CPU if what in RECIPES else None)
    place = _at_site(place, pue, grid, price)
    asked = _Asked(place, tokens, batch_tokens, layout, micro_batch_size, recompute)
    if what in RECIPES:
        _show_recipe(study, asked, open_store(store), as_json)
        return
    if tokens is None:
        raise ValueError(f"a plan for {what!r} needs --tokens, such as --tokens 600e9")
    (arm,) = study.arms.values()
    made = asked.plan(arm.model, arm.train)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        print_plan(made)


def _alone(name: str) -> Study:
    """A variant as the one arm of a study, so that `--set` means what it means elsewhere."""
    model = VARIANTS[name]
    data = DataConfig(
        tokenizer=TokenizerConfig(kind="bpe", vocab_size=model.vocab_size), sequence_length=model.sequence_length
    )
    batch = max(1, round(BATCH_TOKENS / model.sequence_length))
    train = TrainConfig(num_steps=1, global_batch_size=batch, precision="bfloat16")
    return Study(name=name, arms={name: Experiment(data=data, model=model, train=train)}, seeds=(0,))


def _cluster(
    name: str | None, device: str | None, num_devices: int | None, threads: int, *, default: str | None
) -> Cluster:
    if name is not None and device is not None:
        raise ValueError(f"--cluster {name} and --device {device} are two places; leave one away")
    if name is not None:
        found = find_cluster(name)
        return found if num_devices is None else found.of(num_devices)
    if device is None:
        device = default
    if device is None:
        raise ValueError(f"name a place: --cluster {'|'.join(CLUSTERS)}, or --device {CPU}|{'|'.join(DEVICES)}")
    if device != CPU:
        return cluster_of(device, num_devices or 1)
    if num_devices not in (None, 1):
        raise ValueError(f"--device {CPU} is this machine: one device, not {num_devices}")
    return this_machine(threads)


def _at_site(place: Cluster, pue: float | None, grid: str | None, price: float | None) -> Cluster:
    """The same machines where what was given holds."""
    if pue is not None:
        place = with_(place, pue=pue)
    if grid is not None:
        found = grid_intensity(grid)
        source = f"{found.region} {found.year}, {found.source}"
        place = with_(place, grid_tonnes_per_mwh=found.tonnes_per_mwh, grid_source=source)
    return place if price is None else with_(place, price_per_device_hour=price)


def _show_recipe(study: Study, asked: _Asked, store: Store, as_json: bool) -> None:
    stages = study_stages(study)
    rows = stage_rows(stages, store)
    arms = _arms(study, stages, asked, store)
    if as_json:
        print_json(
            {
                "stages": rows,
                "arms": {
                    name: {
                        "num_runs": arm.num_runs,
                        "num_to_run": arm.num_to_run,
                        "plan": arm.plan.model_dump(mode="json"),
                    }
                    for name, arm in arms.items()
                },
            }
        )
        return
    print_stages(rows)
    print_arms({name: (arm.plan, arm.num_runs, arm.num_to_run) for name, arm in arms.items()})


def _arms(study: Study, stages: StudyStages, asked: _Asked, store: Store) -> Mapping[str, ArmPlan]:
    missing = [run.arm for run in stages.runs if run.stage.find(store) is None]
    return {
        name: ArmPlan(asked.plan(arm.model, arm.train), len(study.seeds_of(name)), missing.count(name))
        for name, arm in study.arms.items()
    }


def _show_published(as_json: bool) -> None:
    rows = held_against()
    if as_json:
        print_json([{**asdict(row), "deviation": row.deviation, "within": row.within} for row in rows])
    else:
        print_held_against(rows)
