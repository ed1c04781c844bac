"""A study that is not fair cannot be made."""

import pytest
from pydantic import ValidationError

from glam.config import ModelConfig, replace
from glam.counting import count
from glam.recipes import RECIPES, recipe, smoke
from glam.study import (
    TWINS,
    Match,
    Study,
    dense_as_published,
    dense_twin,
    equal_active_params,
    override,
    twin_of,
)
from glam.variants import VARIANTS


def test_arms_may_differ_only_where_the_study_varies() -> None:
    study = smoke()
    unfair = {**study.arms, "dense": replace(study.arms["dense"], train={"learning_rate": 0.5})}
    with pytest.raises(ValidationError, match=r"differ outside varies=\('model',\): train.learning_rate"):
        replace(study, arms=unfair)


def test_equal_flops_are_checked_not_believed() -> None:
    study = smoke()
    dense = study.arms["dense"]
    wider = replace(dense, model=replace(dense.model, expert_hidden_dim=dense.model.expert_hidden_dim * 2))
    with pytest.raises(ValidationError, match="FLOPs per token"):
        replace(study, arms={**study.arms, "dense": wider})


def test_all_arms_of_a_seed_share_everything_but_what_varies() -> None:
    experiments = {(arm, seed): each for arm, seed, each in replace(smoke(), seeds=(3, 4)).experiments()}
    assert set(experiments) == {("sparse", 3), ("dense", 3), ("sparse", 4), ("dense", 4)}
    assert experiments["sparse", 3].train == experiments["dense", 3].train
    assert experiments["sparse", 3].train.seed == 3


def test_a_sweep_is_a_study_that_varies_what_is_swept() -> None:
    study = recipe("learning_rates")
    assert [run.train.learning_rate for _, _, run in study.experiments()] == [0.01, 0.02, 0.04, 0.08]
    assert {replace(run, train={"learning_rate": 1.0}) for _, _, run in study.experiments()} == {
        replace(recipe("quickstart").arms["dense"], train={"learning_rate": 1.0, "seed": 100})
    }
    assert study.compared == tuple((f"rate_{rate}", "rate_0.04") for rate in (0.01, 0.02, 0.08))


def test_override_changes_every_arm_and_derives_the_twin_anew() -> None:
    study = override(smoke(), ["model.top_k=3", "train.num_steps=7", "seeds=[5]"])
    assert study.arms["dense"].model == dense_twin(study.arms["sparse"].model)
    assert study.arms["sparse"].model.top_k == 3
    assert {arm.train.num_steps for arm in study.arms.values()} == {7}
    assert study.seeds == (5,)


def test_named_pairs_are_compared_and_only_they_must_be_alike() -> None:
    study = recipe("ladder")
    assert study.compared[:2] == (("1m_8e", "1m_dense"), ("1m_32e", "1m_dense"))
    with pytest.raises(ValidationError, match="'16m_8e' and '1m_dense' are compared seed by seed"):
        replace(study, pairs=(("16m_8e", "1m_dense"),))
    with pytest.raises(ValidationError, match="differ outside varies"):
        replace(study, pairs=(("16m_8e", "4m_dense"),))
    with pytest.raises(ValidationError, match="name '2m_8e'; the arms are: 1m_dense"):
        replace(study, pairs=(("2m_8e", "1m_dense"),))
    for silly in ((("1m_8e", "1m_8e"),), (("1m_8e", "1m_dense"), ("1m_8e", "1m_dense"))):
        with pytest.raises(ValidationError, match="name two different arms, once"):
            replace(study, pairs=silly)


def test_a_rung_of_the_ladder_is_a_part_of_it() -> None:
    whole, rung = recipe("ladder"), recipe("ladder_4m")
    assert rung.arms == {arm: experiment for arm, experiment in whole.arms.items() if arm.startswith("4m_")}
    assert set(rung.compared) <= set(whole.compared)
    assert [rung.seeds_of(arm) for arm in rung.arms] == [whole.seeds_of(arm) for arm in rung.arms]


def test_arms_may_have_seeds_of_their_own() -> None:
    runs = [(arm, seed) for arm, seed, _ in recipe("ladder").experiments()]
    assert len(runs) == len(set(runs)) == 15
    assert runs[:4] == [("1m_dense", 0), ("1m_8e", 0), ("1m_32e", 0), ("1m_dense", 1)]
    assert {seed for _, seed, _ in override(recipe("ladder"), ["seeds=[7]"]).experiments()} == {7}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.num_step=7", "no field 'num_step'; known: num_steps"),
        ("nonsense=7", "no field 'nonsense'"),
        ("train.num_steps", "not of the form key.path=value"),
        ("train=7", "'train' is a group"),
        ("train.num_steps.x=7", "no fields of its own"),
        ("train.num_steps=0", "greater than or equal to 1"),
        ("model.num_experts=1", "top_k=2 exceeds num_experts=1"),
    ],
)
def test_a_bad_setting_is_an_error_that_says_what_exists(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        override(smoke(), [setting])


def test_unknown_recipe_lists_what_exists() -> None:
    with pytest.raises(
        ValueError,
        match="unknown recipe 'quickstrt'; known: data_quality, glam_mixture, ladder, ",
    ):
        recipe("quickstrt")


def test_override_keeps_an_arm_judged_as_the_other() -> None:
    study = override(recipe("data_quality"), ["data.tokenizer.vocab_size=2048", "model.vocab_size=2048"])
    filtered, unfiltered = (study.arms[name].data for name in ("filtered", "unfiltered"))
    assert unfiltered.judged_as == filtered
    assert filtered.tokenizer.vocab_size == unfiltered.tokenizer.vocab_size == 2048


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_fair_study_that_survives_json(name: str) -> None:
    study = recipe(name)
    assert study.name == name
    assert Study.model_validate_json(study.model_dump_json()) == study


@pytest.mark.parametrize("match", TWINS)
def test_twin_of_a_dense_model_is_an_error(match: Match) -> None:
    with pytest.raises(ValueError, match="dense already"):
        TWINS[match](smoke().arms["dense"].model)


SPARSE = {name: model for name, model in VARIANTS.items() if model.num_experts > 1}


@pytest.mark.parametrize("name", [name for name in SPARSE if name.startswith("glam_") and name != "glam_64b_64e"])
def test_the_papers_dense_rows_are_the_twins_as_published(name: str) -> None:
    assert dense_as_published(SPARSE[name]) == VARIANTS[name.rpartition("_")[0]]


def test_the_dense_twin_as_published_is_gated_throughout() -> None:
    model = dense_as_published(replace(SPARSE["toy_4e"], dense_gated=False, router="top2_capacity"))
    assert (model.num_mixture_layers, model.dense_gated, model.expert_hidden_dim) == (0, True, model.hidden_dim)
    assert model.router == ModelConfig.model_fields["router"].default


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("name", SPARSE)
def test_active_parameters_of_that_twin_agree(name: str, gated: bool) -> None:
    sparse = replace(SPARSE[name], expert_gated=gated)
    twin = equal_active_params(sparse)
    counts = count(twin)
    assert counts.total_params == counts.active_params
    assert counts.active_params == pytest.approx(count(sparse).active_params, rel=0.005)
    assert twin.expert_hidden_dim > dense_twin(sparse).expert_hidden_dim


def test_a_model_too_small_for_such_a_twin_is_refused() -> None:
    tiny = ModelConfig(
        vocab_size=2,
        num_layers=1,
        model_dim=1,
        num_heads=1,
        head_dim=2,
        hidden_dim=1,
        num_experts=5,
        top_k=2,
        positions="rope",
        moe_every=1,
    )
    with pytest.raises(ValueError, match=r"no dense twin has the 22 active parameters .* width of 4 has 21"):
        equal_active_params(tiny)


def held_against(match: Match, twin: Match) -> Study:
    study = smoke()
    dense = replace(study.arms["dense"], model=TWINS[twin](study.arms["sparse"].model))
    return replace(study, match=match, arms={**study.arms, "dense": dense})


@pytest.mark.parametrize("match", TWINS)
def test_a_claim_is_met_by_its_own_twin(match: Match) -> None:
    study = held_against(match, match)
    assert twin_of(study.arms["dense"].model, study.arms["sparse"].model) is TWINS[match]


@pytest.mark.parametrize(
    ("match", "twin", "message"),
    [
        ("flops_per_token", "as_published", "FLOPs per token: make one arm the dense_twin"),
        ("active_params", "as_published", "parameters active in a token: make one arm the equal_active_params"),
        ("as_published", "flops_per_token", "differ in expert_hidden_dim, moe_every: make one arm the dense_as_pub"),
    ],
)
def test_a_claim_is_refused_with_another_twin(match: Match, twin: Match, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        held_against(match, twin)


@pytest.mark.parametrize("match", TWINS)
def test_override_derives_every_kind_of_twin_anew(match: Match) -> None:
    study = override(held_against(match, match), ["model.hidden_dim=96", "model.num_experts=8", "train.num_steps=7"])
    sparse, dense = study.arms["sparse"].model, study.arms["dense"].model
    assert (sparse.hidden_dim, sparse.num_experts) == (96, 8)
    assert dense == TWINS[match](sparse)
    assert study.arms["dense"].train.num_steps == 7
