import pytest

from glam.records import ItemScore
from glam.store import Store
from glam.store.tables import read_table, write_table

ITEMS = [
    ItemScore(item_id="a", cluster="c", value=1.0, others={"f1": 0.5, "exact_match": 0.0}, demonstrations=("x", "y")),
    ItemScore(item_id="b", cluster="c", value=None, excess_tokens=3, choices=(" é", " no"), right=(1,)),
    ItemScore(item_id="c", cluster="d", value=0.0, others={"accuracy": 1.0}, log_likelihoods=(-1.25, -1e-300)),
]


@pytest.mark.parametrize("items", [ITEMS, ITEMS[1:2], []])
def test_what_was_written_is_read(tmp_path, items):
    with Store(tmp_path).claim("scores", "x", "0" * 16) as folder:
        write_table(folder, "items.parquet", items)
        assert read_table(folder, "items.parquet", ItemScore) == items
        assert not list(folder.path.glob("*.partial"))
