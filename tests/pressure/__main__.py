"""The package under pressure, at full size; see each module for what is measured.

``python -m tests.pressure [--requests 200000] [--users 500] [--measurements 100000] [--megabytes 100] [--seed N]
[--phases flood,served,crowd,timing,large,slow]`` prints Markdown. With ``--requests 1000000`` it is case J05.
"""

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from importlib import metadata

from ..stress.report import _printed, _processor
from .crowd import run_crowd
from .flood import KINDS, flood, genuine
from .large import bodies, headers, is_refused, send
from .place import SERVERS, Place
from .served_flood import served_flood
from .slow import gone_in_the_middle, is_back, is_calm, slow_clients, speed
from .timing import NOTABLE, all_comparisons

Row = tuple[str, str, object, bool | None]
"""Phase, figure, value, and whether it holds; None for what is only measured."""
_UVICORN = ("uvicorn-h11", "uvicorn-httptools")
_PACKAGES = ("uvicorn", "h11", "httptools", "hypercorn", "granian", "starlette", "pyjwt", "itsdangerous")


def of_flood(given: argparse.Namespace) -> Iterator[Row]:
    for kind in KINDS:
        found = asyncio.run(flood(kind, given.requests, given.seed))
        name = f"flood, {kind} tokens"
        yield name, "refused tokens", given.requests, None
        yield name, "otherwise answered", found.unexpected, found.unexpected == 0
        yield name, "store operations", found.store_calls, found.store_calls == 0
        yield name, "calls of the app", found.inner_calls, found.inner_calls == 0
        yield name, "log records, events", (found.records, found.events), not found.records + found.events
        yield name, "containers that grew", found.fuller or 0, not found.fuller
        yield name, "file descriptors before, after", found.fds, found.fds[0] == found.fds[1]
        yield name, "RSS, bytes per token", f"{found.rss_slope:.2f}", found.rss_growth < 4 << 20
        yield name, "us of CPU: mean, p50, p99", _times(found.mean, found.quantile(0.5), found.quantile(0.99)), None
        worst = max(found.by_kind, key=lambda one: found.by_kind[one])
        yield name, f"us, the dearest kind ({worst})", f"{found.by_kind[worst]:.0f}", None
        yield name, "us, a good token not seen before", f"{asyncio.run(genuine(kind, 2000)):.0f}", None
        traced = asyncio.run(flood(kind, given.requests // 10, given.seed + 1, trace=True)).traced or 0
        yield name, f"bytes left of {given.requests // 20} tokens (tracemalloc)", traced, traced < given.requests


def _times(*values: float) -> str:
    return " / ".join(f"{value:.1f}" for value in values)


def _on(servers: tuple[str, ...] | list[str], **environment: str) -> Iterator[Place]:
    for server in servers:
        place = Place(server, **environment)
        try:
            yield place.ready()
        finally:
            place.close()


def of_served(given: argparse.Namespace) -> Iterator[Row]:
    for place in _on(_UVICORN):
        found, name = served_flood(place, given.requests, given.seed), f"flood, {place.server}"
        yield name, "refused requests, per second", (given.requests, round(given.requests / found.seconds)), None
        yield name, "otherwise answered", found.unexpected, found.unexpected == 0
        yield name, "calls of app and store", found.reached, found.reached == 0
        yield name, "RSS, bytes per request", f"{found.rss_slope:.2f}", found.rss_growth < 4 << 20
        before, after = ((one.vitals.fds, one.tasks) for one in (found.before, found.after))
        grows = after[0] > before[0] + 1 or after[1] > before[1] + 1
        yield name, "descriptors and tasks, before and after", (before, after), not grows


def of_crowd(given: argparse.Namespace) -> Iterator[Row]:
    for place in _on(SERVERS):
        found = run_crowd(place, given.users, given.each, given.seed)
        name, asked = f"crowd, {place.server}", sum(found.asked.values())
        yield name, "users, requests", (given.users, asked), None
        yield name, "answers about somebody else", found.mixed, found.mixed == 0
        yield name, "other answers than due", found.wrong, found.wrong == 0
        most = found.after.most if found.after else 0
        yield name, "at once in the app, reconnected", (most, found.reconnected), None


def of_timing(given: argparse.Namespace) -> Iterator[Row]:
    async def all_of_them() -> list[Row]:
        rows: list[Row] = []
        async for one in all_comparisons(given.measurements, given.seed):
            holds = abs(one.t) > NOTABLE if one.name.startswith("control") else one.holds if one.claimed else None
            rows.append(("timing", f"t, {one.name}", f"{one.t:.2f}", holds))
        return rows

    yield from asyncio.run(all_of_them())


def of_large(given: argparse.Namespace) -> Iterator[Row]:
    for place in _on(SERVERS):
        pid = place.look().pid
        for large in (*bodies(given.megabytes), *headers()):
            held = place.look().vitals.rss
            place.peak(pid, reset=True)
            status = send(place, large)
            told = f"{status or 'hung up'}, {(place.peak(pid) - held) / (1 << 20):.1f}"
            yield (
                f"large, {place.server}",
                f"{large.name}: status, MB more at the peak",
                told,
                is_refused(large, status),
            )


def of_slow(given: argparse.Namespace) -> Iterator[Row]:
    for place in _on(SERVERS, PRESSURE_LEEWAY="0"):
        name = f"slow, {place.server}"
        speed(place, 20)
        before, alone = place.look(), speed(place, 200)
        with slow_clients(place, 50) as clients:
            is_calm(before.pid)
            beside = speed(place, 200, clients.drip)
            held, meanwhile = clients.still_open(), place.look()
        yield name, "ms alone: login, refresh, request, CPU", _times(*alone.values()), None
        yield name, "ms beside 350 slow clients", _times(*beside.values()), beside["cpu"] < 3 * alone["cpu"] + 2
        kept = meanwhile.vitals.rss - before.vitals.rss
        yield name, "still open, of 50; KB for each of 350", (held, round(kept / 350 / 1024, 1)), None
        yield name, "nothing left when they are gone", "", is_back(place, before)
        gone = gone_in_the_middle(place, 100)
        yield name, "hung up; done all the same; sessions lost", (100, gone.late, 100 - gone.kept), gone.kept == 100


PHASES: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "flood": of_flood, "served": of_served, "crowd": of_crowd, "timing": of_timing, "large": of_large, "slow": of_slow,
}  # fmt: skip


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200_000, help="refused tokens of each kind, and per server")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--each", type=int, default=40, help="requests of a user")
    parser.add_argument("--measurements", type=int, default=100_000, help="for each comparison")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--phases", default=",".join(PHASES))
    given = parser.parse_args()
    if unknown := {*given.phases.split(",")} - {*PHASES}:
        parser.error(f"no such phases: {', '.join(sorted(unknown))}")
    return given


def main() -> int:
    given = arguments()
    changed = " with changes" if _printed("git", "status", "--porcelain") else ""
    print(f"## Pressure\n\n- `python -m tests.pressure {' '.join(sys.argv[1:])}`, seed {given.seed}")
    print(f"- commit {_printed('git', 'rev-parse', '--short', 'HEAD') or 'unknown'}{changed}")
    print(f"- {_processor() or 'unknown CPU'}, {os.cpu_count()} CPUs; Python {sys.version.split()[0]}")
    print("- " + ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES))
    print("\n| phase | figure | value | |\n|---|---|---:|---|", flush=True)
    failed = 0
    for phase in given.phases.split(","):
        for name, figure, value, holds in PHASES[phase](given):
            failed += holds is False
            print(
                f"| {name} | {figure} | {value} | {'' if holds is None else 'ok' if holds else '**FAILED**'} |",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
