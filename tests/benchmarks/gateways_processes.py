"""The processes of one round: the user centre and the gateways, and what they say of themselves."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from redis.asyncio import Redis

from . import gateways_apps
from .gateways_apps import CENTRE, SESSION, WAYS
from .gateways_load import Client
from .gateways_wire import Connection, get
from .load import free_port

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the processes say of themselves.

    Attributes:
        calls: at the user centre, by path.
        looked_up: keys that Redis was asked for.
        gateway, centre: seconds of processor time.
    """

    calls: Mapping[str, int]
    looked_up: int
    gateway: float
    centre: float

    def since(self, before: Self) -> "Said":
        """What came to it."""
        return Said(
            calls={path: count - before.calls.get(path, 0) for path, count in self.calls.items()},
            looked_up=self.looked_up - before.looked_up,
            gateway=self.gateway - before.gateway,
            centre=self.centre - before.centre,
        )


def wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Until it listens."""
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("a server did not start")


class Processes:
    """The user centre and the gateways of one round, and what they say of themselves."""

    def __init__(self, redis: str, access_ttl: int, database: Path) -> None:
        self.ports = {name: free_port() for name in (CENTRE, *WAYS)}
        self._redis, self._running = Redis.from_url(redis), dict[str, subprocess.Popen[bytes]]()
        life, centre = str(access_ttl), f"http://127.0.0.1:{self.ports[CENTRE]}"
        self._options = ["--centre", centre, "--redis", redis, "--database", str(database), "--access-ttl", life]

    @contextmanager
    def running(self) -> Iterator[None]:
        """The user centre first: the gateways may need its keys."""
        with ExitStack() as stack:
            for names in ((CENTRE,), WAYS):
                for name in names:
                    self._running[name] = stack.enter_context(self._started(name))
                for name in names:
                    wait_for(self._running[name], self.ports[name])
            yield

    @contextmanager
    def _started(self, name: str) -> Iterator["subprocess.Popen[bytes]"]:
        command = [sys.executable, "-m", gateways_apps.__name__, name, "--port", str(self.ports[name])]
        process = subprocess.Popen([*command, *self._options], cwd=ROOT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)

    async def calls(self) -> dict[str, int]:
        """What the user centre was asked so far, by path."""
        connection = await Connection.to(self.ports[CENTRE])
        _, body = await connection.ask(get("/calls", ""))
        connection.close()
        counted: dict[str, int] = json.loads(body)
        return counted

    async def looked_up(self) -> int:
        """How many keys Redis was asked for so far."""
        found = await self._redis.info("commandstats")
        return int(found.get("cmdstat_get", {}).get("calls", 0))

    def busy(self, name: str) -> float:
        """Seconds of processor time that a process took so far (proc(5): utime and stime)."""
        stat = Path(f"/proc/{self._running[name].pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    async def client(self, way: str, number: int) -> Client:
        """A client of one gateway, with a session of its own."""
        if way != "redis":
            return await Client.logged_in(self.ports[way], self.ports[CENTRE], f"user-{number}")
        token = secrets.token_urlsafe(32)
        await self._redis.set(SESSION + token, json.dumps({"sub": f"user-{number}", "scope": "read"}))
        return await Client.opaque(self.ports[way], self.ports[CENTRE], token)

    @asynccontextmanager
    async def clients(self, count: int) -> AsyncIterator[dict[str, list[Client]]]:
        """So many clients of each way."""
        made = {way: [await self.client(way, number) for number in range(count)] for way in WAYS}
        try:
            yield made
        finally:
            for client in (one for clients in made.values() for one in clients):
                client.close()
            await self._redis.aclose()

    async def said(self, way: str) -> Said:
        """What everybody says now, under the load of one way."""
        return Said(
            calls=await self.calls(),
            looked_up=await self.looked_up(),
            gateway=self.busy(way),
            centre=self.busy(CENTRE),
        )
