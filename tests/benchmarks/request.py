"""Added cost per request, in process: our app minus the same app without us, as a share of the physical limit.

``python -m tests.benchmarks.request [--rounds 31] [--requests 100]``

cold: every token is new to a freshly built app. warm: the same token again, in new header bytes. Every round runs
limit, bare, cold, warm, bad signature, no token, bare, limit back to back; each ratio is taken within its round and
the median over the rounds is printed.
"""

import argparse
import asyncio
import gc
import time

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore, Verifier

from .common import (
    AUDIENCE,
    ISSUER,
    SECRET,
    App,
    Exchange,
    banner,
    median,
    physical_limit,
    scope,
    table,
    tampered,
    token,
)

TARGETS = {"warm": 0.4, "cold": 2.5, "bad signature": 2.5, "no token": 1.0}


async def item(_request: Request) -> JSONResponse:
    return JSONResponse({"ok": True})


def bare() -> App:
    return Starlette(routes=[Route("/item", item)])


def gateway() -> App:
    verifier = Verifier(SECRET, issuer=ISSUER, audience=AUDIENCE)
    return Starlette(routes=[Route("/item", item)], middleware=[Middleware(JWTRefreshMiddleware, verifier=verifier)])


def with_issuer() -> App:
    issuer = Issuer(SECRET, MemoryStore(), issuer=ISSUER, audience=AUDIENCE)
    return Starlette(routes=[Route("/item", item)], middleware=[Middleware(JWTRefreshMiddleware, issuer=issuer)])


async def timed(app: App, tokens: list[str | None], status: int) -> float:
    """Microseconds per request; every answer is checked."""
    scopes, exchanges = [scope(t) for t in tokens], [Exchange() for _ in tokens]
    gc.collect()
    started = time.perf_counter_ns()
    for one, exchange in zip(scopes, exchanges, strict=True):
        await app(one, exchange.receive, exchange.send)
    spent = time.perf_counter_ns() - started
    wrong = {exchange.status for exchange in exchanges} - {status}
    assert not wrong, f"answered {wrong}, expected {status}"
    return spent / len(tokens) / 1000


async def one_round(build: App, count: int) -> dict[str, float]:
    """The four ratios of one round."""
    app, floor = build(), bare()
    pool: list[str | None] = [token(1000 + i) for i in range(count)]
    warm_up: list[str | None] = [token(10 + i) for i in range(20)]
    for one in (app, floor):
        await timed(one, warm_up, 200)
    limit, below = physical_limit(count), await timed(floor, pool, 200)
    cost = {
        "cold": await timed(app, pool, 200),
        "warm": await timed(app, [pool[0]] * count, 200),
        "bad signature": await timed(app, [tampered(str(t)) for t in pool], 401),
        "no token": await timed(app, [None] * count, 401),
    }
    below, limit = (below + await timed(floor, pool, 200)) / 2, (limit + physical_limit(count)) / 2
    whole = {"bad signature", "no token"}  # a refusal does not reach the app: the whole answer counts
    return {name: (us if name in whole else us - below) / limit for name, us in cost.items()} | {"limit": limit}


async def measure(rounds: int, count: int) -> None:
    gc.collect()
    gc.freeze()
    rows = []
    apps = {"gateway (verifier=)": gateway, "issuer (issuer=)": with_issuer}
    rounds_of: dict[str, list[dict[str, float]]] = {name: [] for name in apps}
    for _ in range(rounds):
        for name, build in apps.items():
            rounds_of[name].append(await one_round(build, count))
    for name, got in rounds_of.items():
        ratios = [f"{median(g[mode] for g in got):.2f}" for mode in TARGETS]
        rows.append([name, f"{median(g['limit'] for g in got):.1f}", *ratios])
    rows.append(["to reach", "", *(f"<= {target}" for target in TARGETS.values())])
    table(
        [
            "on Starlette",
            "limit, us",
            "warm / limit",
            "cold / limit",
            "401 bad signature / limit",
            "401 no token / limit",
        ],
        rows,
    )


def main(rounds: int = 31, count: int = 100) -> None:
    banner(f"Added cost per request, in process, {rounds} rounds x {count} requests", "starlette", "PyJWT")
    asyncio.run(measure(rounds, count))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--requests", type=int, default=100)
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.requests)
