"""Seconds of a step."""

from dataclasses import replace as with_

import pytest

from glam.config import replace
from glam.counting import count
from glam.plan.clusters import CLUSTERS
from glam.plan.devices import ACHIEVABLE
from glam.plan.job import Job
from glam.plan.layout import Layout
from glam.plan.step_time import StepTime, step_time
from glam.study import dense_twin
from glam.variants import VARIANTS
from tests.plan.conftest import make_cluster
from tests.plan.test_memory import job_of

SPARSE = VARIANTS["ladder_1m_8e"]
DENSE = dense_twin(SPARSE)


def time_of(job: Job) -> StepTime:
    return step_time(job, count(job.model))


@pytest.mark.parametrize("model", [SPARSE, DENSE])
@pytest.mark.parametrize("layout", [Layout(), Layout(sharded=4), Layout(tensor=4), Layout(data=2, pipeline=2)])
def test_devices_together_make_the_flops_of_the_model(model, layout: Layout) -> None:
    found = time_of(job_of(model, layout))
    tokens = 64 * model.sequence_length
    made = layout.num_devices * sum(part.flops for part in found.parts)
    assert made == pytest.approx(tokens * count(model).training_flops_per_token)


def test_recomputing_makes_the_forward_pass_of_the_blocks_again() -> None:
    kept, again = (time_of(job_of(DENSE, recompute=recompute)) for recompute in (False, True))
    counts = count(DENSE)
    more = sum(part.flops for part in again.parts) - sum(part.flops for part in kept.parts)
    assert more == pytest.approx(64 * DENSE.sequence_length * (counts.forward_flops_per_token - counts.logits_flops))


def test_utilisation_never_exceeds_what_products_reach() -> None:
    for layout in (Layout(), Layout(sharded=8), Layout(expert=8), Layout(tensor=2, pipeline=4)):
        found = time_of(job_of(layout=layout))
        assert 0 < found.mfu < ACHIEVABLE["accelerator"].fraction


def test_a_part_takes_what_binds_it() -> None:
    job = job_of(replace(DENSE, model_dim=1024, hidden_dim=4096, expert_hidden_dim=4096), micro_rows=64)
    fast = with_(job, cluster=with_(job.cluster, device=with_(job.cluster.device, bandwidth_bytes_per_second=1e18)))
    assert {part.bound for part in time_of(fast).parts if part.flops} == {"products"}
    slow = with_(job, cluster=with_(job.cluster, device=with_(job.cluster.device, bandwidth_bytes_per_second=1e6)))
    assert {part.bound for part in time_of(slow).parts if part.bytes_moved} == {"memory"}
    assert time_of(slow).seconds > time_of(job).seconds > time_of(fast).seconds


def test_the_bubble_of_a_pipeline_is_p_less_1_over_m_of_its_work() -> None:
    found = time_of(job_of(DENSE, Layout(pipeline=4), micro_rows=4, cluster=make_cluster(4, per_node=4)))
    work = sum(part.seconds for part in found.parts if part.name != "optimizer")
    work += sum(each.seconds for each in found.exchanges)
    assert found.bubble == pytest.approx(work * (4 - 1) / 16)
    assert found.bubble / (work + found.bubble) == pytest.approx((4 - 1) / (16 + 4 - 1))


def test_waiting_is_for_what_does_not_go_on_beside() -> None:
    found = time_of(job_of(layout=Layout(sharded=2, expert=2), micro_rows=16))
    beside = sum(each.seconds for each in found.exchanges if each.overlapped)
    passes = sum(part.seconds for part in found.parts if part.name != "optimizer")
    alone = sum(each.seconds for each in found.exchanges if not each.overlapped)
    assert found.waiting == pytest.approx(alone + max(0.0, beside - passes))
    assert found.seconds == pytest.approx(found.computing + found.waiting)


def test_a_precision_without_a_known_peak_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no source gives a float32 peak of tpu_v4; known: bfloat16"):
        time_of(job_of(cluster=CLUSTERS["glam"].of(1), precision="float32"))
