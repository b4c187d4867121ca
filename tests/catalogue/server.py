"""A real server on a free port, and requests byte by byte."""

import socket
import threading
from typing import Any

import uvicorn

from tests.servers import listening_socket

from ..web.asgi import Reply

_PATIENCE = 20.0


class RunningServer:
    """uvicorn in a thread, with the protocol implementation that is asked for."""

    def __init__(self, app: Any, http: Any, **options: Any) -> None:
        self._listener = listening_socket()
        self.port: int = self._listener.getsockname()[1]
        config = uvicorn.Config(app, http=http, ws="none", lifespan="on", log_config=None, **options)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    def __enter__(self) -> "RunningServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(_PATIENCE)
        self._listener.close()
        assert not self._thread.is_alive()

    def talk(self, raw: bytes) -> list[Reply]:
        """See :func:`talk`."""
        return talk(self.port, raw)

    def get(self, target: str | bytes, *headers: bytes, host: bytes | None = b"testserver") -> list[Reply]:
        """One GET request, its target and headers sent as they are."""
        return self.talk(request(target, *headers, host=host))


def talk(port: int, raw: bytes) -> list[Reply]:
    """Send ``raw`` on a connection of its own, and return every response up to the end of the connection.

    A server that hangs up without a word has refused: the list is empty then.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as connection:
        try:
            connection.sendall(raw)
            while chunk := connection.recv(65_536):
                received += chunk
        except ConnectionError:  # it was reset since the server had read enough
            pass
    return _responses(received)


def request(
    target: str | bytes, *headers: bytes, host: bytes | None = b"testserver", last: bool = True, method: bytes = b"GET"
) -> bytes:
    """The bytes of a request without a body."""
    target = target.encode("latin-1") if isinstance(target, str) else target
    lines = [method + b" " + target + b" HTTP/1.1", *([b"Host: " + host] if host is not None else []), *headers]
    return b"\r\n".join([*lines, *([b"Connection: close"] if last else []), b"", b""])


def _responses(received: bytes) -> list[Reply]:
    replies = []
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        assert end, head
        status, *lines = head.split(b"\r\n")
        pairs = [line.split(b": ", 1) for line in lines]
        headers = tuple((name.lower(), value) for name, value in pairs)
        body, received = _body(dict(headers), received)
        replies.append(Reply(int(status.split(b" ")[1]), headers, body))
    return replies


def _body(headers: dict[bytes, bytes], received: bytes) -> tuple[bytes, bytes]:
    """The body of the response that begins here, and what comes after it."""
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return _unchunked(received)
    size = int(headers.get(b"content-length", len(received)))
    return received[:size], received[size:]


def _unchunked(received: bytes) -> tuple[bytes, bytes]:
    body = b""
    while received:
        line, _, received = received.partition(b"\r\n")
        size = int(line, 16)
        body, received = body + received[:size], received[size + 2 :]
        if not size:
            break
    return body, received
