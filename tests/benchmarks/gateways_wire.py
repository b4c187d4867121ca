"""HTTP down to the bytes, kept alive: what the client costs is not to be what is measured."""

import asyncio
import json
from typing import Self
from urllib.parse import urlencode

_HEAD = "Host: 127.0.0.1\r\nUser-Agent: bench\r\n"


def get(path: str, token: str) -> bytes:
    """The bytes of an API request."""
    return f"GET {path} HTTP/1.1\r\n{_HEAD}Accept: application/json\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def post(path: str, content: dict[str, str]) -> bytes:
    """The bytes of a request with JSON, whose answer has its tokens in the body."""
    return _post(path, json.dumps(content), "Content-Type: application/json\r\nX-Token-Transport: body\r\n")


def form(path: str, content: dict[str, str], authorization: str) -> bytes:
    """The bytes of a request with a form."""
    about = f"Content-Type: application/x-www-form-urlencoded\r\nAuthorization: {authorization}\r\n"
    return _post(path, urlencode(content), about)


def _post(path: str, body: str, about: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\n{_HEAD}{about}Content-Length: {len(body)}\r\n\r\n{body}".encode()


class Connection(asyncio.Protocol):
    """Kept alive; one request at a time. Every answer has a ``Content-Length``."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._received = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def to(cls, port: int) -> Self:
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Status and body of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or self._answer is None:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._received = body[length:]
            answer, self._answer = self._answer, None
            answer.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None:
            self._answer.set_exception(ConnectionError("the server hung up"))

    def close(self) -> None:
        self._transport.close()


class Pool:
    """As many connections to one port as there are requests at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Connection] = []

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. A connection that failed is not used again."""
        connection = self._idle.pop() if self._idle else await Connection.to(self._port)
        answer = await connection.ask(request)
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
