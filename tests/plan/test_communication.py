"""Exchanges: how much is sent, and over which link."""

import pytest

from glam.config import replace
from glam.counting import count
from glam.plan.clusters import CLUSTERS
from glam.plan.communication import Exchange, bytes_per_second, exchanges
from glam.plan.job import Job
from glam.plan.layout import Layout
from glam.study import dense_twin
from glam.variants import VARIANTS
from tests.plan.conftest import make_cluster
from tests.plan.test_memory import job_of

SPARSE = VARIANTS["ladder_1m_8e"]
DENSE = dense_twin(SPARSE)
PARAMS = count(DENSE).total_params


def sent(job: Job, kind: str) -> float:
    return sum(each.bytes_sent for each in exchanges(job) if each.kind == kind)


def test_one_device_sends_nothing() -> None:
    assert exchanges(job_of()) == ()


@pytest.mark.parametrize("num_experts", [8, 32, 64])
def test_tokens_sent_to_experts_do_not_depend_on_how_many_there_are(num_experts: int) -> None:
    few = sent(job_of(layout=Layout(expert=4)), "all_to_all")
    assert few > 0
    many = replace(SPARSE, num_experts=num_experts)
    assert sent(job_of(many, Layout(expert=4)), "all_to_all") == pytest.approx(few)


def test_tokens_sent_to_experts_by_hand() -> None:
    # 64 rows among 4 workers; two mixture layers; there and back, and the same for the gradient; 2 choices a token,
    # of which 3 in 4 go elsewhere; rows in float32, products in 16 bits.
    tokens = 64 / 4 * SPARSE.sequence_length
    expected = 2 * 2 * tokens * 2 * SPARSE.model_dim * 3 / 4 * (4 + 2)
    assert sent(job_of(layout=Layout(expert=4)), "all_to_all") == pytest.approx(expected)
    again = sent(job_of(layout=Layout(expert=4), recompute=True), "all_to_all")
    assert again == pytest.approx(1.5 * expected)


def test_two_copies_send_each_gradient_once() -> None:
    assert sent(job_of(DENSE, Layout(data=2)), "all_reduce") == pytest.approx(4 * PARAMS)


def test_gradients_of_experts_are_reduced_among_their_copies() -> None:
    found = {each.of: each for each in exchanges(job_of(layout=Layout(data=2, expert=4)))}
    assert found["gradients"].group == 8
    assert found["gradients of experts"].group == 2
    assert found["gradients of experts"].bytes_sent == pytest.approx(4 * count(SPARSE).expert_params / 4)


def test_sharded_parameters_are_gathered_twice_and_their_gradients_scattered_for_each_micro_batch() -> None:
    one = job_of(DENSE, Layout(sharded=4), micro_rows=16)
    assert sent(one, "all_gather") == pytest.approx(2 * 3 / 4 * 4 * PARAMS)
    assert sent(one, "reduce_scatter") == pytest.approx(3 / 4 * 4 * PARAMS)
    four = job_of(DENSE, Layout(sharded=4), micro_rows=4)
    assert sent(four, "all_gather") == pytest.approx(4 * sent(one, "all_gather"))
    assert sent(job_of(DENSE, Layout(data=4), micro_rows=4), "all_reduce") == pytest.approx(2 * 3 / 4 * 4 * PARAMS)


def test_only_gathering_and_scattering_go_on_beside_computation() -> None:
    every = exchanges(job_of(layout=Layout(sharded=2, expert=2, tensor=2, pipeline=2)))
    every += exchanges(job_of(layout=Layout(sharded=2, expert=2)))
    assert {each.kind for each in every if each.overlapped} == {"all_gather", "reduce_scatter"}
    assert {each.kind for each in every if not each.overlapped} == {"all_reduce", "all_to_all", "point_to_point"}


def test_a_group_that_leaves_its_node_is_as_slow_as_the_links_between() -> None:
    def of(layout: Layout) -> Exchange:
        (found,) = (each for each in exchanges(job_of(layout=layout)) if each.kind == "all_to_all")
        return found

    inside, outside = of(Layout(expert=4)), of(Layout(expert=8))
    assert (inside.inside_node, outside.inside_node) == (True, False)
    assert inside.seconds == pytest.approx(inside.bytes_sent / 1e10)
    assert outside.seconds == pytest.approx(outside.bytes_sent / 1e9)


def test_rings_between_nodes_use_the_links_of_all_members_inside() -> None:
    place = make_cluster(64, per_node=4)
    assert bytes_per_second(place, "all_reduce", 64) == pytest.approx(4e9)
    assert bytes_per_second(place, "all_reduce", 16, stride=4) == pytest.approx(1e9)
    assert bytes_per_second(place, "all_to_all", 64) == pytest.approx(1e9)


def test_all_to_all_on_a_torus_is_bounded_by_its_middle() -> None:
    place = CLUSTERS["glam"]
    assert bytes_per_second(place, "all_gather", 512) == 300e9
    assert bytes_per_second(place, "all_to_all", 8) == pytest.approx(200e9)
    assert bytes_per_second(place, "all_to_all", 64) == pytest.approx(100e9)
    assert bytes_per_second(place, "all_to_all", 8, stride=8) == pytest.approx(100e9)
