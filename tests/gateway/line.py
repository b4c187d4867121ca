"""The plainest of clients: one connection that is kept, and JSON."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Self

PATIENCE = 30.0


async def until(work: Callable[[], Awaitable[object]]) -> None:
    """Wait until ``await work()`` is true; a TimeoutError if that does not come."""
    async with asyncio.timeout(PATIENCE):
        while not await work():
            await asyncio.sleep(0.01)


class Reply:
    """A response."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.status = int(head.split()[1])
        self.head = head.lower()
        self.body: dict[str, Any] = json.loads(body) if body else {}

    @property
    def code(self) -> str:
        """What happened, of a problem."""
        return str(self.body.get("code", ""))

    @property
    def access(self) -> str:
        return str(self.body["access_token"])

    @property
    def refresh(self) -> str:
        return str(self.body["refresh_token"])

    def __repr__(self) -> str:
        return f"<{self.status} {self.code}>"


class Line:
    """A connection, made when it is first needed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ends is not None:
            self._ends[1].close()
            self._ends = None

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None, token: str = "") -> Reply:
        """One request. Raises OSError or IncompleteReadError if the other end goes away."""
        content = json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "User-Agent: tests/1", "X-Token-Transport: body"]
        lines += [f"Content-Length: {len(content)}", "Content-Type: application/json"] if content else []
        lines += [f"Authorization: Bearer {token}"] if token else []
        async with asyncio.timeout(PATIENCE):
            if self._ends is None:
                self._ends = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self._ends
            writer.write("\r\n".join([*lines, "", ""]).encode() + content)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            return Reply(head, await reader.readexactly(int(length[1]) if length else 0))
