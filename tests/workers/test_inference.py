"""Models that write under measurement: every row is written whole, and arms take turns in processes of their own."""

from pathlib import Path

import numpy as np
import pytest

from glam.config import ModelConfig, replace
from glam.inference import RESULT, InferenceConfig
from glam.lineage import Checkpoint, InferenceStage, inference_stage
from glam.model.saved import save_model
from glam.model.transformer import Transformer
from glam.records import InferencePoint, InferenceResult, Machine
from glam.store import Store, StoreError
from glam.store.identity import file_sha256
from glam.study import dense_twin
from glam.variants import VARIANTS
from tests.data.conftest import document
from workers import inference, writer
from workers.cluster import cluster
from workers.inference import measure, prompts
from workers.writer import Writer

pytestmark = pytest.mark.usefixtures("one_thread")

TOY = VARIANTS["toy_4e"]
ASKED = InferenceConfig(batch_sizes=(1, 3), prompt_tokens=5, new_tokens=4)
HERE = Machine(processor="this one", gpu=None, cores=1, torch="2.0")


def saved(folder: Path, model: ModelConfig) -> Path:
    folder.mkdir(parents=True)
    made = Transformer(model)
    made.initialize(0)
    save_model(folder, model, made.state_dict())
    return folder


def stage_of(folder: Path, heldout: str | None = None) -> InferenceStage:
    hashes = [file_sha256(folder / name) for name in ("model.safetensors", "model.json")]
    checkpoint = Checkpoint(folder.name, str(folder), *hashes, "c" * 64, heldout)
    return inference_stage(checkpoint, ASKED, HERE, None)


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("arms") / "sparse-s0", TOY)


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("arms") / "dense-s0", dense_twin(TOY))


def loaded(folder: Path, number: int) -> Writer:
    made = Writer(str(folder), rows(number), ASKED, round_seconds=0)
    made.load()
    return made


def rows(number: int) -> list[list[int]]:
    return np.random.default_rng(0).integers(1, TOY.vocab_size, (number, ASKED.prompt_tokens)).tolist()


def test_a_turn_writes_batches_of_the_size_asked_for_and_every_row_whole(
    sparse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[list[int]] = []

    def watched(*arguments, **options):
        found = original(*arguments, **options)
        written.append([len(row) for row in found.rows])
        return found

    original = writer.generate
    monkeypatch.setattr(writer, "generate", watched)
    made = loaded(sparse, 3)
    made.warm_up(3)
    turn = made.turn(3)
    assert written == [[4] * 3] * writer.WARM_UP_CALLS + [[1] * 3, [4] * 3]
    assert turn.num_calls == 1
    assert turn.first_token_seconds > 0
    assert turn.seconds > 0


def test_a_batch_goes_through_the_model_as_one_however_large_its_cache(
    sparse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glam.model.generation.MAX_CACHE_BYTES", 1)
    made = loaded(sparse, 3)
    sizes: list[int] = []
    extend = made._model.extend
    monkeypatch.setattr(made._model, "extend", lambda ids, cache: sizes.append(len(ids)) or extend(ids, cache))
    made.turn(3)
    assert set(sizes) == {3}


def test_weights_and_cache_are_counted_in_bytes(sparse: Path) -> None:
    made = loaded(sparse, 3)
    made.turn(3)
    assert made.load() == sum(each.numel() * 4 for each in Transformer(TOY).state_dict().values())
    of_a_position = 2 * TOY.num_layers * TOY.num_heads * TOY.head_dim * 4
    assert made.cache_bytes(3) == 3 * (5 + 4) * of_a_position


def test_prompts_are_beginnings_of_heldout_text_that_are_long_enough(sparse: Path, store: Store) -> None:
    from glam.config import TokenizerConfig
    from glam.data.heldout import write_heldout
    from glam.data.tokenizer import train_tokenizer

    texts = [document(number, text=f"{'word ' * 30}{number}") for number in range(2)] + [document(9, text="x")]
    tokenizer, _ = train_tokenizer([each.text for each in texts], TokenizerConfig(kind="bpe", vocab_size=300))
    with store.claim("heldout", "x", "a" * 16) as folder:
        write_heldout(texts, tokenizer, folder)
        folder.commit(config={}, revision=1)
    found, source = prompts(stage_of(sparse, heldout="a" * 16), TOY, store)
    assert source == "held-out text"
    assert [len(row) for row in found] == [5, 5, 5]
    ids = tokenizer.encode(texts[0].text)
    assert any(row == [0, *ids[:4]] for row in found)


def test_without_text_prompts_are_random_ids_but_never_end_of_text(sparse: Path, store: Store) -> None:
    found, source = prompts(stage_of(sparse), TOY, store)
    assert source == "random ids"
    assert np.shape(found) == (3, 5)
    assert 0 < np.min(found) <= np.max(found) < TOY.vocab_size


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "ROUNDS", 2)
    monkeypatch.setattr(inference, "ROUND_SECONDS", 0.0)
    monkeypatch.setattr(inference, "REST_SECONDS", 0.0)


def read(store: Store, stage: InferenceStage) -> InferenceResult:
    folder = store.open("inference", stage.stage.reference.fingerprint)
    folder.verify()
    return InferenceResult.model_validate(folder.read_json(RESULT))


@pytest.mark.ray
@pytest.mark.usefixtures("quick")
def test_two_arms_by_turns(sparse: Path, dense: Path, store: Store, tmp_path: Path) -> None:
    stages = [stage_of(sparse), stage_of(dense)]
    seen: list[tuple[str, int]] = []

    def see(stage: InferenceStage, point: InferencePoint) -> None:
        seen.append((stage.subject.label, point.batch_size))

    with cluster(cpus_needed=1):
        measure(stages, store, on_point=see)
        one, two = (read(store, stage) for stage in stages)
        manifest = store.open("inference", stages[0].stage.reference.fingerprint).manifest_hash()
        measure(stages, store, on_point=see)  # what is complete is left as it is
        assert store.open("inference", stages[0].stage.reference.fingerprint).manifest_hash() == manifest
        broken = saved(tmp_path / "broken-s0", replace(TOY, num_layers=TOY.num_layers + 2))
        (broken / "model.safetensors").write_bytes((sparse / "model.safetensors").read_bytes())
        with pytest.raises(StoreError, match=r"broken-s0 could not be measured: .*does not fit"):
            measure([stage_of(broken)], store, on_point=see)
    assert seen == [("sparse-s0", 1), ("dense-s0", 1), ("sparse-s0", 3), ("dense-s0", 3)]
    assert one.session == two.session
    assert (one.label, one.run_fingerprint, one.prompts) == ("sparse-s0", None, "random ids")
    for result in (one, two):
        assert [point.batch_size for point in result.points] == [1, 3]
        for point in result.points:
            assert len(point.call_seconds) == len(point.call_joules) == 2
            assert point.tokens_per_second > 0
            assert point.energy_method != "none"
            assert point.peak_bytes > 0
            assert point.cache_bytes == point.batch_size * result.points[0].cache_bytes
        assert result.points[0].peak_bytes <= result.points[1].peak_bytes
    assert one.points[0].weight_bytes > two.points[0].weight_bytes
    assert one.points[0].flops_per_token == pytest.approx(two.points[0].flops_per_token, rel=0.05)
    assert store.find_complete("inference", stage_of(broken).stage.reference.fingerprint) is None
