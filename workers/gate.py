"""What a server on loopback lets in: requests to its own name, of its own pages or of none, of a bounded size.

A page of another site may ask a browser to call 127.0.0.1, by its number or by a name of the site's own that has been
made to mean it. Its requests carry that name as Host, or the site as Origin.
"""

import json
import re
from collections.abc import Iterable
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]+)?")


class Gate:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, names: Iterable[str] = (), max_body_bytes: int):
        """`names` are answered besides those of loopback."""
        self._app = app
        self._names = LOOPBACK_NAMES | {name.lower() for name in names}
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name(host) not in self._names:
            words = f"this server is not called {host!a}: ask it as {', '.join(sorted(self._names))}"
            await _refuse(send, HTTPStatus.MISDIRECTED_REQUEST, words)
        elif origin is not None and origin.lower() != f"http://{host.lower()}":
            await _refuse(send, HTTPStatus.FORBIDDEN, f"pages of {origin!a} may not ask this server")
        elif (body := await self._body(receive)) is None:
            words = f"the request is longer than {self._max_body_bytes} bytes: shorten it"
            await _refuse(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
        else:
            await self._app(scope, _replay(body, receive), send)

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole of it; None when it is longer than allowed."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _name(host: str) -> str | None:
    """Of a Host header, without its port and brackets; None for what is no name."""
    found = HOST.fullmatch(host.lower())
    return (found["v6"] or found["name"]) if found else None


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


async def _refuse(send: Send, status: HTTPStatus, words: str) -> None:
    body = json.dumps({"error": words}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
