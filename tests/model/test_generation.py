"""The cache changes nothing but the time; each way of choosing gives what its definition says."""

# V vocabulary
import itertools
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch

from glam.config import ModelConfig, replace
from glam.model.beam_search import search_rows
from glam.model.cache import Cache
from glam.model.decoding import Ending
from glam.model.generation import GenerationConfig, bytes_of_position, complete, generate
from glam.model.prefix_tree import batches
from glam.model.transformer import Transformer
from glam.study import dense_twin
from glam.variants import VARIANTS

pytestmark = pytest.mark.usefixtures("one_thread")


TOY = VARIANTS["toy_4e"]
MODELS = {
    "mixture": TOY,
    "capacity_in_training": replace(TOY, router="top2_capacity", capacity_factor=0.5),
    "loss_free": replace(TOY, router="top_k_loss_free"),
    "dense": dense_twin(TOY),
    "t5_bias": replace(TOY, moe_every=0, num_experts=1, top_k=1),
    "rope": replace(TOY, positions="rope"),
    "extra_logit": replace(TOY, extra_logit=True),
    "rope_extra_logit": replace(TOY, positions="rope", extra_logit=True),
}
TINY = replace(TOY, vocab_size=5)


def build(config: ModelConfig, dtype: torch.dtype = torch.float64, *, scale: float = 1.0) -> Transformer:
    """A model whose attention matters: as drawn, the tied embedding mostly repeats the last id."""
    model = Transformer(config)
    model.initialize(0)
    with torch.no_grad():
        for block in model.blocks:
            block.attention.out.mul_(3)  # type: ignore[union-attr]
        model.embedding.mul_(scale)
    return model.to(dtype).eval()


@pytest.fixture(scope="module")
def toy() -> Transformer:
    return build(TOY)


@pytest.fixture(scope="module")
def tiny() -> Transformer:
    return build(TINY)


def rows_of(*lengths: int, vocab_size: int = TOY.vocab_size) -> list[list[int]]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randint(1, vocab_size, (length,), generator=draw).tolist() for length in lengths]


def new_ids(model: Transformer, rows: Sequence[Sequence[int]], *settings: Any, **named: Any) -> list[list[int]]:
    return generate(model, rows, *settings, **named).rows


@torch.inference_mode()
def log_probabilities(model: Transformer, row: list[int], news: Sequence[Sequence[int]]) -> list[float]:
    """Of continuations of one length, without a cache."""
    logits = model(torch.tensor([[*row, *new] for new in news])).logits_BSV[:, len(row) - 1 : -1].log_softmax(-1)
    return logits.gather(-1, torch.tensor(news)[..., None]).sum(dim=(1, 2)).tolist()


@torch.inference_mode()
def greedy_without_cache(model: Transformer, row: list[int], num_new: int) -> list[int]:
    ids = list(row)
    for _ in range(num_new):
        ids.append(int(model(torch.tensor([ids])).logits_BSV[0, -1].argmax()))
    return ids[len(row) :]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_cached_logits_are_those_of_the_whole_row(name: str, dtype: torch.dtype, tolerance: float) -> None:
    model = build(MODELS[name], dtype)
    rows = rows_of(12, 7, 1)
    new_BT = torch.tensor(rows_of(9, 9, 9))
    logits_BV, cache = model.begin(rows, num_new=9)
    seen = 0
    # In pieces of several lengths: none, one by one, and several at once.
    for piece in (None, *new_BT.split([1, 1, 4, 3], dim=1)):
        if piece is not None:
            logits_BV = model.extend(piece, cache)
            seen += piece.shape[1]
        for place, row in enumerate(rows):
            expected = model(torch.tensor([[*row, *new_BT[place, :seen].tolist()]])).logits_BSV[0, -1]
            assert torch.allclose(logits_BV[place], expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", MODELS)
def test_rows_of_unequal_length_continue_as_each_does_alone_and_without_cache(name: str) -> None:
    model, rows = build(MODELS[name]), rows_of(3, 17, 1, 8)
    config = GenerationConfig(max_new_tokens=6)
    together = new_ids(model, rows, config)
    assert together == [new_ids(model, [row], config)[0] for row in rows]
    assert together == [greedy_without_cache(model, row, 6) for row in rows]


@pytest.mark.parametrize("budget", [1, 40, 60, 8192])
@pytest.mark.parametrize(
    "config",
    [
        GenerationConfig(max_new_tokens=5, temperature=1.0, seed=3),
        GenerationConfig(max_new_tokens=5, temperature=0.8, top_k=20, top_p=0.9),
        GenerationConfig(max_new_tokens=5, num_beams=3),
    ],
    ids=["sampled", "top_k_top_p", "beams"],
)
def test_how_rows_are_batched_does_not_matter(toy: Transformer, config: GenerationConfig, budget: int) -> None:
    rows = rows_of(4, 9, 2, 9)
    expected = new_ids(toy, rows, config)
    assert new_ids(toy, rows, config, max_cache_bytes=budget * bytes_of_position(toy)) == expected
    # Others beside them change nothing either.
    others = [*rows_of(1, 12), *rows[2:]]
    assert new_ids(toy, others, config)[2:] == expected[2:]


def test_what_is_sampled_depends_on_seed_and_place(toy: Transformer) -> None:
    (row,) = rows_of(4)
    config = GenerationConfig(max_new_tokens=8, temperature=1.5, seed=7)
    first, second = new_ids(toy, [row, row], config)
    assert [first, second] == new_ids(toy, [row, row], config)
    assert first != second
    assert first != new_ids(toy, [row], replace(config, seed=8))[0]
    # A longer continuation begins with the shorter one.
    assert new_ids(toy, [row], replace(config, max_new_tokens=12))[0][:8] == first


@pytest.mark.parametrize("most", [1, 30, 4096])
@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_what_prompts_begin_with_alike_is_read_once_and_changes_nothing(
    name: str, num_beams: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, config = build(MODELS[name]), GenerationConfig(max_new_tokens=5, num_beams=num_beams)
    (story,) = rows_of(20)
    rows = [[*story, *turn] for turn in rows_of(3, 9, 3)] + rows_of(6) + [story, story[:12]]
    alone = [new_ids(model, [row], config)[0] for row in rows]
    monkeypatch.setattr("glam.model.transformer.batches", partial(batches, max_batch_tokens=most))
    assert new_ids(model, rows, config) == alone
    assert new_ids(model, rows[::-1], config) == alone[::-1]


def test_a_shared_beginning_goes_through_the_model_once(toy: Transformer) -> None:
    (story,) = rows_of(20)
    rows = [[*story, 7], [*story, 8], [*story, 9]]
    once = generate(toy, [[*story, 7]], GenerationConfig(max_new_tokens=1)).load_LE
    shared = generate(toy, rows, GenerationConfig(max_new_tokens=1)).load_LE
    assert once is not None
    assert shared is not None
    a_token = TOY.top_k * TOY.num_mixture_layers
    assert int(once.sum()) == 21 * a_token
    assert int(shared.sum()) == (20 + 3) * a_token


# Choosing


@pytest.mark.parametrize(
    "config",
    [
        GenerationConfig(max_new_tokens=6, temperature=2.0, top_k=1),
        GenerationConfig(max_new_tokens=6, temperature=2.0, top_p=1e-9),
        GenerationConfig(max_new_tokens=6, temperature=1e-300),
    ],
    ids=["top_k=1", "tiny top_p", "tiny temperature"],
)
def test_sampling_that_leaves_one_id_is_greedy(toy: Transformer, config: GenerationConfig) -> None:
    rows = rows_of(3, 5)
    assert new_ids(toy, rows, config) == new_ids(toy, rows, GenerationConfig(max_new_tokens=6))


@pytest.mark.parametrize("likely_first", [2, 256])
@pytest.mark.parametrize(
    "choice",
    [
        {"temperature": 1.0},
        {"temperature": 0.5},
        {"temperature": 2.0, "top_k": 3},
        {"temperature": 2.0, "top_p": 0.6},
        {"temperature": 2.0, "top_k": 4, "top_p": 0.7},
    ],
    ids=str,
)
def test_sampling_follows_the_distribution(
    tiny: Transformer, choice: dict[str, Any], likely_first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glam.model.decoding.LIKELY_FIRST", likely_first)
    row, num_samples = [1, 2, 3], 4000
    logits_V = tiny(torch.tensor([row])).logits_BSV[0, -1].detach()
    expected_V = (logits_V / choice["temperature"]).softmax(-1)
    order = expected_V.argsort(descending=True).tolist()
    kept = order[: choice.get("top_k", 5)]
    expected_V /= expected_V[kept].sum()
    nucleus = [token for place, token in enumerate(kept) if expected_V[kept[:place]].sum() < choice.get("top_p", 1)]
    expected_V = torch.zeros(5, dtype=torch.float64).index_copy(0, torch.tensor(nucleus), expected_V[nucleus])
    expected_V /= expected_V.sum()
    drawn = Counter(new for (new,) in new_ids(tiny, [row] * num_samples, GenerationConfig(max_new_tokens=1, **choice)))
    for token in range(5):
        share, wanted = drawn[token] / num_samples, float(expected_V[token])
        assert abs(share - wanted) <= 4 * (wanted * (1 - wanted) / num_samples) ** 0.5, (token, share, wanted)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_the_experts_of_every_id_are_counted_and_padding_is_not(toy: Transformer, num_beams: int) -> None:
    rows = rows_of(9, 4, 1)
    config = GenerationConfig(max_new_tokens=1, num_beams=num_beams)
    found = generate(toy, rows, config)
    with torch.inference_mode():
        routings = [toy(torch.tensor([row])).routing for row in rows]
    expected = sum(routing.load_LE for routing in routings if routing is not None)
    assert found.load_LE is not None
    assert torch.equal(found.load_LE, torch.as_tensor(expected))
    longer = generate(toy, rows, replace(config, max_new_tokens=3)).load_LE
    # The last new id is not read.
    assert longer is not None
    assert int((longer - found.load_LE).sum()) == 2 * num_beams * len(rows) * TOY.top_k * TOY.num_mixture_layers
    assert generate(build(MODELS["dense"]), rows, config).load_LE is None


# Beams


@pytest.mark.parametrize("end_of_text", [None, 0, 2])
def test_a_beam_of_width_one_is_greedy(tiny: Transformer, end_of_text: int | None) -> None:
    rows = rows_of(3, 6, 2, vocab_size=5)
    greedy = new_ids(tiny, rows, GenerationConfig(max_new_tokens=10), end_of_text=end_of_text)
    with torch.inference_mode():
        found = search_rows(tiny, rows, Ending(10, end_of_text), num_beams=1, length_penalty=1.0)
    assert found.rows == greedy


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0, -1.0])
@pytest.mark.parametrize("end_of_text", [None, 2])
def test_the_widest_beam_finds_the_best_continuation_of_all(
    tiny: Transformer, end_of_text: int | None, length_penalty: float
) -> None:
    rows, length = [[1, 4], [3, 0, 1]], 3
    config = GenerationConfig(max_new_tokens=length, num_beams=5**length, length_penalty=length_penalty)
    for row, found in zip(rows, new_ids(tiny, rows, config, end_of_text=end_of_text), strict=True):
        scores = {}
        for num in range(1, length + 1):
            news = list(itertools.product(range(5), repeat=num))
            for new, total in zip(news, log_probabilities(tiny, row, news), strict=True):
                if end_of_text not in new[:-1] and (num == length or new[-1] == end_of_text):
                    scores[new] = total / num**length_penalty
        best = max(scores, key=scores.__getitem__)
        assert found == [token for token in best if token != end_of_text]


def test_wider_beams_find_likelier_continuations_than_greedy(toy: Transformer) -> None:
    for row in rows_of(2, 5, 9):
        totals = []
        for num_beams in (1, 4, 16):
            (new,) = new_ids(toy, [row], GenerationConfig(max_new_tokens=4, num_beams=num_beams))
            totals += log_probabilities(toy, row, [new])
        assert totals[0] <= totals[1] + 1e-9
        assert totals[0] <= totals[2] + 1e-9


# Ends


class Bytes:
    """A codec whose ids are end-of-text, then bytes two at a time or one by one."""

    end_of_text = 0

    def __init__(self, *pairs: bytes):
        self.pieces = [b"<end>", *(bytes([value]) for value in range(256)), *pairs]

    def encode(self, text: str) -> list[int]:
        return [1 + value for value in text.encode()]

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(self.pieces[each] for each in ids).decode(errors="replace")


class Scripted(Transformer):
    """Says what it was told to, whatever the prompt: tests of ends need no luck with weights."""

    def __init__(self, *lines: Sequence[int]):
        super().__init__(replace(TOY, sequence_length=256))
        self.initialize(0)
        self.lines = lines
        self.asked = 0

    def begin(self, rows: Sequence[Sequence[int]], num_new: int) -> tuple[torch.Tensor, Cache]:
        logits_BV, cache = super().begin(rows, num_new)
        self.rows = torch.arange(len(rows))
        self.asked = 0
        select = cache.select

        def follow(row_B: torch.Tensor) -> None:
            self.rows = self.rows[row_B]
            select(row_B)

        cache.select = follow  # type: ignore[method-assign]
        return self._scripted(logits_BV), cache

    def extend(self, ids_BQ: torch.Tensor, cache: Cache) -> torch.Tensor:
        return self._scripted(super().extend(ids_BQ, cache))

    def _scripted(self, logits_BV: torch.Tensor) -> torch.Tensor:
        logits_BV = torch.full_like(logits_BV, -30.0)
        for place, row in enumerate(self.rows.tolist()):
            line = self.lines[row]
            logits_BV[place, line[min(self.asked, len(line) - 1)]] = 0
        self.asked += 1
        return logits_BV


def said(text: str, *, end: bool = False) -> list[int]:
    return Bytes().encode(text) + [0] * end


@pytest.mark.parametrize("num_beams", [1, 2])
def test_text_ends_before_end_of_text_and_before_stop_texts(num_beams: int) -> None:
    codec, prompts = Bytes(), ["a", "b", "c"]
    model = Scripted(said("one two", end=True), said("one\n\ntwo"), said("naïve €nd"))
    config = GenerationConfig(max_new_tokens=12, stop=("\n\n", "€n", "two three"), num_beams=num_beams)
    assert complete(model, codec, prompts, config) == ["one two", "one", "naïve "]


def test_a_stop_text_is_found_across_and_inside_ids_and_not_in_the_prompt() -> None:
    codec = Bytes(b"ST", b"OPnow", b"xSTOPx")
    stop = GenerationConfig(max_new_tokens=6, stop=("STOP",))
    assert complete(Scripted([*said("a"), 257, 258, *said("b")]), codec, ["q"], stop) == ["a"]
    assert complete(Scripted([*said("a"), 259, *said("b")]), codec, ["q"], stop) == ["ax"]
    # Begun in the prompt, it is not one of the continuation.
    assert complete(Scripted([258, *said("b", end=True)]), codec, ["qST"], stop) == ["OPnowb"]


def test_the_earliest_of_several_stop_texts_ends() -> None:
    codec = Bytes(b"a;b.c")
    config = GenerationConfig(max_new_tokens=3, stop=(".", "b", ";b"))
    assert complete(Scripted([257]), codec, [""], config) == ["a"]


def test_rows_that_are_done_cost_no_further_steps_and_others_go_on() -> None:
    codec, prompts = Bytes(), ["a", "bb", "ccc"]
    # Longest prompts come first in a batch: the scripts follow that order.
    model = Scripted(said("abcdef", end=True), said("z", end=True), said("q", end=True))
    assert complete(model, codec, prompts, GenerationConfig(max_new_tokens=50)) == ["q", "z", "abcdef"]
    assert model.asked == 7
    assert complete(Scripted(said("", end=True)), codec, [""]) == [""]


def test_training_mode_is_given_back_and_capacity_drops_nothing_meanwhile() -> None:
    model = build(MODELS["capacity_in_training"])
    rows, config = rows_of(9, 9), GenerationConfig(max_new_tokens=3)
    expected = new_ids(model, rows, config)
    assert new_ids(model.train(), rows, config) == expected
    assert model.training
    with pytest.raises(ValueError, match="no ids"):
        new_ids(model, [[]], config)
    assert model.training


# Refusals


def test_no_prompts_are_no_continuations(toy: Transformer) -> None:
    assert new_ids(toy, []) == []
    assert complete(toy, Bytes(), []) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            [1] * 60,
            r"60 tokens, which with max_new_tokens=5 exceed .* sequence_length=64: shorten it by 1 or .* most 4",
        ),
        ([1] * 70, r"prompt 1 has 70 tokens.*shorten it by 11$"),
        ([1, 512], r"prompt 1 holds ids 1 to 512; the vocabulary has 0 to 511"),
        ([-1], r"ids -1 to -1"),
        ([], r"prompt 1 has no ids"),
    ],
)
def test_rows_that_cannot_be_continued_are_named(toy: Transformer, row: list[int], message: str) -> None:
    config = GenerationConfig(max_new_tokens=5)
    assert len(new_ids(toy, [[1] * 59], config)[0]) == 5
    with pytest.raises(ValueError, match=message):
        new_ids(toy, [[1], row], config)


def test_weights_that_give_no_numbers_are_refused() -> None:
    model = build(TOY)
    with torch.no_grad():
        model.final_norm.scale.fill_(torch.nan)
    with pytest.raises(ValueError, match="no finite numbers"):
        new_ids(model, [[1]])


def test_stop_texts_need_text(toy: Transformer) -> None:
    with pytest.raises(ValueError, match=r"stop=\['x'\] is found in text"):
        new_ids(toy, [[1]], GenerationConfig(stop=("x",)))
