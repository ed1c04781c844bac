"""Completions over HTTP: what comes out is what the model writes, and what is refused is refused in words."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from glam.data.tokenizer import Tokenizer
from glam.model.generation import GenerationConfig, complete
from glam.model.routes import chosen_experts
from glam.model.saved import load_model
from glam.store import Store
from tests.summaries import run_summary
from tests.workers.checkpoints import tiny_checkpoint
from workers import completions
from workers.completions import MAX_WAITING, BusyError, CompletionRequest, Completions, texts_of_ids
from workers.serve import MAX_BODY_BYTES, make_app

pytestmark = pytest.mark.usefixtures("one_thread")

MARKS = ("a" * 16, "b" * 16, "c" * 16)
PROMPT = "Question: é 漢 where"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Three complete runs and one that is open; the third has no summary."""
    store = Store(tmp_path_factory.mktemp("served"))
    for seed, mark in enumerate(MARKS):
        with store.claim("runs", f"sparse-s{seed}", mark) as folder:
            tiny_checkpoint(folder.path, seed=seed)
            if seed < 2:
                summary = run_summary("sparse", seed, mark, total_params=123, active_params=45)
                folder.write_text("summary.json", summary.model_dump_json())
            folder.commit(config={}, revision=1)
    with store.claim("runs", "open", "d" * 16) as folder:
        tiny_checkpoint(folder.path)
    return store


@pytest.fixture
def client(filled: Store) -> Iterator[TestClient]:
    with TestClient(make_app(filled), base_url="http://127.0.0.1:8601") as client:
        yield client


def ask(client: TestClient, **fields: Any) -> Any:
    return client.post("/complete", json={"model": MARKS[0], "prompt": PROMPT, "max_new_tokens": 6, **fields})


def test_health_and_the_complete_runs(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    found = client.get("/models").json()
    assert [model["fingerprint"] for model in found] == list(MARKS)
    assert found[1] == {
        "fingerprint": MARKS[1],
        "label": "sparse-s1",
        "arm": "sparse",
        "seed": 1,
        "parameters": 123,
        "active_parameters": 45,
    }
    assert (found[2]["arm"], found[2]["seed"], found[2]["parameters"]) == (None, None, None)


def nested(path: Path) -> None:
    path.write_text("[" * 200_000)


@pytest.mark.parametrize("spoil", [nested, os.mkfifo])
def test_a_hostile_summary_leaves_the_other_models_to_choose_from(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    store = Store(tmp_path)
    for seed, mark in enumerate(MARKS[:2]):
        with store.claim("runs", f"sparse-s{seed}", mark) as folder:
            if seed == 0:
                spoil(folder.path / "summary.json")
                folder.write_text("totals.json", "{}")
            else:
                folder.write_text("summary.json", run_summary("sparse", seed, mark).model_dump_json())
            (folder.path / "manifest.json").write_text("{}")
    assert [(each.fingerprint, each.arm) for each in Completions(store).models()] == [
        (MARKS[0], None),
        (MARKS[1], "sparse"),
    ]


@pytest.mark.parametrize("how", [{}, {"temperature": 1.5, "top_k": 40, "top_p": 0.9, "seed": 7}])
def test_the_text_is_the_models_and_its_tokens_together(client: TestClient, filled: Store, how: dict[str, Any]) -> None:
    answer = ask(client, **how)
    assert answer.status_code == 200, answer.text
    done = answer.json()
    folder = filled.open("runs", MARKS[0]).path
    config = GenerationConfig(max_new_tokens=6, **how)
    assert [done["text"]] == complete(load_model(folder), Tokenizer.load(folder), [PROMPT], config)
    assert "".join(token["text"] for token in done["tokens"]) == done["text"]
    assert 1 <= len(done["tokens"]) <= 6
    assert all(token["experts"] is None for token in done["tokens"])
    assert done["seconds"] > 0


def test_experts_are_those_that_each_new_token_chooses(client: TestClient, filled: Store) -> None:
    done = ask(client, experts=True).json()
    folder = filled.open("runs", MARKS[0]).path
    model, tokenizer = load_model(folder), Tokenizer.load(folder)
    ids = [tokenizer.end_of_text, *tokenizer.encode(PROMPT)]
    from glam.model.generation import generate

    new = generate(model, [ids], GenerationConfig(max_new_tokens=6), end_of_text=tokenizer.end_of_text).rows[0]
    expected = chosen_experts(model, [*ids, *new])[len(ids) :]
    assert [token["experts"] for token in done["tokens"]] == expected.tolist()
    assert expected.shape[1:] == (model.config.num_mixture_layers, model.config.top_k)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"model": "e" * 16}, 404, "no complete run has the fingerprint eeeeeeeeeeeeeeee; GET /models lists them"),
        ({"model": "d" * 16}, 404, "no complete run has the fingerprint"),
        ({"model": "../runs"}, 422, "model: String should match pattern"),
        ({"model": "A" * 16}, 422, "(given: 'AAAAAAAAAAAAAAAA')"),
        ({"model": "a" * 16 + "\n"}, 422, "model: String should match pattern"),
        ({"max_new_tokens": 257}, 422, "max_new_tokens: Input should be less than or equal to 256 (given: 257)"),
        ({"max_new_tokens": 0}, 422, "greater than or equal to 1"),
        ({"max_new_tokens": "many"}, 422, "max_new_tokens: Input should be a valid integer"),
        ({"temperature": -1}, 422, "temperature: Input should be greater than or equal to 0 (given: -1.0)"),
        ({"top_k": 5}, 422, "top_k=5 samples, but temperature=0 does not; set a temperature above 0"),
        ({"temperature": 1, "top_p": 0}, 422, "top_p: Input should be greater than 0"),
        ({"seed": -1}, 422, "seed"),
        ({"seed": 10**30}, 422, "seed"),
        ({"prompt": None}, 422, "prompt: Input should be a valid string (given: None)"),
        ({"nonsense": 1}, 422, "nonsense: Extra inputs are not permitted"),
        ({"prompt": "word " * 9000}, 422, "exceed the model's sequence_length=8192: shorten it by"),
    ],
)
def test_a_bad_request_is_refused_with_what_is_wrong(
    client: TestClient, fields: dict[str, Any], status: int, words: str
) -> None:
    answer = ask(client, **fields)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 422, "JSON decode error"),
        (b"[]", 422, "dictionary"),
        (b'{"model": "%s", "prompt": "a", "temperature": NaN}' % MARKS[0].encode(), 422, "finite number (given: nan)"),
        (b'{"model": "%s", "prompt": "\\ud800"}' % MARKS[0].encode(), 422, "prompt: half of a surrogate pair"),
        (b'{"model": "%s", "prompt": "a", "seed": 1%s}' % (MARKS[0].encode(), b"0" * 5000), 400, "error"),
        (b"[" * 30_000, 400, "error"),
        (b" " * (MAX_BODY_BYTES + 1), 413, f"longer than {MAX_BODY_BYTES} bytes"),
    ],
)
def test_a_hostile_body_is_refused_in_json(client: TestClient, body: bytes, status: int, words: str) -> None:
    answer = client.post("/complete", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_a_body_that_comes_in_pieces_is_bounded_too(client: TestClient) -> None:
    answer = client.post("/complete", content=(b" " * 10_000 for _ in range(100)))
    assert answer.status_code == 413


def test_a_form_of_another_page_is_no_request(client: TestClient) -> None:
    body = json.dumps({"model": MARKS[0], "prompt": "a"})
    assert client.post("/complete", content=body, headers={"content-type": "text/plain"}).status_code == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:8601"}, 200),
        ({"host": "[::1]:8601"}, 200),
        ({"host": "LOCALHOST"}, 200),
        ({"host": "rebound.example:8601"}, 421),
        ({"host": "127.0.0.1.rebound.example"}, 421),
        ({"host": "rebound.example@127.0.0.1"}, 421),
        ({"host": ""}, 421),
        ({"origin": "http://127.0.0.1:8601"}, 200),
        ({"origin": "http://127.0.0.1:8501"}, 403),
        ({"origin": "https://site.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_only_its_own_names_and_pages_are_answered(client: TestClient, headers: dict[str, str], status: int) -> None:
    answer = client.get("/models", headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["content-type"] == "application/json"


def test_another_name_is_answered_where_it_was_given(filled: Store) -> None:
    app = make_app(filled, names=["192.0.2.7"])
    assert TestClient(app, base_url="http://192.0.2.7:1").get("/health").status_code == 200
    assert TestClient(app, base_url="http://192.0.2.8:1").get("/health").status_code == 421


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/openapi.json", "/complete"])
def test_there_is_nothing_else_and_no_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (404, 405)
    assert list(answer.json()) == ["error"]


def test_the_two_models_last_used_are_kept_and_files_are_hashed_once(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    hashed: list[bool] = []
    from glam.model import saved
    from glam.store import Folder

    load, verify = saved.load_model, Folder.verify
    monkeypatch.setattr(saved, "load_model", lambda path: loaded.append(path.name[-1]) or load(path))
    monkeypatch.setattr(
        Folder, "verify", lambda self, *, contents=True: hashed.append(contents) or verify(self, contents=contents)
    )
    served = Completions(filled)
    for mark in ("a", "b", "a", "c", "a", "b"):
        served.complete(CompletionRequest(model=mark * 16, prompt="a", max_new_tokens=1))
    assert loaded == ["a", "b", "c", "b"]
    assert hashed == [True, True, True, False]


def test_a_run_that_is_not_what_its_manifest_says_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.claim("runs", "sparse-s0", MARKS[0]) as folder:
        tiny_checkpoint(folder.path)
        folder.commit(config={}, revision=1)
    weights = folder.path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    answer = ask(TestClient(make_app(store), base_url="http://127.0.0.1"))
    assert answer.status_code == 409
    assert "other content than its manifest says" in answer.json()["error"]


def test_one_writes_some_wait_and_the_next_is_turned_away(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from glam.model import generation

    entered, leave = threading.Semaphore(0), threading.Event()
    at_once: list[int] = []
    busy = threading.Lock()
    generate = generation.generate

    def slow(*args: Any, **kwargs: Any) -> Any:
        at_once.append(busy.acquire(blocking=False))
        entered.release()
        leave.wait(timeout=60)
        busy.release()
        return generate(*args, **kwargs)

    monkeypatch.setattr(generation, "generate", slow)
    served = Completions(filled)
    request = CompletionRequest(model=MARKS[0], prompt="a", max_new_tokens=1)
    threads = [threading.Thread(target=served.complete, args=(request,)) for _ in range(1 + MAX_WAITING)]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=60)
    while served._places._value > 0:
        time.sleep(0.01)
    with pytest.raises(BusyError, match=f"{MAX_WAITING} wait already: try again"):
        served.complete(request)
    leave.set()
    for thread in threads:
        thread.join(timeout=60)
    assert at_once == [True] * (1 + MAX_WAITING), "never two at once"
    assert served.complete(request).tokens, "there is room again"


def test_too_many_is_503_in_words(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BusyError("4 wait already")

    monkeypatch.setattr(completions.Completions, "complete", refuse)
    answer = ask(client)
    assert (answer.status_code, answer.json()) == (503, {"error": "4 wait already"})


class Bytes:
    """Decodes ids as bytes; as a tokenizer, a run that is not whole becomes one replacement for each byte."""

    def decode(self, ids: list[int]) -> str:
        try:
            return bytes(ids).decode()
        except UnicodeDecodeError:
            return bytes(ids).decode(errors="replace")


@pytest.mark.parametrize("text", [b"", b"plain", "é漢😀".encode(), b"\xff\xfeab", "a😀".encode()[:-1], b"\xf0\x9f"])
def test_texts_of_tokens_are_cut_between_characters_and_lose_nothing(text: bytes) -> None:
    ids = list(text)
    texts = texts_of_ids(Bytes(), ids)  # pyright: ignore[reportArgumentType]
    assert len(texts) == len(ids)
    assert "".join(texts) == Bytes().decode(ids)
