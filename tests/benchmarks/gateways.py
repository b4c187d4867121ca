"""What a gateway costs the user centre: asking it about every request, asking Redis, and checking with a key.

``python -m tests.benchmarks.gateways [--rounds 7] [--seconds 1.4] [--chart FILE.svg]``, with ``redis-server``
installed. Takes under three minutes.

bare: the API alone, which lets everybody in. introspection: ``POST /introspect`` at the user centre for every request
(RFC 7662), which looks at the token's signature and at the session's row; httpx2, connections kept alive. redis: one
``GET`` per request through redis-py with hiredis, the token is opaque. ours: the middleware with a verifier, EdDSA, and
the keys that the user centre publishes.

The user centre (SQLite), each gateway, Redis and the load are processes of their own. Each client sends one request
after the other on one connection, and its access token lives for 2 s only (--access-ttl), so that refreshes are seen:
it is refused, refreshes at the user centre and asks again, all of which is the time of that one request. Calls are what
the user centre and Redis counted themselves. Each round starts every process anew and lets the ways take turns; the
medians of the rounds are printed, the calls and the processor's time are those of all rounds together.
"""

import argparse
import asyncio
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from redis.asyncio import Redis

from ..servers import Redis as RedisServer
from . import gateways_apps
from .common import banner, median, table
from .gateways_apps import CENTRE, SESSION, WAYS
from .gateways_chart import Bar, chart
from .gateways_load import Client, Connection, get, load
from .load import free_port

CLIENTS = (1, 4, 16)
WARM_UP = 0.3
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One way under load for a moment.

    Attributes:
        requests: API requests that were answered.
        rate: requests per second.
        p50, p99: how long a request took, in milliseconds, its refresh included.
        said: what was counted meanwhile.
    """

    requests: int
    rate: float
    p50: float
    p99: float
    said: Said


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
        yield made
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

    async def under(self, way: str, clients: Sequence[Client], seconds: float) -> Slice:
        """The load of these clients, after a moment to warm up."""
        await load(clients, WARM_UP)
        before, started = await self.said(way), time.perf_counter()
        took = await load(clients, seconds)
        spent, after = time.perf_counter() - started, await self.said(way)
        quantiles = statistics.quantiles(took, n=100)
        return Slice(
            requests=len(took),
            rate=len(took) / spent,
            p50=quantiles[49] * 1000,
            p99=quantiles[98] * 1000,
            said=after.since(before),
        )


class Figures:
    """The slices of all rounds for one way and one number of clients."""

    def __init__(self) -> None:
        self.slices: list[Slice] = []

    def middle(self, name: str) -> float:
        """The median of the rounds."""
        return median(getattr(one, name) for one in self.slices)

    def per_1000(self, amount: float) -> float:
        """An amount of all rounds, for each 1 000 API requests of them."""
        return amount * 1000 / sum(one.requests for one in self.slices)

    def calls(self, *paths: str) -> float:
        """Calls at the user centre per 1 000 API requests: those of some paths, or all."""
        said = (one.said.calls.items() for one in self.slices)
        return self.per_1000(sum(count for calls in said for path, count in calls if path in paths or not paths))

    def total(self, name: str) -> float:
        """What else was counted, per 1 000 API requests."""
        return self.per_1000(sum(getattr(one.said, name) for one in self.slices))


Measured = dict[tuple[str, int], Figures]


async def measure(rounds: int, seconds: float, access_ttl: int, counts: Sequence[int] = CLIENTS) -> Measured:
    got: Measured = {(way, count): Figures() for count in counts for way in WAYS}
    with RedisServer() as redis:
        for number in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                processes = Processes(redis.url, access_ttl, Path(folder) / "sessions.db")
                with processes.running():
                    async with processes.clients(max(counts)) as clients:
                        turn = number % len(WAYS)
                        for count in counts:
                            for way in (*WAYS[turn:], *WAYS[:turn]):
                                one = await processes.under(way, clients[way][:count], seconds)
                                got[way, count].slices.append(one)
    return got


def amount(per_1000: float) -> str:
    """As many digits as say something."""
    return "0" if not per_1000 else f"{per_1000:.0f}" if per_1000 >= 100 else f"{per_1000:.2g}"


def share(got: Measured, way: str, count: int) -> float:
    """The rate as a share of the bare API's, within each round."""
    pairs = zip(got[way, count].slices, got["bare", count].slices, strict=True)
    return median(one.rate / bare.rate for one, bare in pairs)


def rows(got: Measured) -> Iterator[list[str]]:
    for (way, count), found in got.items():
        rate, p50, p99 = (found.middle(name) for name in ("rate", "p50", "p99"))
        speed = [f"{rate:.0f}", f"{share(got, way, count):.2f}", f"{p50:.2f}", f"{p99:.2f}"]
        asked = [found.calls("/introspect"), found.calls("/auth/refresh"), found.total("looked_up")]
        busy = [f"{found.total(name) * 1000:.0f}" for name in ("gateway", "centre")]
        yield [str(count), way, *speed, *map(amount, asked), *busy]


HEAD = [
    "clients", "gateway", "requests/s", "share of bare", "p50, ms", "p99, ms", "introspections", "refreshes",
    "look-ups in Redis", "gateway, CPU ms", "user centre, CPU ms",
]  # fmt: skip


def drawn(got: Measured, access_ttl: int) -> str:
    """The chart of these figures."""
    most = max(count for _, count in got)
    bars = {}
    for way in WAYS[1:]:
        found = got[way, most]
        bars[way] = Bar(
            rates={count: got[way, count].middle("rate") for _, count in got},
            p99={count: got[way, count].middle("p99") for _, count in got},
            centre=found.calls(),
            redis=found.total("looked_up"),
        )
    return chart(bars, f"One gateway process; access tokens live {access_ttl} s here, so that refreshes are seen.")


def main(rounds: int = 7, seconds: float = 1.4, access_ttl: int = 2, to: Path | None = None) -> None:
    loops = ["uvloop"] if find_spec("uvloop") else []
    title = f"Gateways and their user centre, {rounds} rounds x {seconds:g} s, access tokens of {access_ttl} s"
    banner(title, "uvicorn", "httptools", *loops, "starlette", "httpx2", "redis", "hiredis")
    if reason := RedisServer.missing():
        print(f"Not measured: {reason}.\n")
        return
    got = asyncio.run(measure(rounds, seconds, access_ttl))
    print("The columns from introspections on are per 1 000 API requests.\n")
    table(HEAD, rows(got))
    if to is not None:
        to.write_text(drawn(got, access_ttl))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.4, help="of each moment under load")
    parser.add_argument("--access-ttl", type=int, default=2, help="seconds that an access token lives")
    parser.add_argument("--chart", type=Path, help="where to write the chart of the figures")
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.seconds, arguments.access_ttl, arguments.chart)
