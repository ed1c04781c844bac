"""`glam serve`: completions of a store's runs over HTTP, as JSON and nothing else.

    GET /health    GET /models    POST /complete

As a program (`python -m workers.serve --store DIR`) it is that server, until it is told to stop.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from glam import environment
from glam.environment import LOOPBACK
from glam.store import IntegrityError, Store, StoreError
from infra.ports import is_free, listener, require_host
from workers.completions import BusyError, Completion, CompletionRequest, Completions, ServedModel
from workers.gate import Gate

MAX_BODY_BYTES = 1 << 16
SHOWN_CHARACTERS = 60
"""Of a value that is refused."""
STATUS_OF: Mapping[type[Exception], HTTPStatus] = {
    BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
    IntegrityError: HTTPStatus.CONFLICT,
    StoreError: HTTPStatus.NOT_FOUND,
    ValueError: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Of errors whose message says what, which value and what to do."""


def make_app(store: Store, *, names: Sequence[str] = ()) -> FastAPI:
    """The server of one store; `names` are host names it answers to besides those of loopback."""
    app = FastAPI(title="glam", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Gate, names=names, max_body_bytes=MAX_BODY_BYTES)
    completions = Completions(store)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/models")
    def models() -> list[ServedModel]:
        return completions.models()

    @app.post("/complete")
    def complete(request: CompletionRequest) -> Completion:
        return completions.complete(request)

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(ValidationError)
    def refuse_fields(_: Request, error: RequestValidationError | ValidationError) -> JSONResponse:
        return _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(_sentence(each) for each in error.errors()))

    @app.exception_handler(HTTPException)
    def refuse_request(_: Request, error: HTTPException) -> JSONResponse:
        return _refusal(HTTPStatus(error.status_code), str(error.detail))

    for kind, status in STATUS_OF.items():

        @app.exception_handler(kind)
        def refuse(_: Request, error: Exception, status: HTTPStatus = status) -> JSONResponse:
            return _refusal(status, str(error))

    return app


def serve(store: Store, *, port: int, host: str = LOOPBACK) -> None:
    """Answers until SIGINT or SIGTERM. Raises ValueError for a host that is not ours and for a port in use."""
    require_host(host)
    if not is_free(port, host):
        raise ValueError(f"port {port} is in use by {listener(port) or 'another process'}: choose another with --port")
    config = uvicorn.Config(
        make_app(store, names=[host]),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run()


def _refusal(status: HTTPStatus, words: str) -> JSONResponse:
    return JSONResponse({"error": words}, status)


def _sentence(error: Mapping[str, Any]) -> str:
    """Field, complaint and value; in ASCII, for half a character in a value could not be sent."""
    place = ".".join(str(part) for part in error["loc"] if part != "body")
    message = str(error["msg"]).removeprefix("Value error, ")
    given = ascii(error.get("input"))
    if len(given) > SHOWN_CHARACTERS:
        given = given[:SHOWN_CHARACTERS] + "..."
    return f"{place}: {message} (given: {given})" if place else message


def main() -> int:
    """Entry point of `python -m workers.serve`."""
    environment.apply()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(os.environ.get("GLAM_STORE", ".glam")))
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    serve(Store(given.store), port=given.port, host=given.host)
    return 0


if __name__ == "__main__":
    sys.exit(main())
