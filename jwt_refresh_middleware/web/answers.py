"""A whole response as a value, sent over ASGI or handed to a handler as a Starlette response."""

from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.types import Scope, Send

from ..encoding import json_text

Headers = tuple[tuple[bytes, bytes], ...]

_JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")  # RFC 6749, 5.1


class Answer(NamedTuple):
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
    return (b"content-length", b"%d" % len(body))


def json_answer(status: int, content: dict[str, Any], *headers: tuple[bytes, bytes]) -> Answer:
    """A JSON answer that nobody may store."""
    return written_answer(status, json_text(content), *headers)


def written_answer(status: int, text: str, *headers: tuple[bytes, bytes]) -> Answer:
    """The same of JSON that is text already, in ASCII."""
    body = text.encode("ascii")
    return Answer(status, (_JSON, length(body), NO_STORE, *headers), body)


def empty_answer() -> Answer:
    """204, without a body."""
    return Answer(204, (NO_STORE,), b"")
