"""How long after the end of a session another process refuses its access tokens, for each store.

``python -m tests.benchmarks.lag [--ends 300] [--only redis]``

Two processes share a store. One ends sessions at moments that nothing is in step with; the other has an issuer with
the default settings and is asked nothing: what its feed says of itself is printed. Both read the same clock. Stores
that are asked each second have a lag spread evenly over that second; the redis store tells at once.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys

from jwt_refresh_middleware import Issuer

from ..kinds import SHARED, Servers, make_store
from .common import SECRET, banner, table

TARGETS = {"redis": "p99 <= 50 ms", "redis-cluster": "p99 <= 50 ms"}


async def listen(kind: str, url: str, namespace: str) -> None:
    """The other process: follows until its input ends, then says what it saw."""
    async with Issuer(SECRET, make_store(kind, url, namespace)) as issuer:
        if kind in TARGETS:
            while not issuer.feed.status().pushed:
                await asyncio.sleep(0.01)
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        await asyncio.sleep(1.5)
        status = issuer.feed.status()
        print(json.dumps([status.learned, status.lag_median, status.lag_p99, status.lag_worst]), flush=True)


async def measure(kind: str, url: str, ends: int) -> list[object]:
    rng, namespace = random.Random(1), f"lag{kind.replace('-', '')}"
    async with Issuer(SECRET, make_store(kind, url, namespace)) as issuer:
        sessions = [(await issuer.login(f"user-{number}")).session.id for number in range(ends)]
        command = [sys.executable, "-m", "tests.benchmarks.lag", "--listen", kind, url, namespace]
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        for session in sessions:
            await asyncio.sleep(rng.uniform(0.01, 0.05))
            assert await issuer.revoke(session)
        said, _ = await asyncio.to_thread(other.communicate, "\n")
    learned, middle, late, worst = json.loads(said)
    assert learned == ends, f"{learned} of {ends} were learned"
    return [kind, ends, *(f"{lag * 1000:.1f}" for lag in (middle, late, worst)), TARGETS.get(kind, "p99 <= 1200 ms")]


async def run(ends: int, only: str) -> None:
    rows = []
    with Servers() as servers:
        for kind in SHARED:
            if only in ("", kind) and not Servers.missing(kind):
                rows.append(await measure(kind, servers.url(kind), ends))
    table(["store", "ends", "median, ms", "p99, ms", "worst, ms", "to reach"], rows)


def main(ends: int = 300, only: str = "") -> None:
    banner("Lag of a revocation to another process", "redis", "sqlalchemy")
    asyncio.run(run(ends, only))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ends", type=int, default=300)
    parser.add_argument("--only", default="", choices=["", *SHARED])
    parser.add_argument("--listen", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.listen:
        asyncio.run(listen(*arguments.listen))
    else:
        main(arguments.ends, arguments.only)
