"""A fleet of server processes over one store, and plain HTTP to them over connections that stay open."""

import asyncio
import json
import os
import re
import select
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from tests.servers import listening_socket

from .nursery import Nursery
from .server import Setup

_PATIENCE = 20.0
_HUNG = 598
"""The status given to a request that was not answered at all."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Lost(ConnectionError):
    """The connection broke before the answer was complete: whether the request did anything is unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and how many seconds it took."""

    status: int
    body: dict[str, Any]
    retry_after: int | None
    seconds: float

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))


class Server:
    """One server process at a time, on one port. The port outlives it: who comes while it is dead waits."""

    def __init__(self, nursery: Nursery, setup: Setup) -> None:
        self._nursery = nursery
        self._setup = setup
        self._listening = listening_socket(512)
        self._port: int = self._listening.getsockname()[1]
        self._idle: list[Connection] = []
        self._handle = -1
        self.start()

    def start(self) -> None:
        self._handle = self._nursery.fork(self._setup, self._listening)

    def kill(self) -> None:
        """SIGKILL; the process is gone when this returns."""
        if self._handle >= 0:
            self._signal(signal.SIGKILL)
            self._forget()

    def is_gone(self) -> bool:
        if self._handle < 0:
            return True
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(0))

    async def gone(self, seconds: float) -> bool:
        """Wait for its end; whether it came within ``seconds``."""
        deadline = time.monotonic() + seconds
        while not self.is_gone():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.002)
        self._forget()
        return True

    async def close(self) -> None:
        """An orderly end, and an end all the same if it does not come."""
        self._drop_idle()
        if self._handle >= 0:
            self._signal(signal.SIGTERM)
            if not await self.gone(5):
                self.kill()
        self._listening.close()
        await asyncio.sleep(0)  # the transports' own last words

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)
        if number is signal.SIGKILL:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            poll.poll(5000)

    def _forget(self) -> None:
        os.close(self._handle)
        self._handle = -1
        self._drop_idle()

    def _drop_idle(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def _connect(self) -> Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, token: str = "", number: str = ""
    ) -> Answer:
        """One request. Raises Lost."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                connection = await self._connect()
                try:
                    connection[1].write(_request(method, path, body, token, number))
                    head = await connection[0].readuntil(b"\r\n\r\n")
                    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                    content = await connection[0].readexactly(int(length[1]) if length else 0)
                except BaseException:
                    connection[1].close()
                    raise
        except (OSError, EOFError) as error:
            if isinstance(error, TimeoutError):
                return Answer(_HUNG, {}, None, _PATIENCE)
            raise Lost from error
        self._idle.append(connection)
        again = re.search(rb"(?i)\r\nretry-after: *(\d+)", head)
        seconds = time.monotonic() - began
        parsed = json.loads(content) if content.startswith(b"{") else {}
        return Answer(int(head.split(None, 2)[1]), parsed, int(again[1]) if again else None, seconds)

    async def ask_and_leave(self, path: str, body: dict[str, Any], number: str, after: float) -> None:
        """Send a request and close the connection ``after`` seconds, whatever has come by then.

        On a connection that the server knows: what is asked on another one afterwards is then read after this.
        """
        with suppress(OSError):
            if not self._idle:
                await self.told()
            _, writer = await self._connect()
            writer.write(_request("POST", path, body, "", number))
            await writer.drain()
            await asyncio.sleep(after)
            writer.close()

    async def told(self) -> dict[str, Counter[str]]:
        """The events of the process that runs now: ``counts`` by name, ``reuses`` by session."""
        answer = await self.ask("GET", "/events")
        return {name: Counter(counts) for name, counts in answer.body.items()}


def _request(method: str, path: str, body: dict[str, Any] | None, token: str, number: str) -> bytes:
    content = json.dumps(body).encode() if body is not None else b""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "User-Agent: tests/1", "X-Token-Transport: body"]
    lines += [f"Content-Length: {len(content)}", "Content-Type: application/json"] if content else []
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"X-Id: {number}"] if number else []
    return "\r\n".join([*lines, "", ""]).encode() + content


class Fleet:
    """Several servers over one store. ``async with`` starts and ends them."""

    def __init__(self, nursery: Nursery, setup: Setup, processes: int) -> None:
        self._nursery = nursery
        self._setup = setup
        self._processes = processes
        self._past: Counter[str] = Counter()
        self.servers: list[Server] = []

    async def __aenter__(self) -> Self:
        try:
            for _ in range(self._processes):
                self.servers.append(Server(self._nursery, self._setup))
            await asyncio.gather(*(server.told() for server in self.servers))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(server.close() for server in self.servers))

    async def doom(self, server: Server, point: str, number: int) -> None:
        """Let a server die at a point of its work (see ``server.py``); what it has told so far still counts."""
        self._past += (await server.told())["counts"]
        if point:
            await server.ask("GET", f"/doom/{point}/{number}")

    async def counts(self) -> Counter[str]:
        """How often each event was told, by all processes there have been (but for those that died with theirs)."""
        told = await asyncio.gather(*(server.told() for server in self.servers))
        return sum((one["counts"] for one in told), Counter(self._past))

    async def reuses(self) -> Counter[str]:
        """How many ``reuse_detected`` each session had."""
        told = await asyncio.gather(*(server.told() for server in self.servers))
        return sum((one["reuses"] for one in told), Counter())
