import pytest

from glam.analysis.evidence import HELDOUT, HELDOUT_ROWS, ITEMS, RESULT, STEPS, SUMMARY, read_run
from glam.store import IntegrityError, Store, StoreError
from glam.store.tables import write_table


def write(store: Store, evidence, *, summary: bool = True):
    with store.claim("runs", "sparse", "0" * 16) as run:
        if summary:
            run.write_text(SUMMARY, evidence.summary.model_dump_json())
        run.append(STEPS, [evidence.steps[0], *evidence.steps])
        run.append(HELDOUT, evidence.heldout)
        run.append(HELDOUT_ROWS, [*evidence.heldout_rows[:1], *evidence.heldout_rows])
        run.commit(config={}, revision=1, numerics=evidence.numerics)
    folders = []
    for number, score in enumerate(evidence.scores.values()):
        with store.claim("scores", "sparse", f"{number:016x}") as folder:
            folder.write_text(RESULT, score.result.model_dump_json())
            write_table(folder, ITEMS, score.items)
            folder.commit(config={}, revision=1)
        folders.append(folder)
    return run, folders


@pytest.fixture
def evidence(make_study, make_evidence):
    return make_evidence(make_study())["sparse", 0]


def test_what_was_written_is_read(tmp_path, evidence):
    assert read_run(*write(Store(tmp_path), evidence)) == evidence


def test_a_missing_summary_is_named(tmp_path, evidence):
    run, folders = write(Store(tmp_path), evidence, summary=False)
    with pytest.raises(StoreError, match=r"summary\.json is missing"):
        read_run(run, folders)


def test_an_unfinished_run_is_refused(tmp_path, evidence):
    with Store(tmp_path).claim("runs", "sparse", "0" * 16) as run:
        run.write_text(SUMMARY, evidence.summary.model_dump_json())
    with pytest.raises(IntegrityError, match="not complete"):
        read_run(run, [])
