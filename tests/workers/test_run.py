"""An opened run knows what its held-out text is."""

from glam.config import DataConfig, Experiment, RunOptions, TrainConfig, replace
from glam.data.heldout import HeldOut
from glam.data.token_kinds import TOKEN_KINDS
from glam.lineage import run_stage
from glam.store import Store
from glam.variants import VARIANTS
from tests.data.conftest import prepare_here
from workers.run import open_run


def test_of_each_held_out_row_the_source_and_of_each_id_the_kind(tiny_data: DataConfig, store: Store) -> None:
    experiment = Experiment(
        data=tiny_data,
        model=replace(VARIANTS["toy_4e"], vocab_size=300, sequence_length=32),
        train=TrainConfig(num_steps=1, global_batch_size=2, heldout_sequences=8),
    )
    stage = run_stage("sparse", 0, experiment, prepare_here(tiny_data, store)).stage
    reads = {read.kind: read.fingerprint for read in stage.reads}
    with store.claim(**stage.reference.model_dump()) as folder:
        run = open_run(store, experiment.model, experiment.train, reads, folder, RunOptions())
    documents = HeldOut(store.open("heldout", reads["heldout"]).path).documents()
    assert dict(zip(run.heldout_units, run.heldout_sources, strict=True)).items() <= {
        (each.unit, each.source) for each in documents
    }
    assert len(run.heldout_rows) == len(run.heldout_sources) > 1
    kinds = [run.token_kind(each) for row in run.heldout_rows for each in row]
    assert {"word start", "word piece", "whitespace"} <= set(kinds) <= set(TOKEN_KINDS)
