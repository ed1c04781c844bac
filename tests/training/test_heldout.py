"""Choices by kind of token and by source are those of every token of the rows, once each."""

from collections import Counter

import numpy as np
import pytest
import torch

from glam.config import ModelConfig, replace
from glam.data.token_kinds import TOKEN_KINDS
from glam.model.routes import chosen_experts
from glam.model.routing import ROUTERS
from glam.model.transformer import Transformer
from glam.records import ExpertSpecialization
from glam.store import Folder
from glam.study import dense_twin
from glam.training import heldout
from glam.training.heldout import count_choices
from glam.training.loop import SPECIALIZATION
from glam.training.parallel import ParallelGroup
from tests.training.conftest import TOY, make_run, token_kind, train_through

MODEL = replace(TOY, num_layers=4, routing_group_tokens=None)
ROWS = [[0, 5, 17, 3, 3, 250, 9], [9, 8, 7], [0, 1, 2, 3, 4, 5, 6, 7, 8], [12, 13]]
SOURCES = ["web", "books", "web", "news"]


def made(config: ModelConfig) -> Transformer:
    model = Transformer(config)
    model.initialize(1)
    return model


def counted(model: Transformer, group: ParallelGroup | None = None) -> ExpertSpecialization:
    found = count_choices(model, ROWS, SOURCES, token_kind, group or ParallelGroup())
    assert found is not None
    return found


@pytest.mark.parametrize("router", ROUTERS)
def test_every_token_makes_top_k_choices_in_each_layer_of_one_kind_and_one_source(router: str) -> None:
    model = made(replace(MODEL, router=router))
    found = counted(model)
    num_tokens = sum(len(row) - 1 for row in ROWS)
    by_kind, by_source = (np.array(list(each.values())) for each in (found.by_kind, found.by_source))
    assert by_kind.shape[1:] == (MODEL.num_mixture_layers, MODEL.num_experts) == (2, 4)
    assert found.num_tokens == num_tokens
    assert by_kind.sum(axis=(0, 2)).tolist() == [num_tokens * MODEL.top_k] * 2
    assert by_kind.sum(axis=0).tolist() == by_source.sum(axis=0).tolist()
    kinds = Counter(token_kind(each) for row in ROWS for each in row[:-1])
    assert {name: np.sum(load_LE) for name, load_LE in found.by_kind.items()} == {
        name: count * 2 * MODEL.top_k for name, count in kinds.items()
    }
    assert list(found.by_kind) == [kind for kind in TOKEN_KINDS if kind in kinds]
    assert list(found.by_source) == ["books", "news", "web"]


def test_they_are_the_choices_of_evaluation_one_by_one() -> None:
    model = made(replace(MODEL, router="top2_capacity", capacity_factor=0.1))
    model.train()
    expected = {kind: np.zeros((2, 4), int) for kind in TOKEN_KINDS}
    for row in ROWS:
        for token_id, chosen_LK in zip(row, chosen_experts(model, row[:-1]).tolist(), strict=False):
            for layer, chosen in enumerate(chosen_LK):
                for expert in chosen:
                    expected[token_kind(token_id)][layer, expert] += 1
    found = counted(model)
    assert {kind: np.array(load_LE).tolist() for kind, load_LE in found.by_kind.items()} == {
        kind: load_LE.tolist() for kind, load_LE in expected.items() if load_LE.any()
    }
    assert model.training


def test_shares_of_workers_add_up_to_what_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five workers, of which one has no row; on processes of their own: test_parallel."""
    model, parts = made(MODEL), []
    monkeypatch.setattr(ParallelGroup, "sum", lambda _, load: parts.append(load) or load)
    whole = counted(model)
    del parts[:]
    for rank in range(5):
        counted(model, ParallelGroup(rank=rank, world_size=5))
    assert not parts[4].any()
    by_source = torch.stack(parts).sum(dim=(0, 2))
    assert dict(zip(sorted(set(SOURCES)), by_source.tolist(), strict=True)) == {
        name: [list(row) for row in load_LE] for name, load_LE in whole.by_source.items()
    }


def test_few_rows_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heldout, "MOST_ROWS", 2)
    found = counted(made(MODEL))
    assert found.num_tokens == 8
    assert list(found.by_source) == ["books", "web"]


def test_a_finished_run_has_the_record_and_a_dense_one_has_none(folder: Folder, other_folder: Folder) -> None:
    train_through(make_run(folder))
    found = ExpertSpecialization.model_validate(folder.read_json(SPECIALIZATION))
    assert found.num_tokens == 3 * 16
    assert set(found.by_source) == {"docs", "code"}
    train_through(make_run(other_folder, model=dense_twin(TOY)))
    assert not (other_folder.path / SPECIALIZATION).exists()
