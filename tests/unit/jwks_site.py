"""An issuer that only publishes keys, over real HTTP, and does whatever a test tells it to."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

PATIENCE = 10.0
Behaviour = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


async def until(happened: Callable[[], object]) -> None:
    """Wait for it; a TimeoutError if it does not come."""
    async with asyncio.timeout(PATIENCE):
        while not happened():
            await asyncio.sleep(0.002)


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def saying(raw: bytes) -> Behaviour:
    """Answers every request with these bytes."""

    async def say(writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.write(raw)
        await writer.drain()

    return say


def publishing(jwks: Any, *headers: str) -> Behaviour:
    """Answers every request with this JWK Set."""
    return saying(response(json.dumps(jwks).encode(), "Content-Type: application/jwk-set+json", *headers))


class Site:
    """Listens from entering to leaving it, each time at the same port.

    Attributes:
        behaviour: how a request is answered.
        heads: request line and headers of every request.
        gate: answers wait until it is set.
        sent: bytes of the answers that a behaviour counts itself.
    """

    def __init__(self, behaviour: Behaviour, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self.heads: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = port
        self.sent = 0
        self._context = context
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}/auth/jwks.json"

    @property
    def requests(self) -> int:
        return len(self.heads)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in [*self._tasks]:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await self.gate.wait()
                await self.behaviour(writer, self.heads[-1])
        finally:
            writer.close()
            self._tasks.discard(task)
