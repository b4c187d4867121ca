"""Real servers in this process, each in a thread of its own, and requests byte by byte."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import uvicorn
from granian.server.embed import Server as Granian
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config as HypercornConfig

from ..servers import free_port
from ..web.asgi import Reply

_PATIENCE = 20.0
SERVERS = ["h11", "httptools", "hypercorn", "granian"]
"""uvicorn in both its parsers, and two others."""


async def _uvicorn(app: Any, port: int, stop: asyncio.Event, **options: Any) -> None:
    server = uvicorn.Server(uvicorn.Config(app, port=port, ws="none", lifespan="on", log_config=None, **options))

    def end() -> None:
        server.should_exit = True

    await _until(stop, server.serve(), end)


async def _hypercorn(app: Any, port: int, stop: asyncio.Event, **options: Any) -> None:
    config = HypercornConfig.from_mapping(bind=[f"127.0.0.1:{port}"], errorlog=None, **options)
    await hypercorn_serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]


async def _granian(app: Any, port: int, stop: asyncio.Event, **options: Any) -> None:
    async def called(scope: Any, receive: Any, send: Any) -> None:
        """The app, as a function: granian looks for attributes of its own on what it is given."""
        await app(scope, receive, send)

    server = Granian(called, port=port, interface="asgi", log_enabled=False, **options)  # type: ignore[arg-type]
    await _until(stop, server.serve(), server.stop)


async def _until(stop: asyncio.Event, serving: Coroutine[Any, Any, None], end: Callable[[], None]) -> None:
    """Serve until it is to stop, or does so by itself."""
    server, stopping = asyncio.ensure_future(serving), asyncio.ensure_future(stop.wait())
    await asyncio.wait([server, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    end()
    await server


class RunningServer:
    """One of ``SERVERS`` around an app."""

    def __init__(self, app: Any, name: str, **options: Any) -> None:
        """``options``: the server's own."""
        self.name = name
        self.port = free_port()
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._options = options
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        serve = {"hypercorn": _hypercorn, "granian": _granian}.get(self.name)
        serving = serve or partial(_uvicorn, http=self.name)
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(serving(self._app, self.port, self._stop, **self._options))

    def __enter__(self) -> "RunningServer":
        self._thread.start()
        deadline = time.monotonic() + _PATIENCE
        while not self._is_up():
            assert self._thread.is_alive()
            assert time.monotonic() < deadline, f"{self.name} is not up in time"
            time.sleep(0.01)
        return self

    def _is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), _PATIENCE):
                return True
        except ConnectionRefusedError:
            return False

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)
        assert not self._thread.is_alive()

    def talk(self, raw: bytes) -> list[Reply]:
        """Send ``raw`` on a connection of its own, and return every response up to the end of the connection.

        A server that hangs up without a word has refused: the list is empty then.
        """
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), _PATIENCE) as connection:
            try:
                connection.sendall(raw)
                while chunk := connection.recv(65_536):
                    received += chunk
            except ConnectionError:  # it was reset since the server had read enough
                pass
        return _responses(received)

    def get(self, target: str | bytes, *headers: bytes, host: bytes | None = b"testserver") -> list[Reply]:
        """One GET request, its target and headers sent as they are."""
        return self.talk(request(target, *headers, host=host))


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
