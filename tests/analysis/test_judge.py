from dataclasses import replace as changed

import pytest

from glam.analysis.cost_sentences import speedup
from glam.analysis.judge import judge
from glam.analysis.report import render_report
from glam.analysis.sentences import conclusion, overlap_caveats, winner_name
from glam.analysis.significance import holm
from glam.analysis.verdict import Verdict
from glam.records import ItemScore


def questions(evidence, *, sparse: float, num_items: int = 200):
    """The same evidence with one more task of independent items, of which the sparse arm has a larger share right."""
    changed_evidence = {}
    for (arm, seed), run in evidence.items():
        share = 0.5 + (sparse if arm == "sparse" else 0.0)
        items = tuple(
            ItemScore(item_id=f"q{n}", cluster=f"q{n}", value=float((n * 61) % num_items < share * num_items))
            for n in range(num_items)
        )
        score = changed(run.scores["name_function", 0], items=items)
        result = score.result.model_copy(
            update={"task": "copa", "value": sum(item.value or 0 for item in items) / num_items}
        )
        scores = {**run.scores, ("copa", 0): changed(score, result=result)}
        changed_evidence[arm, seed] = changed(run, scores=scores)
    return changed_evidence


def test_a_better_arm_is_named_with_its_interval(verdict):
    contrast = verdict.contrasts[0]
    assert contrast.loss.winner == "first"
    assert contrast.loss.difference.value == pytest.approx(-0.045, abs=0.02)
    assert contrast.loss.difference.num_clusters == 24
    assert verdict.sentence.startswith("sparse is better than dense by 0.0")
    assert verdict.sentence.endswith(
        "at equal tokens on this held-out text; this speaks of these 2 runs an arm, not of training."
    )


def test_a_worse_arm_is_called_worse(make_study, make_evidence):
    study = make_study()
    found = judge(study, make_evidence(study, effect=-0.1))
    assert found.contrasts[0].loss.winner == "second"
    assert found.sentence.startswith("dense is better than sparse by 0.")


def test_no_effect_is_undecided(make_study, make_evidence):
    study = make_study(seeds=(0, 1, 2))
    found = judge(study, make_evidence(study, effect=0.0))
    assert found.contrasts[0].loss.winner == "undecided"
    assert found.sentence.startswith("Undecided: sparse minus dense is ")
    assert "includes zero" in found.sentence


def test_three_seeds_speak_of_training(make_study, make_evidence):
    study = make_study(seeds=(0, 1, 2))
    found = judge(study, make_evidence(study, effect=0.2))
    assert found.contrasts[0].loss.difference.scope == "training"
    assert "speaks of training" in found.sentence


def test_time_and_tokens_may_disagree(verdict):
    ratios = {axis.axis: axis.cost_ratio for axis in verdict.contrasts[0].axes}
    assert ratios["tokens"] < 1 < ratios["seconds"]
    assert ratios["flops"] == pytest.approx(ratios["tokens"])


def test_the_speed_up_has_an_interval_and_a_sentence(verdict):
    contrast = verdict.contrasts[0]
    speed = {axis.axis: axis.speedup for axis in contrast.axes}
    for axis in ("tokens", "flops"):
        assert speed[axis].low < speed[axis].value < speed[axis].high
        assert (speed[axis].extrapolated, speed[axis].num_units, speed[axis].reason) == (True, 24, "")
    assert speed["flops"].value == pytest.approx(speed["tokens"].value)
    assert speed["seconds"].value == pytest.approx(speed["tokens"].value / 1.35, rel=1e-3)
    (finding,) = [each for each in contrast.findings if each.startswith("To reach sparse's final held-out loss, dense")]
    found = speed["tokens"]
    assert f"needs {found.value:.2f} times [{found.low:.2f}, {found.high:.2f}] the tokens" in finding
    assert "by a power law that continues its curve; 95 % intervals over held-out units, of these runs." in finding


def test_runs_without_rows_have_a_speed_up_and_say_why_it_has_no_interval(make_study, make_evidence):
    study = make_study()
    evidence = {key: changed(run, heldout_rows=()) for key, run in make_evidence(study).items()}
    contrast = judge(study, evidence).contrasts[0]
    speed = contrast.axes[0].speedup
    assert speed is not None
    assert speed.value is not None
    assert (speed.low, speed.high) == (None, None)
    assert "the held-out rows of step 60 were not kept" in speed.reason
    assert any(each.startswith("To reach") and "without an interval" in each for each in contrast.findings)


def test_a_decaying_schedule_flags_early_readings(make_study, make_evidence):
    study = make_study(schedule="cosine")
    found = judge(study, make_evidence(study))
    assert any("would have decayed more" in caveat for caveat in found.caveats)


def test_every_other_arm_stands_against_the_second(make_study, make_evidence):
    study = make_study(more=2)
    found = judge(study, make_evidence(study))
    assert [(each.first, each.second) for each in found.contrasts] == [
        ("sparse", "dense"),
        ("sparse_8e", "dense"),
        ("sparse_16e", "dense"),
    ]


def test_named_pairs_are_judged_each_over_its_own_seeds(rungs, make_evidence):
    found = judge(rungs, make_evidence(rungs))
    assert {(each.first, each.second) for each in found.contrasts} == set(rungs.pairs)
    assert {arm.arm: arm.num_runs for arm in found.arms} == {arm: len(rungs.seeds_of(arm)) for arm in rungs.arms}
    for each in found.contrasts:
        scope = "training" if each.first.startswith("small") else "these runs"
        assert each.loss.difference.scope == scope, each.first
        assert [reading.seed for reading in each.axes[0].seeds] == list(rungs.seeds_of(each.first))


def test_different_numerics_are_refused_with_the_fields(make_study, make_evidence):
    study = make_study()
    evidence = make_evidence(study)
    other = {**evidence["dense", 1].numerics, "threads_per_worker": 4}
    evidence["dense", 1] = changed(evidence["dense", 1], numerics=other)
    with pytest.raises(ValueError, match="seed 1: threads_per_worker 1 and 4"):
        judge(study, evidence)
    allowed = judge(study, evidence, allow_different_numerics=True)
    assert allowed.numerics_differences == ("sparse and dense, seed 1: threads_per_worker 1 and 4",)
    assert any("numerics differ" in caveat for caveat in allowed.caveats)


def test_a_missing_run_is_named(make_study, make_evidence):
    study = make_study()
    evidence = make_evidence(study)
    del evidence["dense", 1]
    with pytest.raises(ValueError, match="dense seed 1"):
        judge(study, evidence)


def test_one_unknown_energy_makes_the_sum_unknown(make_study, make_evidence):
    study = make_study()
    evidence = make_evidence(study)
    summary = evidence["sparse", 0].summary.model_copy(update={"energy_joules": None, "energy_method": "none"})
    evidence["sparse", 0] = changed(evidence["sparse", 0], summary=summary)
    sparse, dense = judge(study, evidence).arms
    assert sparse.energy_joules is None
    assert sparse.energy_method == "none"
    assert dense.energy_joules is not None


def test_a_task_scored_on_other_items_is_unknown_with_the_reason(make_study, make_evidence):
    study = make_study()
    evidence = make_evidence(study)
    key = ("last_word", 0)
    for arm, seed in evidence:
        if arm == "sparse":
            scores = dict(evidence[arm, seed].scores)
            scores[key] = changed(scores[key], items=scores[key].items[5:])
            evidence[arm, seed] = changed(evidence[arm, seed], scores=scores)
    task = next(each for each in judge(study, evidence).contrasts[0].tasks if (each.task, each.num_shots) == key)
    assert task.difference.value is None
    assert "different items" in task.difference.reason
    assert task.winner == "undecided"


def test_without_the_heldout_task_the_curves_ends_are_compared_without_an_interval(make_study, make_evidence):
    study = make_study()
    evidence = {key: changed(run, scores={}) for key, run in make_evidence(study).items()}
    loss = judge(study, evidence).contrasts[0].loss
    assert loss.difference.value is not None
    assert loss.difference.low is None
    assert loss.winner == "undecided"


def test_demonstrations_that_did_not_fit_are_mentioned(verdict):
    assert any("last_word 4-shot: 3.2" in caveat for caveat in verdict.caveats)


def test_benchmarks_that_training_text_touches_are_named_beside_the_scores() -> None:
    task = {"num_examples": 200, "num_short": 3, "touched_fraction": 0.1}
    report = {
        "overlap": {"ngram": 13},
        "benchmarks": [{"task": "piqa", "num_touched": 20, **task}, {"task": "boolq", "num_touched": 0, **task}],
    }
    assert overlap_caveats(report) == ["Training text shares a 13-gram with 20 of 200 examples of piqa."]
    assert overlap_caveats({}) == []


def test_a_clear_task_names_the_better_arm_and_is_counted(make_study, make_evidence):
    study = make_study()
    contrast = judge(study, questions(make_evidence(study), sparse=0.2)).contrasts[0]
    task = contrast.tasks[-1]
    assert (task.task, task.test, task.decided, task.better) == ("copa", "McNemar", True, "first")
    assert task.p_value is not None
    assert task.p_value_adjusted is not None
    assert task.p_value < task.p_value_adjusted <= 0.05
    assert task.discordant_pairs_per_seed == {0: 40, 1: 40}
    assert winner_name(contrast, task) == "sparse"
    better = [each.better for each in contrast.tasks]
    counted = (contrast.num_tasks_won, contrast.num_tasks_lost, contrast.num_tasks_undecided)
    assert counted == tuple(better.count(side) for side in ("first", "second", "undecided"))
    assert sum(each or 0 for each in counted) == len(contrast.tasks)
    assert any(f"sparse is better in {counted[0]}, dense in {counted[1]}, and" in each for each in contrast.findings)


def test_a_task_without_a_decision_says_what_it_would_have_shown(make_study, make_evidence):
    study = make_study()
    contrast = judge(study, questions(make_evidence(study), sparse=0.01)).contrasts[0]
    task = contrast.tasks[-1]
    assert task.decided is False
    effect = task.minimum_detectable_effect
    assert effect is not None
    assert winner_name(contrast, task) == f"too noisy at this size (would show {100 * effect:.1f} points)"
    assert any("too noisy at this size: would show" in each for each in contrast.findings)


def test_what_excludes_zero_alone_may_be_undecided_among_many(make_study, make_evidence):
    study = make_study()
    contrast = judge(study, questions(make_evidence(study), sparse=0.03)).contrasts[0]
    task = contrast.tasks[-1]
    assert (task.winner, task.better) == ("first", "undecided")


def test_heldout_loss_is_no_member_of_the_tasks_family(make_study, make_evidence):
    study = make_study()
    evidence = make_evidence(study)
    alone = {
        key: changed(run, scores={one: score for one, score in run.scores.items() if one[0] == "heldout"})
        for key, run in evidence.items()
    }
    among_tasks, by_itself = (judge(study, each).contrasts[0].loss for each in (evidence, alone))
    assert among_tasks == by_itself
    assert among_tasks.p_value_adjusted == among_tasks.p_value
    assert (among_tasks.decided, among_tasks.better) == (True, among_tasks.winner)


def test_the_correction_counts_every_cell_of_every_contrast(make_study, make_evidence):
    one, three = make_study(), make_study(more=2)
    alone = judge(one, questions(make_evidence(one), sparse=0.2)).contrasts[0]
    among = judge(three, questions(make_evidence(three), sparse=0.2)).contrasts
    p_values = [cell.p_value for contrast in among for cell in contrast.tasks]
    assert [cell.p_value_adjusted for contrast in among for cell in contrast.tasks] == holm(p_values)
    same = next(each for each in among if each.first == "sparse")
    assert [cell.p_value for cell in same.tasks] == [cell.p_value for cell in alone.tasks]
    assert all(
        wide.p_value_adjusted >= narrow.p_value_adjusted for wide, narrow in zip(same.tasks, alone.tasks, strict=True)
    )
    losses = [contrast.loss for contrast in among]
    assert [loss.p_value_adjusted for loss in losses] == holm([loss.p_value for loss in losses])


def test_a_loss_that_the_correction_leaves_open_is_not_called_better(make_study, make_evidence):
    study = make_study()
    contrast = judge(study, make_evidence(study)).contrasts[0]
    open_ = contrast.loss.model_copy(update={"p_value_adjusted": 0.06, "decided": False})
    said = conclusion("sparse", "dense", open_, num_seeds=2, equal_tokens=True)
    assert said.startswith("Undecided: sparse minus dense is -0.0")
    assert "among so many comparisons that is not sure (Holm's correction)" in said


def test_a_task_that_counts_twice_is_compared_twice(make_study, make_evidence):
    study = make_study()
    evidence = {}
    for (arm, seed), run in make_evidence(study).items():
        score = run.scores["name_function", 0]
        right = 0.9 if arm == "sparse" else 0.4
        items = tuple(
            item.model_copy(update={"cluster": item.item_id, "others": {"exact_match": float(n % 10 < 10 * right)}})
            for n, item in enumerate(score.items)
        )
        update = {"task": "squad_v2", "metric": "f1", "others": {"exact_match": right}, "counted": ("exact_match",)}
        twice = changed(score, items=items, result=score.result.model_copy(update=update))
        evidence[arm, seed] = changed(run, scores={("squad_v2", 1): twice})
    f1, exact = judge(study, evidence).contrasts[0].tasks
    assert (f1.title, f1.metric, exact.title, exact.metric) == ("squad_v2", "f1", "squad_v2 exact_match", "exact_match")
    assert (exact.first, exact.second, exact.test) == (0.9, 0.4, "McNemar")
    assert exact.difference.value == pytest.approx(0.5)
    assert exact.better == "first"
    assert (f1.chance, exact.chance) == (0.25, None)
    assert "squad_v2 exact_match" in render_report(judge(study, evidence))


def test_undecided_loss_says_what_it_would_have_shown(make_study, make_evidence):
    study = make_study(seeds=(0, 1, 2))
    assert "too noisy at this size (would show 0." in judge(study, make_evidence(study, effect=0.0)).sentence


def test_two_equal_models_have_no_task_decided(make_study, make_evidence):
    study = make_study()
    evidence = questions(make_evidence(study), sparse=0.0)
    equal = {(arm, seed): changed(run, scores=evidence["dense", seed].scores) for (arm, seed), run in evidence.items()}
    contrast = judge(study, equal).contrasts[0]
    for cell in (contrast.loss, *contrast.tasks):
        assert (cell.p_value, cell.p_value_adjusted, cell.decided, cell.better) == (1.0, 1.0, False, "undecided")


def test_the_order_of_tasks_does_not_matter(make_study, make_evidence):
    study = make_study()
    evidence = questions(make_evidence(study), sparse=0.05)
    turned = {key: changed(run, scores=dict(reversed(run.scores.items()))) for key, run in evidence.items()}
    there, back = (judge(study, each).contrasts[0] for each in (evidence, turned))
    assert there.tasks == tuple(reversed(back.tasks))
    assert there.num_tasks_won == back.num_tasks_won


def test_an_unscored_task_has_no_p_value_and_is_not_called_noisy(make_study, make_evidence):
    study = make_study()
    evidence = make_evidence(study)
    scores = {key: score for key, score in evidence["sparse", 0].scores.items() if key != ("last_word", 0)}
    evidence["dense", 0] = changed(evidence["dense", 0], scores=scores)
    contrast = judge(study, evidence).contrasts[0]
    task = next(each for each in contrast.tasks if (each.task, each.num_shots) == ("last_word", 0))
    assert (task.test, task.p_value, task.p_value_adjusted, task.decided) == (None, None, None, None)
    assert winner_name(contrast, task) == "undecided"


def test_a_verdict_from_before_speed_ups_is_read_and_shown_as_unknown(verdict):
    written = verdict.model_dump(mode="json")
    del written["scaling"]
    for axis in written["contrasts"][0]["axes"]:
        del axis["speedup"]
    old = Verdict.model_validate(written)
    assert speedup(old.contrasts[0].axes[0].speedup) == "unknown"
    assert old.scaling == ()
    assert "speed-up" in render_report(old)


def test_a_verdict_from_before_p_values_is_read_and_keeps_its_winners(verdict):
    written = verdict.model_dump(mode="json")
    for contrast in written["contrasts"]:
        for name in ("num_tasks_won", "num_tasks_lost", "num_tasks_undecided"):
            del contrast[name]
        for cell in (contrast["loss"], *contrast["tasks"]):
            for name in ("test", "p_value", "p_value_per_seed", "discordant_pairs_per_seed", "p_value_adjusted"):
                del cell[name]
            del cell["decided"], cell["minimum_detectable_effect"]
    old = Verdict.model_validate(written).contrasts[0]
    assert [each.better for each in old.tasks] == [each.winner for each in old.tasks]
    assert winner_name(old, old.loss) == "sparse"
