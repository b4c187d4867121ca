"""Worker processes and the plainest of clients for them."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.servers import listening_socket

_SERVER = Path(__file__).with_name("server.py")
_PATIENCE = 30.0


class Place(NamedTuple):
    """Which store the servers share, as ``tests.kinds.make_store`` takes it."""

    kind: str
    url: str
    namespace: str


class Server:
    """One server process on a port of its own. It listens from the start: who comes early waits."""

    def __init__(self, place: "Place", dies_at: str = "") -> None:
        with listening_socket(512) as listening:
            self.port: int = listening.getsockname()[1]
            number = listening.fileno()
            command = [sys.executable, str(_SERVER), str(number), place.kind, place.url, place.namespace, dies_at]
            self.process = subprocess.Popen(command, pass_fds=[number])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None, token: str = "") -> "Answer":
        """One request on a connection of its own."""
        content = json.dumps(body).encode() if body is not None else b""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", "User-Agent: tests/1"]
        lines += [f"Content-Length: {len(content)}", "Content-Type: application/json", "X-Token-Transport: body"]
        lines += [f"Authorization: Bearer {token}"] if token else []
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write("\r\n".join([*lines, "", ""]).encode() + content)
                await writer.drain()
                return Answer(await reader.read())
            finally:
                writer.close()

    async def login(self, username: str = "ann") -> "Answer":
        return await self.ask("POST", "/auth/login", {"username": username})

    async def refresh(self, refresh_token: str) -> "Answer":
        return await self.ask("POST", "/auth/refresh", {"refresh_token": refresh_token})

    async def events(self) -> list[str]:
        """Every event this process has told so far."""
        told: list[str] = (await self.ask("GET", "/events")).body["events"]
        return told


class Answer:
    """A response; where it is not complete, because the server died, ConnectionResetError."""

    def __init__(self, raw: bytes) -> None:
        head, end, body = raw.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if not end or len(body) < int(length[1] if length else 0):
            raise ConnectionResetError
        self.status = int(head.split()[1])
        self.body: dict[str, Any] = json.loads(body) if body else {}
        self.code: str = self.body.get("code", "")
        self.access_token: str = self.body.get("access_token", "")
        self.refresh_token: str = self.body.get("refresh_token", "")

    def __repr__(self) -> str:
        return f"<{self.status} {self.code}>"


async def until(work: Any, *, seconds: float) -> float:
    """Wait until ``await work()`` is true; returns how long that took, fails after ``seconds``."""
    began = time.monotonic()
    while not await work():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        await asyncio.sleep(0.05)
    return time.monotonic() - began


def killed(process: "subprocess.Popen[bytes]") -> bool:
    """Whether the process ended by SIGKILL; waits for the end."""
    return process.wait(_PATIENCE) == -9 and os.name == "posix"
