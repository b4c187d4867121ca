"""Two requests in two processes, in every order in which their messages can reach the database.

Each issuer has a connection of its own through a gate, where every message to the server waits until the schedule lets
it through. Schedules are found by running: wherever both wait, one goes first, and in a later run the other. A request
that the database itself makes wait, for a lock, is passed over until its answer comes.

MariaDB needs several messages where the others need one, and each wait for a lock takes time: of its schedules so many
are played at random, unless ``EVERY_ORDER`` is set in the environment.
"""

import asyncio
import os
import random
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, TokenPair

from ..kinds import Servers, make_store
from ..proxy import Gate, Proxy, at_port, port_of
from .support import Clock, Listener, make_issuer
from .test_interleavings import ENDING, PAIRS, Scene, nothing_lives, one_successor_lives

_BLOCKED = 0.05
"""Seconds without an answer after which a request is taken to wait for a lock of the other."""
_SAMPLE = 8


class Two:
    """Two issuers over one database, each with its own way to it."""

    def __init__(self, issuers: list[Issuer], proxies: list[Proxy]) -> None:
        self.issuers = issuers
        self.proxies = proxies

    async def play(self, choices: list[int], works: list[Callable[[], Awaitable[Any]]]) -> tuple[list[Any], list[int]]:
        """Run both so that the first ``choices`` are made as they say, and all later ones for the first request.

        Returns their answers, and every choice that there was.
        """
        gates = [Gate(), Gate()]
        for proxy, gate in zip(self.proxies, gates, strict=True):
            proxy.gate = gate
        tasks = [asyncio.ensure_future(work()) for work in works]
        made: list[int] = []
        try:
            for number in range(2):
                await _moved(gates[number], tasks[number])
            while not all(task.done() for task in tasks):
                waiting = [number for number in range(2) if gates[number].waiting.is_set()]
                if len(waiting) == 2:
                    chosen = choices[len(made)] if len(made) < len(choices) else 0
                    made.append(chosen)
                elif waiting:
                    chosen = waiting[0]
                else:  # the database is thinking, or a lock has just been let go
                    await asyncio.sleep(0.001)
                    continue
                gates[chosen].let_through()
                await _moved(gates[chosen], tasks[chosen])
        finally:
            for proxy, gate in zip(self.proxies, gates, strict=True):
                gate.open()
                proxy.gate = None
        return [await task for task in tasks], made


async def _moved(gate: Gate, task: "asyncio.Future[Any]") -> None:
    """Until a request has its next message at the gate, is done, or is kept waiting by the database."""
    waiting = asyncio.ensure_future(gate.waiting.wait())
    await asyncio.wait([waiting, task], timeout=_BLOCKED, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _next(made: list[int]) -> list[int] | None:
    """The choices of the next schedule: the last one that was for the first request is for the second now."""
    while made and made[-1] == 1:
        made = made[:-1]
    return [*made[:-1], 1] if made else None


@pytest.mark.parametrize("after", [1, 60], ids=["within", "later"])
@pytest.mark.parametrize("kind", ["redis", "postgresql", "mariadb"])
@pytest.mark.case("H07", "H08", "H09")
async def test_two_processes_in_every_order(
    kind: str, after: float, servers: Servers, clock: Clock, listener: Listener
) -> None:
    if reason := Servers.missing(kind):
        pytest.skip(reason)
    url, namespace, played, rng = servers.url(kind), secrets.token_hex(4), 0, random.Random(after)
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(Proxy(port_of(url))) for _ in range(2)]
        places = [at_port(url, proxy.port) for proxy in proxies]
        stores = [make_store(kind, place, namespace) for place in places]
        issuers = [await stack.enter_async_context(make_issuer(store, clock, listener)) for store in stores]
        two = Two(issuers, proxies)
        for first, second in PAIRS:
            sampled = kind == "mariadb" and not os.environ.get("EVERY_ORDER")
            if sampled:
                for _ in range(_SAMPLE):
                    at_random = [rng.randint(0, 1) for _ in range(20)]
                    await _one_schedule(two, at_random, first, second, clock, listener, after)
                    played += 1
                continue
            choices: list[int] | None = []
            while choices is not None:
                choices = _next(await _one_schedule(two, choices, first, second, clock, listener, after))
                played += 1
    assert played > 2 * len(PAIRS), "there was more than one order"


async def _one_schedule(
    two: Two, choices: list[int], first: str, second: str, clock: Clock, listener: Listener, after: float
) -> list[int]:
    await listener.names()
    listener.events.clear()
    scene = await Scene.of(two.issuers[0], clock, after=after)
    elsewhere = Scene(two.issuers[1], scene.pairs)
    # Both have asked before: a connection is there, and what is sent once per connection was sent.
    await elsewhere.issuer.sessions("nobody")
    answers, made = await two.play(choices, [getattr(scene, first), getattr(elsewhere, second)])
    new = [answer for answer in answers if isinstance(answer, TokenPair)]
    if {first, second} & ENDING:
        await nothing_lives(scene, new)
    else:
        await one_successor_lives(scene, new, await listener.names())
    await two.issuers[0].logout_all("ann")
    return made


async def test_the_schedules_are_all_of_them() -> None:
    """Three choices between two: eight schedules, each once."""
    seen, choices = [], [0, 0, 0]
    following: list[int] | None = choices
    while following is not None:
        made = [*following, *[0] * (3 - len(following))]
        seen.append(tuple(made))
        following = _next(made)
    assert len(seen) == len(set(seen)) == 8
