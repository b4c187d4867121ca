"""A whole response as a value, sent over ASGI or handed to a handler as a Starlette response."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Scope, Send

from ..encoding import json_text

Headers = tuple[tuple[bytes, bytes], ...]

NO_STORE = (b"cache-control", b"no-store")  # RFC 6749, 5.1


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of one response. The headers include its length."""

    status: int
    headers: Headers
    body: bytes

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Send it; a HEAD request gets the headers only (RFC 9110, 9.3.2). Headers are copied: others add to them."""
        await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers]})
        body = b"" if scope.get("method") == "HEAD" else self.body
        await send({"type": "http.response.body", "body": body})

    def with_headers(self, *headers: tuple[bytes, bytes]) -> "Answer":
        """The same with more headers."""
        return Answer(self.status, (*self.headers, *headers), self.body)

    def as_response(self) -> Response:
        """The same for a handler of the app to return."""
        response = Response(self.body, self.status)
        response.raw_headers = [*self.headers]
        return response


def length(body: bytes) -> tuple[bytes, bytes]:
    """The Content-Length header of a body."""
    return (b"content-length", str(len(body)).encode())


def json_answer(status: int, content: dict[str, Any], *headers: tuple[bytes, bytes]) -> Answer:
    """A JSON answer that nobody may store."""
    body = json_text(content).encode()
    return Answer(status, ((b"content-type", b"application/json"), length(body), NO_STORE, *headers), body)


def empty_answer() -> Answer:
    """204, without a body."""
    return Answer(204, (NO_STORE,), b"")
