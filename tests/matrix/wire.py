"""The plainest of HTTP/1.1 clients: one connection, bytes as they are, answers read piece by piece."""

import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import urlencode

from ..web.asgi import AGENT, Reply

_PATIENCE = 20.0


def request_bytes(
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    body: bytes = b"",
    json_body: Any = None,
    form: Mapping[str, str] | None = None,
) -> bytes:
    """A whole request."""
    lines = {"host": "testserver", "user-agent": AGENT}
    if json_body is not None:
        body, lines["content-type"] = json.dumps(json_body).encode(), "application/json"
    if form is not None:
        body, lines["content-type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
    if body or method == "POST":
        lines["content-length"] = str(len(body))
    lines |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


class Line:
    """A connection to a server, for any number of requests one after another."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        self._received = b""
        self.is_over = False
        """Whether the last answer was the last one of this connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **content: Any) -> Reply:
        self.send(request_bytes(method, path, headers, **content))
        return self.reply(method)

    def reply(self, method: str = "GET") -> Reply:
        """The next answer, complete."""
        status, headers = self.head()
        body = b"" if method == "HEAD" or status in (204, 304) else b"".join(self.pieces(headers))
        return Reply(status, headers, body)

    def head(self) -> tuple[int, tuple[tuple[bytes, bytes], ...]]:
        """Status and headers of the next answer."""
        first, *lines = self._until(b"\r\n\r\n").split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
        self.is_over = (b"connection", b"close") in [(name, value.lower()) for name, value in headers]
        return int(first.split()[1]), headers

    def pieces(self, headers: tuple[tuple[bytes, bytes], ...]) -> Iterator[bytes]:
        """The body, each piece as soon as it is here."""
        named = dict(headers)
        if named.get(b"transfer-encoding", b"").lower() == b"chunked":
            while size := int(self._until(b"\r\n").partition(b";")[0], 16):
                yield self._exactly(size)
                self._until(b"\r\n")
            self._until(b"\r\n")
        elif b"content-length" in named:
            yield self._exactly(int(named[b"content-length"]))
        else:
            self.is_over = True
            while self._more():
                received, self._received = self._received, b""
                yield received

    def ends(self) -> bool:
        """Whether the server closes the connection without another word; waits for it."""
        return not self._received and not self._more()

    def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            if not self._more():
                raise ConnectionResetError(f"the connection ended after {self._received!r}")
        found, _, self._received = self._received.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            if not self._more():
                raise ConnectionResetError(f"the connection ended after {len(self._received)} bytes of {size}")
        found, self._received = self._received[:size], self._received[size:]
        return found

    def _more(self) -> bool:
        try:
            received = self._socket.recv(65_536)
        except ConnectionError:
            return False
        self._received += received
        return bool(received)
