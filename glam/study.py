"""Studies: named arms that differ in stated fields only, trained with the same seeds.

Fair by construction: a Study whose arms differ outside `varies` cannot be made, and one that claims
equal FLOPs per token is checked for it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations, groupby
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, model_validator

from glam.config import Config, Experiment, ModelConfig, RunOptions, replace
from glam.counting import count

Match = Literal["flops_per_token", "active_params", "as_published", "none"]
TOLERANCE = 0.005
"""Largest relative difference in what matched arms have equal; in FLOPs per token the router is left aside."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
MIXTURE_FIELDS = (
    "num_experts",
    "top_k",
    "expert_hidden_dim",
    "expert_gated",
    "expert_activation",
    "router",
    "routing_group_tokens",
    "capacity_factor",
    "second_policy",
    "router_bias_rate",
)
"""Of a ModelConfig: what a model without mixture layers has no use for."""


class Study(Config):
    """What a person runs: arms x seeds, and the claim under which they are compared."""

    name: str = Field(pattern=NAME)
    """Of MLflow's experiment and model as well, hence no other characters."""
    description: str = ""
    arms: dict[str, Experiment] = Field(min_length=1)
    """By name."""
    pairs: tuple[tuple[str, str], ...] = ()
    """(arm whose advantage is reported, its baseline) that are compared; empty: every arm with the second one."""
    varies: tuple[str, ...] = ("model",)
    """Dotted fields in which arms may differ; a prefix stands for all below it."""
    match: Match = "flops_per_token"
    seeds: tuple[int, ...] = Field(default=(0, 1), min_length=1)
    arm_seeds: dict[str, Annotated[tuple[int, ...], Field(min_length=1)]] = Field(default={})
    """Of arms that are trained with others than `seeds`."""

    @model_validator(mode="after")
    def names_are_arms(self) -> Self:
        named = [*(name for pair in self.pairs for name in pair), *self.arm_seeds]
        if unknown := sorted(set(named) - set(self.arms)):
            raise ValueError(f"pairs or arm_seeds name {unknown[0]!r}; the arms are: {', '.join(self.arms)}")
        for one, two in self.compared:
            if one == two or self.compared.count((one, two)) > 1:
                raise ValueError(f"pairs compare {one!r} with {two!r}: name two different arms, once")
            if self.seeds_of(one) != self.seeds_of(two):
                raise ValueError(
                    f"{one!r} and {two!r} are compared seed by seed but have {self.seeds_of(one)} and "
                    f"{self.seeds_of(two)}"
                )
        return self

    @model_validator(mode="after")
    def fair(self) -> Self:
        for one, two in self.pairs or combinations(self.arms, 2):
            first, second = self.arms[one], self.arms[two]
            outside = [
                path
                for path in differences(first, second)
                if not any(path == allowed or path.startswith(allowed + ".") for allowed in self.varies)
            ]
            if outside:
                raise ValueError(f"arms {one!r} and {two!r} differ outside varies={self.varies}: {', '.join(outside)}")
            if self.match in MATCHES:
                MATCHES[self.match](one, first.model, two, second.model)
        for seeds in (self.seeds, *self.arm_seeds.values()):
            if len(set(seeds)) != len(seeds):
                raise ValueError(f"seeds={seeds} repeats a seed; two equal runs are one")
        return self

    @property
    def compared(self) -> tuple[tuple[str, str], ...]:
        """(arm, its baseline) of every comparison; a single arm is compared with nothing."""
        names = list(self.arms)
        return self.pairs or tuple((arm, names[1]) for arm in names if len(names) > 1 and arm != names[1])

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """The seeds with which an arm is trained."""
        return self.arm_seeds.get(arm, self.seeds)

    def experiments(self) -> Iterator[tuple[str, int, Experiment]]:
        """(arm, seed, experiment) of every run, neighbours with the same seeds together; all arms of a seed see the
        same batches."""
        for seeds, arms in groupby(self.arms, self.seeds_of):
            together = tuple(arms)
            for seed in seeds:
                for arm in together:
                    yield arm, seed, replace(self.arms[arm], train={"seed": seed})


def dense_twin(sparse: ModelConfig) -> ModelConfig:
    """The same model with each mixture of experts made one feed-forward of `top_k` times an expert's width.

    Kind and activation of the experts stay, so FLOPs per token agree but for the router. Raises
    ValueError for a model that is dense already.
    """
    _require_sparse(sparse)
    return replace(sparse, num_experts=1, top_k=1, expert_hidden_dim=sparse.top_k * sparse.expert_hidden_dim)


def dense_as_published(sparse: ModelConfig) -> ModelConfig:
    """The model of the paper's dense rows (arXiv:2112.06905, table 4): all layers gated feed-forwards of `hidden_dim`.

    Neither FLOPs nor parameters agree with the sparse model's. Raises ValueError for a model that is dense already.
    """
    _require_sparse(sparse)
    unused = {name: ModelConfig.model_fields[name].default for name in MIXTURE_FIELDS}
    return replace(sparse, **unused, moe_every=0, dense_gated=True)


def equal_active_params(sparse: ModelConfig) -> ModelConfig:
    """The dense twin, wider by the weights of the router: as many parameters as are active in a token.

    Raises ValueError for a model that is dense already, and where no width comes within TOLERANCE of it.
    """
    twin = dense_twin(sparse)
    # A router has model_dim weights an expert, a unit of width as many for each matrix.
    width = twin.expert_hidden_dim + round(sparse.num_experts / (3 if sparse.expert_gated else 2))
    twin = replace(twin, expert_hidden_dim=width)
    active, wanted = count(twin).active_params, count(sparse).active_params
    if _differ(active, wanted):
        raise ValueError(
            f"no dense twin has the {wanted:,} active parameters of this model within {TOLERANCE:.1%}: a width of "
            f"{width} has {active:,}; take a larger model, or match by FLOPs"
        )
    return twin


Twin = Callable[[ModelConfig], ModelConfig]
TWINS: dict[Match, Twin] = {
    "flops_per_token": dense_twin,
    "active_params": equal_active_params,
    "as_published": dense_as_published,
}
"""The dense model that a sparse one is held against, by what they have equal."""


def twin_of(dense: ModelConfig, sparse: ModelConfig) -> Twin | None:
    """Which of TWINS makes `dense` of `sparse`; None: none does."""
    for twin in TWINS.values():
        with suppress(ValueError):  # a model that has no such twin
            if twin(sparse) == dense:
                return twin
    return None


def override(study: Study, settings: Sequence[str]) -> Study:
    """The study with `key.path=value` applied, validated again; values are read as YAML.

    `model.*`, `data.*`, `train.*` and `eval.*` change every arm; `seeds` (all arms' then) and `name` the study. Dense
    twins are derived anew from the changed sparse arm. Raises ValueError naming the setting and what exists.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        path, separator, text = setting.partition("=")
        if not separator:
            raise ValueError(f"--set {setting!r} is not of the form key.path=value")
        _insert(changes, path.strip(), _value(text, setting), setting)
    shared = {part: changes.pop(part) for part in tuple(changes) if part in Experiment.model_fields}
    unknown = set(changes) - {"seeds", "name"}
    if unknown:
        raise ValueError(
            f"unknown field {sorted(unknown)[0]!r}; known: seeds, name, "
            + ", ".join(f"{part}.*" for part in Experiment.model_fields)
        )
    if "seeds" in changes:
        changes["arm_seeds"] = {}
    return replace(study, arms=_change_arms(study.arms, shared), **changes)


def run_options(num_workers: int, threads_per_worker: int, settings: Sequence[str]) -> RunOptions:
    """Options with `key=value` applied, read as YAML. Raises ValueError naming the setting and what exists."""
    values: dict[str, Any] = {"num_workers": num_workers, "threads_per_worker": threads_per_worker}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator or name.strip() not in RunOptions.model_fields:
            raise ValueError(f"--run {setting!r} is not KEY=VALUE of: {', '.join(RunOptions.model_fields)}")
        values[name.strip()] = _value(text, setting)
    return RunOptions(**values)


def _value(text: str, setting: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ValueError(f"{setting!r} has a value that is not YAML: {problem}; put text in quotes") from error


def differences(first: Config, second: Config) -> list[str]:
    """Dotted paths of the fields in which two configs differ."""
    return [path for path, _, _ in changed_fields(first.model_dump(mode="json"), second.model_dump(mode="json"))]


def changed_fields(first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """(dotted path, first value, second value) of what differs between two nested mappings."""
    found = []
    for key in sorted({*first, *second}):
        one, two = first.get(key), second.get(key)
        if isinstance(one, Mapping) and isinstance(two, Mapping):
            found += changed_fields(one, two, f"{prefix}{key}.")
        elif one != two:
            found.append((prefix + key, one, two))
    return found


def _check_equal_flops(one: str, first: ModelConfig, two: str, second: ModelConfig) -> None:
    flops = [counts.forward_flops_per_token - counts.router_flops for counts in (count(first), count(second))]
    if _differ(*flops):
        raise ValueError(
            f"match='flops_per_token': {one!r} takes {flops[0]:,} and {two!r} {flops[1]:,} FLOPs per token: "
            "make one arm the dense_twin of the other, or set match"
        )


def _check_equal_active_params(one: str, first: ModelConfig, two: str, second: ModelConfig) -> None:
    active = [count(model).active_params for model in (first, second)]
    if _differ(*active):
        raise ValueError(
            f"match='active_params': {one!r} has {active[0]:,} and {two!r} {active[1]:,} parameters active in a token: "
            "make one arm the equal_active_params of the other, or set match"
        )


def _check_as_published(one: str, first: ModelConfig, two: str, second: ModelConfig) -> None:
    dense = [model if model.num_experts == 1 else dense_as_published(model) for model in (first, second)]
    if dense[0] != dense[1]:
        fields = ", ".join(path for path, _, _ in changed_fields(dense[0].model_dump(), dense[1].model_dump()))
        raise ValueError(
            f"match='as_published': the dense models of {one!r} and {two!r} differ in {fields}: make one arm the "
            "dense_as_published of the other, or set match"
        )


MATCHES: dict[Match, Callable[[str, ModelConfig, str, ModelConfig], None]] = {
    "flops_per_token": _check_equal_flops,
    "active_params": _check_equal_active_params,
    "as_published": _check_as_published,
}
"""What a study's claim is checked by, given the names and models of two arms; `none` claims nothing."""


def _differ(one: int, two: int) -> bool:
    return abs(one - two) > TOLERANCE * max(one, two)


def _require_sparse(model: ModelConfig) -> None:
    if model.num_experts == 1:
        raise ValueError("the model is dense already: num_experts=1")


def _change_arms(arms: Mapping[str, Experiment], changes: Mapping[str, Any]) -> dict[str, Experiment]:
    changed = {name: replace(arm, **changes) for name, arm in arms.items() if arm.model.num_experts > 1}
    sparse_arms = tuple(changed) if "model" in changes else ()
    for name, arm in arms.items():
        if name in changed:
            continue
        twins = {each: twin_of(arm.model, arms[each].model) for each in sparse_arms}
        sparse, twin = next(((each, twin) for each, twin in twins.items() if twin), (None, None))
        if sparse is None or twin is None:
            changed[name] = replace(arm, **changes)
        elif changed[sparse].model.num_experts == 1:
            raise ValueError(f"with num_experts=1 the arms {sparse!r} and {name!r} would be the same model")
        else:
            others = {part: change for part, change in changes.items() if part != "model"}
            changed[name] = replace(arm, model=twin(changed[sparse].model), **others)
    judges = {arm.data: name for name, arm in arms.items()}
    for name, arm in arms.items():
        if arm.data.judged_as in judges:  # another arm's preparation, and that has changed
            changed[name] = replace(changed[name], data={"judged_as": changed[judges[arm.data.judged_as]].data})
    return {name: changed[name] for name in arms}


def _insert(changes: dict[str, Any], path: str, value: Any, setting: str) -> None:
    *parents, leaf = path.split(".")
    part = changes
    model: type[BaseModel] | None = Experiment
    for depth, name in enumerate([*parents, leaf]):
        if model is not None and not (depth == 0 and name in ("seeds", "name")) and name not in model.model_fields:
            raise ValueError(f"--set {setting!r}: no field {name!r}; known: {', '.join(model.model_fields)}")
        annotation = model.model_fields[name].annotation if model is not None and name in model.model_fields else None
        model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
        if name is not leaf or depth < len(parents):
            if model is None:
                raise ValueError(f"--set {setting!r}: {name!r} has no fields of its own")
            part = part.setdefault(name, {})
    if model is not None:
        raise ValueError(f"--set {setting!r}: {leaf!r} is a group; set one of {', '.join(model.model_fields)}")
    part[leaf] = value
