"""Added cost per request, in process: our app minus the same app without us, as a share of the physical limit.

``python -m tests.benchmarks.request [--rounds 31] [--requests 100]``

cold: every token is new to a freshly built app. warm: the same token again, in new header bytes. Every round runs
limit, bare, cold, warm, bad signature, no token, bare, limit back to back; each ratio is taken within its round and
the median over the rounds is printed. The second table is the same for each algorithm, each with the limit of its own:
the bare check of one signature. The algorithms take turns within each round; a difference of 2 us is below what this
resolves.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import Callable, Iterator, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, KeyRing, MemoryStore, Verifier

from .algorithms import ALGORITHMS, Signed
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
COLD = {"EdDSA": 1.3, "ES256": 1.4, "RS256": 1.8}
WARM_UP = 20

Costs = dict[str, float]
"""Microseconds of one round."""


async def item(_request: Request) -> JSONResponse:
    return JSONResponse({"ok": True})


def bare() -> App:
    return Starlette(routes=[Route("/item", item)])


def gateway(keys: KeyRing | str = SECRET) -> App:
    verifier = Verifier(keys, issuer=ISSUER, audience=AUDIENCE)
    return Starlette(routes=[Route("/item", item)], middleware=[Middleware(JWTRefreshMiddleware, verifier=verifier)])


def with_issuer() -> App:
    issuer = Issuer(SECRET, MemoryStore(), issuer=ISSUER, audience=AUDIENCE)
    return Starlette(routes=[Route("/item", item)], middleware=[Middleware(JWTRefreshMiddleware, issuer=issuer)])


async def timed(app: App, tokens: Sequence[str | None], status: int) -> float:
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


async def one_round(app: App, tokens: Sequence[str], limit: Callable[[int], float]) -> Costs:
    """What one round costs: the first tokens are to warm up, the app has not seen the others."""
    floor, count = bare(), len(tokens) - WARM_UP
    warm_up, pool = tokens[:WARM_UP], tokens[WARM_UP:]
    for one in (app, floor):
        await timed(one, warm_up, 200)
    least, below = limit(count), await timed(floor, pool, 200)
    cost = {
        "cold": await timed(app, pool, 200),
        "warm": await timed(app, [pool[0]] * count, 200),
        "bad signature": await timed(app, [tampered(t) for t in pool], 401),
        "no token": await timed(app, [None] * count, 401),
    }
    below, least = (below + await timed(floor, pool, 200)) / 2, (least + limit(count)) / 2
    whole = {"bad signature", "no token"}  # a refusal does not reach the app: the whole answer counts
    return {name: us if name in whole else us - below for name, us in cost.items()} | {"limit": least}


def ratio(rounds: Sequence[Costs], mode: str) -> float:
    """To the limit of the same round."""
    return median(costs[mode] / costs["limit"] for costs in rounds)


async def measure(rounds: int, count: int) -> None:
    """The first table: HS256, at a gateway and at an issuer."""
    apps: dict[str, Callable[[], App]] = {"gateway (verifier=)": gateway, "issuer (issuer=)": with_issuer}
    got: dict[str, list[Costs]] = {name: [] for name in apps}
    tokens = [token(10 + number) for number in range(WARM_UP + count)]
    for _ in range(rounds):
        for name, build in apps.items():
            got[name].append(await one_round(build(), tokens, physical_limit))
    rows = [
        [name, f"{median(one['limit'] for one in of):.1f}", *(f"{ratio(of, mode):.2f}" for mode in TARGETS)]
        for name, of in got.items()
    ]
    rows.append(["to reach", "", *(f"<= {target}" for target in TARGETS.values())])
    heads = ["warm / limit", "cold / limit", "401 bad signature / limit", "401 no token / limit"]
    table(["on Starlette", "limit, us", *heads], rows)


def by_algorithm(got: dict[str, list[Costs]]) -> Iterator[list[str]]:
    for name, of in got.items():
        limit, cold, warm = (f"{median(one[mode] for one in of):.1f}" for mode in ("limit", "cold", "warm"))
        more = median(one["warm"] - hs256["warm"] for one, hs256 in zip(of, got["HS256"], strict=True))
        to_reach = f"<= {COLD[name]}" if name in COLD else f"<= {TARGETS['cold']}"
        yield [name, limit, cold, f"{ratio(of, 'cold'):.2f}", to_reach, warm, f"{more:+.1f}"]


async def measure_algorithms(rounds: int, count: int) -> None:
    """The second table: a gateway, with each algorithm."""
    signed = [await Signed.by(name, WARM_UP + count) for name in ALGORITHMS]
    got: dict[str, list[Costs]] = {one.algorithm: [] for one in signed}
    for _ in range(rounds):
        for one in signed:
            got[one.algorithm].append(await one_round(gateway(one.keys), one.tokens, one.limit))
    heads = ["limit, us", "cold, us", "cold / limit", "to reach", "warm, us", "warm, more than HS256, us"]
    table(["gateway", *heads], by_algorithm(got))


def main(rounds: int = 31, count: int = 100) -> None:
    banner(f"Added cost per request, in process, {rounds} rounds x {count} requests", "starlette", "cryptography")
    gc.collect()
    gc.freeze()
    asyncio.run(measure(rounds, count))
    asyncio.run(measure_algorithms(rounds, count))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--requests", type=int, default=100)
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.requests)
