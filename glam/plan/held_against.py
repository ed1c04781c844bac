"""Plans held against training runs whose cost was published (`glam.published`).

An *identity* is the published arithmetic done again: chips x hours x watts x PUE. A *prediction* comes of the plan
alone. One tolerance holds for all predictions and nothing is fitted: a row that misses it says what is not public.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from glam.config import ModelConfig, TrainConfig
from glam.counting import count
from glam.energy.account import co2e_kilograms, megawatt_hours
from glam.plan.clusters import CLUSTERS, Cluster
from glam.plan.job import Job
from glam.plan.layout import Layout
from glam.plan.plan import Plan, make_plan
from glam.plan.step_time import StepTime, step_time
from glam.plan.weights import weigh
from glam.published import PUBLISHED_COSTS, PublishedCost
from glam.variants import VARIANTS

IDENTITY_TOLERANCE = 0.005
"""Published figures are rounded to three digits."""
COUNT_TOLERANCE = 0.05
PREDICTION_TOLERANCE = 0.25

GLM_LAYOUT = Layout(sharded=24, tensor=4, pipeline=8)
GLM_SEQUENCES, GLM_STEP_SECONDS, GLM_MFU = 4224, 88.5, 0.325
"""arXiv:2210.02414, section 3 and its repository's log: the batch after ramp-up, an iteration, FLOPs utilisation."""
GPT3_FLOPS = 3.14e23
"""arXiv:2005.14165, table D.1."""
GPT3_BATCH_TOKENS, GLAM_BATCH_TOKENS = 3.2e6, 1 << 20
"""GPT-3: table 2.1. GLaM: up to 1 M (section 5.1)."""


@dataclass(frozen=True)
class Row:
    """One published figure and ours."""

    run: str
    what: str
    unit: str
    kind: Literal["prediction", "identity"]
    inputs: str
    published: float
    ours: float
    tolerance: float
    """Relative."""
    note: str | None = None

    @property
    def deviation(self) -> float:
        return self.ours / self.published - 1

    @property
    def within(self) -> bool:
        return abs(self.deviation) <= self.tolerance


def rows() -> list[Row]:
    """All of them: what was multiplied again, then what was planned."""
    costs = {cost.title: cost for cost in PUBLISHED_COSTS}
    return [
        *_identities(costs),
        *_gpt3(costs["GPT-3"]),
        *_glam(costs["GLaM, 280 B tokens"]),
        *_glam(costs["GLaM, 600 B tokens"]),
        *_glm(costs["GLM-130B"]),
    ]


def _identities(costs: dict[str, PublishedCost]) -> Iterator[Row]:
    shorter = costs["GLaM, 280 B tokens"]
    for title, cost in costs.items():
        hours, note = cost.hours.value, cost.hours.note
        if title == "GLaM, 600 B tokens":  # whose hours were not published
            hours = shorter.hours.value * cost.tokens.value / shorter.tokens.value
            note = f"hours are those of 280 B tokens, {shorter.hours.value:g}, by 600 / 280"
        chips, watts = cost.num_accelerators.value, cost.watts_per_accelerator.value
        pue = 1.0 if cost.pue is None else cost.pue.value
        mwh = megawatt_hours(chips * hours * 3600 * watts, pue=pue)
        assert mwh is not None, "all of its factors are known"
        inputs = f"{chips:,.0f} chips x {hours:,.0f} h x {watts:g} W x PUE {pue:g}"
        if cost.pue is None:
            note = "only the chips' data sheet gives it: nothing for the machines around them or the site"
        yield Row(title, "energy", "MWh", "identity", inputs, cost.training_mwh.value, mwh, IDENTITY_TOLERANCE, note)
        grid = cost.grid_tonnes_per_mwh.value
        kilograms = co2e_kilograms(cost.training_mwh.value, 1000 * grid)
        assert kilograms is not None, "all of its factors are known"
        emitted = cost.net_tonnes_co2e.value
        inputs = f"{cost.training_mwh.value:g} MWh x {grid:g} t/MWh"
        yield Row(title, "emissions", "t CO2e", "identity", inputs, emitted, kilograms / 1000, IDENTITY_TOLERANCE)


def _gpt3(cost: PublishedCost) -> Iterator[Row]:
    model = VARIANTS["gpt3_175b"]
    flops = count(model).training_flops_per_token * cost.tokens.value
    counted = "counted with attention over the whole row, which the paper leaves out"
    yield Row(
        cost.title, "training FLOPs", "", "prediction", f"{cost.tokens.value:.3g} tokens", GPT3_FLOPS, flops,
        COUNT_TOLERANCE, counted,
    )  # fmt: skip
    plan = _planned(model, "adamw", GPT3_BATCH_TOKENS, cost, CLUSTERS["gpt3"])
    note = "layout and links are not public, and the published time is itself an estimate from a rate of 24.6 TFLOP/s"
    yield from _hours_and_energy(cost, plan.hours, plan.site_mwh, f"the plan's own layout, {plan.layout}", note)


def _glam(cost: PublishedCost) -> Iterator[Row]:
    plan = _planned(VARIANTS["glam_64b_64e"], "adafactor", GLAM_BATCH_TOKENS, cost, CLUSTERS["glam"])
    note = (
        "how the run was laid out, whether it computed activations again, its batch over time and its restarts are not "
        "public; the plan takes the fastest layout that fits, at the full batch, without a failure"
    )
    yield from _hours_and_energy(cost, plan.hours, plan.site_mwh, f"the plan's own layout, {plan.layout}", note)


def _glm(cost: PublishedCost) -> Iterator[Row]:
    model, cluster = VARIANTS["glm_130b"], CLUSTERS["glm_130b"]
    train = _train("adamw", GLM_SEQUENCES)
    time = step_time(Job(model, train, cluster, GLM_LAYOUT, 1, True, weigh(model)), count(model))
    inputs = f"as published: {GLM_LAYOUT}, a row at a time, recomputing"
    slower = "float32 softmax and unfused kernels of its code are not counted"
    yield Row(
        cost.title, "step", "s", "prediction", inputs, GLM_STEP_SECONDS, time.seconds, PREDICTION_TOLERANCE, slower
    )
    yield Row(
        cost.title, "MFU", "", "prediction", inputs, GLM_MFU, time.mfu, PREDICTION_TOLERANCE,
        f"{slower}; attention is counted over the whole row here",
    )  # fmt: skip
    hours, mwh = _whole_run(time, model, cost, cluster)
    note = (
        "60 days hold ramp-up of the batch, failures and restarts: at the published 88.5 s an iteration 400 B tokens "
        "take 47 days"
    )
    yield from _hours_and_energy(cost, hours, mwh, inputs, note)


def _hours_and_energy(cost: PublishedCost, hours: float, mwh: float | None, inputs: str, note: str) -> Iterator[Row]:
    assert mwh is not None, "power and PUE of published runs are known"
    inputs = f"{cost.tokens.value / 1e9:g} B tokens, {inputs}"
    if cost.hours.tag != "derived":  # then they say no more than the energy does
        yield Row(cost.title, "time", "h", "prediction", inputs, cost.hours.value, hours, PREDICTION_TOLERANCE, note)
    yield Row(
        cost.title, "energy", "MWh", "prediction", inputs, cost.training_mwh.value, mwh, PREDICTION_TOLERANCE, note
    )


def _planned(model: ModelConfig, optimizer: str, batch_tokens: float, cost: PublishedCost, cluster: Cluster) -> Plan:
    train = _train(optimizer, round(batch_tokens / model.sequence_length))
    return make_plan(model, train, cost.tokens.value, cluster)


def _whole_run(time: StepTime, model: ModelConfig, cost: PublishedCost, cluster: Cluster) -> tuple[float, float | None]:
    hours = cost.tokens.value / (GLM_SEQUENCES * model.sequence_length) * time.seconds / 3600
    watts = cluster.device.watts
    assert watts is not None, "its data sheet says"
    return hours, megawatt_hours(hours * 3600 * cluster.num_devices * watts, pue=cluster.pue)


def _train(optimizer: str, rows: int) -> TrainConfig:
    return TrainConfig(num_steps=1, global_batch_size=rows, optimizer=optimizer, precision="bfloat16")
