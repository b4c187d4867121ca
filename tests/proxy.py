"""A proxy between a store and its server: slow, deaf, cut in the middle of something, or pointed elsewhere."""

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 262_144


def port_of(url: str) -> int:
    """The port that ``url`` names."""
    port = urlsplit(url).port
    assert port is not None
    return port


def at_port(url: str, port: int) -> str:
    """The same place by another port: that of a proxy."""
    return url.replace(f":{port_of(url)}", f":{port}")


class Gate:
    """Where chunks wait until somebody lets them through, one at a time.

    Attributes:
        waiting: set while a chunk waits.
    """

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self._turns = asyncio.Semaphore(0)
        self._is_open = False

    async def passage(self) -> None:
        if not self._is_open:
            self.waiting.set()
            await self._turns.acquire()

    def let_through(self) -> None:
        self.waiting.clear()
        self._turns.release()

    def open(self) -> None:
        """Nothing waits any more."""
        self._is_open = True
        if self.waiting.is_set():
            self.let_through()


class Proxy:
    """Forwards bytes. Everything about it can be changed while it works.

    Attributes:
        port: where it listens, from ``start`` to ``close``.
        target: the port it forwards to; for a fail-over set another one and :meth:`drop` what there is.
        delay: seconds that every chunk from a client waits.
        deaf: a partition: what comes in either direction is kept back, nothing is closed.
        cut_at: the chunk from clients at which every connection is cut, counted from :meth:`count_from_here`.
        cut_after: cut once the server has answered that chunk, instead of before it is told of it.
        chunks: how many came from clients.
        gate: if set, every chunk from a client waits there until it is let through.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay = 0.0
        self.cut_at: int | None = None
        self.cut_after = False
        self.chunks = 0
        self.gate: Gate | None = None
        self._hearing = asyncio.Event()
        self._hearing.set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._hearing.set()
        self.drop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def deaf(self) -> bool:
        return not self._hearing.is_set()

    @deaf.setter
    def deaf(self, value: bool) -> None:
        if value:
            self._hearing.clear()
        else:
            self._hearing.set()

    def count_from_here(self, cut_at: int | None = None, *, cut_after: bool = False) -> None:
        self.chunks, self.cut_at, self.cut_after = 0, cut_at, cut_after

    def drop(self) -> None:
        """Cut every connection, with a reset."""
        for writer in [*self._open]:
            if writer.transport is not None:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        current = asyncio.current_task()
        assert current is not None
        self._tasks.add(current)
        self._open.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            await self._hearing.wait()
            answers, there = await asyncio.open_connection("127.0.0.1", self.target)
            self._open.add(there)
            ways = [self._forward(reader, there, counted=True), self._forward(answers, writer, counted=False)]
            tasks = [asyncio.ensure_future(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in tasks:
                    way.cancel()
                await asyncio.wait(tasks)
        except OSError:  # nobody listens there
            pass
        finally:
            for end in (writer, there):
                if end is not None:
                    self._open.discard(end)
                    end.transport.abort()
            self._tasks.discard(current)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                if counted:
                    self.chunks += 1
                    if self.chunks == self.cut_at and not self.cut_after:
                        self.drop()
                        return
                    if self.gate is not None:
                        await self.gate.passage()
                    if self.delay:
                        await asyncio.sleep(self.delay)
                elif self.cut_after and self.cut_at is not None and self.chunks >= self.cut_at:
                    self.cut_at = None
                    self.drop()
                    return
                await self._hearing.wait()
                writer.write(chunk)
                await writer.drain()
