"""A Hugging Face hub on loopback: as much of its API as reading data sets of a few files takes."""

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATASET = "owner/texts"
NUM_FILES, NUM_ROWS = 3, 5
DataSets = Mapping[str, Mapping[str, bytes]]
"""Files by name, in folders perhaps, of each data set by id; all have the same commit."""


def parquet(columns: Mapping[str, list[Any]]) -> bytes:
    """A file."""
    out = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), out)
    return out.getvalue()


def _texts(number: int) -> bytes:
    return parquet(
        {"text": [f"text {number} {row}" for row in range(NUM_ROWS)], "stars": list(range(NUM_ROWS))},
    )


TEXTS = {f"train-{number:05d}-of-{NUM_FILES:05d}.parquet": _texts(number) for number in range(NUM_FILES)}


@contextmanager
def hub(data_sets: DataSets | None = None) -> Iterator[str]:
    """Its address, while it lasts; without `data_sets` it has `DATASET` alone."""
    server = _Hub(("127.0.0.1", 0), _Handler)
    server.data_sets = {DATASET: TEXTS} if data_sets is None else data_sets
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Hub(ThreadingHTTPServer):
    data_sets: DataSets


class _Handler(BaseHTTPRequestHandler):
    server: _Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        asked = re.fullmatch(r"(?P<api>/api)?/datasets/(?P<id>[^/]+/[^/]+)/(?P<what>\w+)/(?P<rest>.+)", path)
        files = None if asked is None else self.server.data_sets.get(asked["id"])
        if asked is None or files is None:
            self._answer(404, error="RepoNotFound")
            return
        revision, _, name = asked["rest"].partition("/")
        if revision not in (COMMIT, "main"):
            self._answer(404, error="RevisionNotFound")
        elif asked["what"] == "revision":
            self._answer(200, json.dumps({"id": asked["id"], "sha": COMMIT, "siblings": []}).encode())
        elif asked["what"] == "tree":
            self._tree(files, name)
        else:
            self._file(files, name)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Tests look at what comes out, not at what was asked."""

    def _tree(self, files: Mapping[str, bytes], folder: str) -> None:
        prefix, inside = f"{folder}/" if folder else "", {}
        for name, content in files.items():
            above = [each for each in map(str, PurePosixPath(name).parents) if each.startswith(prefix)]
            inside |= {each: {"type": "directory"} for each in above if each != "."}
            if name.startswith(prefix):
                inside[name] = {"type": "file", "size": len(content)}
        if "recursive=true" not in self.path:
            inside = {name: kind for name, kind in inside.items() if "/" not in name.removeprefix(prefix)}
        entries = [{**kind, "path": name, "oid": "0" * 40} for name, kind in inside.items()]
        if entries:
            self._answer(200, json.dumps(entries).encode())
        else:
            self._answer(404, error="EntryNotFound")

    def _file(self, files: Mapping[str, bytes], name: str) -> None:
        if name not in files:
            self._answer(404, error="EntryNotFound")
            return
        content = files[name]
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        self._answer(206 if "Range" in self.headers else 200, content[int(first) : int(last or len(content)) + 1])

    def _answer(self, status: int, body: bytes = b"", *, error: str | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), "X-Repo-Commit": COMMIT, "ETag": '"0"', "X-Error-Code": error}
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
