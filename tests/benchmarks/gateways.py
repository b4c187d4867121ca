"""What a gateway costs the user centre: asking it about every request, asking Redis, and checking with a key.

``python -m tests.benchmarks.gateways [--rounds 5] [--seconds 1.4] [--chart FILE.svg]``, with ``redis-server``
installed. Takes under three minutes.

bare: the API alone, which lets everybody in. introspection: ``POST /introspect`` at the user centre for every request
(RFC 7662), which looks at the token's signature and at the session's row, through httpx2 with connections kept alive.
introspection by hand: the same without a library, which is about the least that asking can cost the gateway. redis: one
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
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..servers import Redis as RedisServer
from .common import banner, median, table
from .gateways_apps import INTROSPECT, WAYS
from .gateways_chart import Bar, chart
from .gateways_load import Client, load
from .gateways_processes import Processes, Said

CLIENTS = (1, 4, 16)
WARM_UP = 0.3


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


async def under(way: str, clients: Sequence[Client], processes: Processes, seconds: float) -> Slice:
    """The load of these clients, after a moment to warm up."""
    await load(clients, WARM_UP)
    before, started = await processes.said(way), time.perf_counter()
    took = await load(clients, seconds)
    spent, after = time.perf_counter() - started, await processes.said(way)
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
                                one = await under(way, clients[way][:count], processes, seconds)
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
        asked = [found.calls(INTROSPECT), found.calls("/auth/refresh"), found.total("looked_up")]
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


def main(rounds: int = 5, seconds: float = 1.4, access_ttl: int = 2, to: Path | None = None) -> None:
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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.4, help="of each moment under load")
    parser.add_argument("--access-ttl", type=int, default=2, help="seconds that an access token lives")
    parser.add_argument("--chart", type=Path, help="where to write the chart of the figures")
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.seconds, arguments.access_ttl, arguments.chart)
