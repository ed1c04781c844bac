"""Every format gives the documents of the JSON lines it was made from; every fault is counted with file and line."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glam.config import SourceConfig
from glam.data import streams
from glam.data.readers import READERS, read_unit
from glam.data.sources import plan_shards
from glam.data.units import FileKind
from glam.records import Document, Drop
from tests.data.archives import page, warc

RECORDS = [
    {"text": f"text number {number}", "id": f"r{number}", "unit": f"u{number % 7}", "curated": number % 2 == 0}
    for number in range(200)
]


def local(path: Path) -> SourceConfig:
    return SourceConfig(name="local_files", paths=(str(path),), num_shards=1)


def read(path: Path) -> list[Document | Drop]:
    return [each for unit in plan_shards(local(path))[0] for each in read_unit(unit)]


def documents(path: Path) -> list[Document]:
    return [each for each in read(path) if isinstance(each, Document)]


def faults(path: Path) -> list[tuple[str, str | None]]:
    """Reason and detail of each drop, whose id is the unit and the line."""
    drops = [each for each in read(path) if isinstance(each, Drop)]
    assert all(path.name not in drop.document_id for drop in drops)
    assert all(drop.model_dump_json().encode() for drop in drops)
    return [(drop.reason, drop.detail) for drop in drops]


def jsonl(records: list[dict]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


def parquet(records: list[dict]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), out, row_group_size=64)
    return out.getvalue()


ENCODINGS: dict[str, Callable[[list[dict]], bytes]] = {
    ".jsonl": jsonl,
    ".jsonl.gz": lambda records: gzip.compress(jsonl(records)),
    ".json.gz": lambda records: gzip.compress(jsonl(records)),
    ".jsonl.zst": lambda records: zstd(jsonl(records)),
    ".json.zst": lambda records: zstd(jsonl(records)),
    ".parquet": parquet,
}


@pytest.mark.parametrize("ending", ENCODINGS)
def test_a_format_gives_the_documents_of_the_json_lines_it_was_made_from(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"records{ending}"
    path.write_bytes(ENCODINGS[ending](RECORDS))
    assert [each.model_dump(include={"text", "id", "unit", "curated"}) for each in documents(path)] == RECORDS


def test_streams_in_several_pieces_are_read_to_the_end(tmp_path: Path) -> None:
    for name, compress in (("a.jsonl.gz", gzip.compress), ("a.jsonl.zst", zstd)):
        (tmp_path / name).write_bytes(compress(jsonl(RECORDS[:100])) + compress(jsonl(RECORDS[100:])))
        assert len(documents(tmp_path / name)) == 200


def test_absent_and_null_fields_and_numbers_as_ids(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"text": "one", "id": 12, "unit": None, "other": [1]}]))
    (document,) = documents(path)
    assert (document.id, document.source, document.curated) == ("12", "records", False)
    assert document.unit.endswith(":0")


def test_a_page_gives_its_main_text(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(page("Sugar beet"))
    (document,) = documents(path)
    assert "Sugar beet was grown" in document.text
    assert "Home" not in document.text
    assert document.source == "web"


def test_a_page_is_read_in_the_encoding_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "page.htm"
    path.write_bytes(page("Café à Paris").decode().replace("utf-8", "iso-8859-1").encode("latin-1"))
    assert "Café à Paris" in documents(path)[0].text


def test_an_archive_gives_its_pages_by_site(tmp_path: Path) -> None:
    records = [
        warc("http://a.example/1", page("One")),
        warc("http://a.example/2", page("Two"), request=True),
        warc("http://a.example/3", b"\x89PNG\0", content_type="image/png"),
        warc("http://b.example/4", page("Four"), status="404 Not Found"),
        warc("http://b.example/5", gzip.compress(page("Five" * 50_000)), encoding="gzip"),
    ]
    (tmp_path / "a.warc").write_bytes(b"".join(records))
    (tmp_path / "a.warc.gz").write_bytes(b"".join(map(gzip.compress, records)))
    plain, compressed = documents(tmp_path / "a.warc"), documents(tmp_path / "a.warc.gz")
    assert [each.unit for each in plain] == ["a.example", "b.example"]
    assert len(plain[1].text) > 200_000
    assert [each.text for each in compressed] == [each.text for each in plain]
    assert faults(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b'{"text": "cut off', "bad_json", "Unterminated string"),
        (b"[1]", "bad_record", "a JSON list"),
        (b'{"body": "x"}', "bad_record", "its text is NoneType; its fields are ['body']"),
        (b'{"\\ud800": "x"}', "bad_record", "its fields are ['\\ud800']"),
        (b'{"text": "x", "curated": [1]}', "bad_record", "curated: "),
        (b'{"text": "\xff"}', "not_utf8", "invalid start byte"),
        (b'{"text": "\\ud800"}', "not_utf8", "half a surrogate pair"),
        (b'{"text": "a\0b"}', "nul_bytes", "1 bytes of value 0"),
        (b'{"text": "a\\u0000b"}', "nul_bytes", "a character of value 0"),
        (b'{"text": " "}', "empty", "no text"),
        (b'{"text": "' + b"x" * 70_000 + b'"}', "oversized", "more than 60,000 bytes in a line"),
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_faulty_line_is_counted_with_file_and_line(
    name: str, line: bytes, reason: str, detail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_BYTES", 60_000)
    path = tmp_path / name
    content = b'{"text": "before"}\n\n' + line + b'\n{"text": "after"}'
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    ((found, where),) = faults(path)
    assert found == reason
    assert where is not None
    assert where.startswith(name)
    assert where.partition(":")[0].endswith("line 3") or ":2:" in where
    assert detail in where
    assert [each.text for each in documents(path)] == ["before", "after"]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("keep", [0, 10, 0.5, -1])
def test_a_cut_stream_gives_what_came_before_and_says_where_it_ends(name: str, keep: float, tmp_path: Path) -> None:
    records = [{"text": f"{number * 7919 % 100_003} and {number * 104_729 % 999_983}"} for number in range(40_000)]
    whole = gzip.compress(jsonl(records)) if name.endswith("gz") else zstd(jsonl(records))
    path = tmp_path / name
    path.write_bytes(whole[: int(len(whole) * keep) if 0 < keep < 1 else int(keep)])
    num_read = len(documents(path))
    ((reason, where),) = faults(path)
    assert reason == "truncated"
    assert str(where).startswith(f"{name} line {num_read + 1}: ")
    assert (num_read > 10_000) == (keep not in (0, 10))


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_stream_that_does_not_decode_is_corrupt(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"no compressed stream at all")
    assert [reason for reason, _ in faults(tmp_path / name)] == ["corrupt"]


@pytest.mark.parametrize("name", ["one_line.jsonl.zst", "many_lines.jsonl.zst", "one_line.jsonl.gz"])
def test_a_bomb_is_left_in_bounded_memory(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_BYTES", 100_000)
    monkeypatch.setattr(streams, "MIN_BOMB_BYTES", 2_000_000)
    path = tmp_path / name
    content = b"a" * 20_000_000 if "one" in name else (b'{"no": "' + b"a" * 10_000 + b'"}\n') * 2_000
    path.write_bytes(zstd(content) if name.endswith("zst") else gzip.compress(content))
    arrow_before = pa.total_allocated_bytes()
    seen: dict[str, Drop] = {}
    tracemalloc.start()
    try:
        for each in (each for unit in plan_shards(local(path))[0] for each in read_unit(unit)):
            assert isinstance(each, Drop)
            seen[each.reason] = each
            assert pa.total_allocated_bytes() - arrow_before < 5_000_000
        assert tracemalloc.get_traced_memory()[1] < 2_500_000  # a piece of 1 MiB, of which the file is hashed
    finally:
        tracemalloc.stop()
    assert set(seen) == ({"bomb"} if "one" in name else {"bad_record", "bomb"})
    assert "became more than" in str(seen["bomb"].detail)


def test_a_parquet_file_that_is_cut_or_none_at_all_is_counted(tmp_path: Path) -> None:
    whole = parquet(RECORDS)
    for name, content in (("cut", whole[: len(whole) // 2]), ("empty", b""), ("head", whole[:6])):
        (tmp_path / f"{name}.parquet").write_bytes(content)
        assert [reason for reason, _ in faults(tmp_path / f"{name}.parquet")] == ["truncated"]
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "other.parquet")
    assert faults(tmp_path / "other.parquet") == [
        ("bad_record", "other.parquet row 1: no column text; its columns are ['body']")
    ]


def test_rows_of_parquet_without_text_are_counted_by_their_number(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    offsets, characters = pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"x\xff")
    broken = pa.Array.from_buffers(pa.string(), 2, [None, offsets, characters])
    pq.write_table(pa.table({"text": pa.chunked_array([broken, pa.array([None, "last"])])}), path)
    assert [each.text for each in documents(path)] == ["x", "last"]
    (first, where), (second, _) = faults(path)
    assert (first, second) == ("not_utf8", "bad_record")
    assert str(where).startswith("a.parquet row 2: ")


def test_a_parquet_file_of_one_long_value_repeated_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MIN_BOMB_BYTES", 2_000_000)
    path = tmp_path / "a.parquet"
    repeated = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array(["a" * 100_000]))
    pq.write_table(pa.table({"text": repeated}), path, compression="zstd", store_schema=False)
    assert [reason for reason, _ in faults(path)] == ["bomb"]


def test_faults_of_an_archive_are_counted_by_record_and_leave_the_others(tmp_path: Path) -> None:
    good = [warc(f"http://{name}.example/", page(name)) for name in "ab"]
    broken = warc("http://c.example/", b"no gzip" * 20, encoding="gzip")
    bomb = warc("http://d.example/", gzip.compress(bytes(streams.MAX_BYTES + 1)), encoding="gzip")
    no_answer = warc("http://e.example/", page("e")).replace(b"HTTP/1.1 200 OK", b"what is this ??")
    path = tmp_path / "a.warc"
    path.write_bytes(b"".join((good[0], broken, bomb, no_answer, good[1])))
    assert [each.unit for each in documents(path)] == ["a.example", "b.example"]
    assert [(reason, str(where).partition(":")[0]) for reason, where in faults(path)] == [
        ("corrupt", "a.warc record 2"),
        ("bomb", "a.warc record 3"),
        ("bad_record", "a.warc record 4"),
    ]


def test_an_archive_is_truncated_wherever_within_a_record_it_is_cut(tmp_path: Path) -> None:
    first, second = (warc(f"http://{name}.example/", page(name)) for name in "ab")
    path = tmp_path / "a.warc"
    for end in (10, 200, len(second) // 2, len(second) - 1):
        path.write_bytes(first + second[:end])
        assert [reason for reason, _ in faults(path)] == ["truncated"]
        assert len(documents(path)) >= 1
        compressed = path.with_suffix(".warc.gz")
        compressed.write_bytes((gzip.compress(first) + gzip.compress(second))[:-end])
        assert [reason for reason, _ in faults(compressed)] == ["truncated"]


def test_every_kind_of_file_has_a_reader() -> None:
    assert set(get_args(FileKind)) == set(READERS)
