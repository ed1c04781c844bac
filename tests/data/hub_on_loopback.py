"""A Hugging Face hub on loopback: as much of its API as reading one data set of Parquet files takes."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATASET = "owner/texts"
NUM_FILES, NUM_ROWS = 3, 5


@contextmanager
def hub() -> Iterator[str]:
    """Its address, while it lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _file(number: int) -> bytes:
    out = io.BytesIO()
    texts = [f"text {number} {row}" for row in range(NUM_ROWS)]
    pq.write_table(pa.table({"text": texts, "stars": list(range(NUM_ROWS))}), out)
    return out.getvalue()


FILES = {f"train-{number:05d}-of-{NUM_FILES:05d}.parquet": _file(number) for number in range(NUM_FILES)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        api, content = f"/api/datasets/{DATASET}", f"/datasets/{DATASET}/resolve/{COMMIT}/"
        if path in (f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
            self._answer(200, json.dumps({"id": DATASET, "sha": COMMIT, "siblings": []}).encode())
        elif path == f"{api}/tree/{COMMIT}":
            entries = [{"type": "file", "path": name, "size": len(FILES[name]), "oid": "0" * 40} for name in FILES]
            self._answer(200, json.dumps(entries).encode())
        elif path.startswith((f"{api}/tree", content)):
            self._file(path.removeprefix(content))
        else:
            self._answer(404, error="RevisionNotFound" if path.startswith(f"{api}/revision") else "RepoNotFound")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Tests look at what comes out, not at what was asked."""

    def _file(self, name: str) -> None:
        if name not in FILES:
            self._answer(404, error="EntryNotFound")
            return
        content = FILES[name]
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
