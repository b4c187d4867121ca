"""Refused tokens by the hundred thousand through the whole middleware, in one process: their price, and what stays."""

import asyncio
import gc
import json
import logging
import time
import tracemalloc
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..catalogue import forge
from ..web.asgi import AGENT, http_scope
from ..web.support import Service, Tokens
from .census import census, grown
from .garbage import Garbage, Request, access_request, refresh_request
from .vitals import Growth, vitals

Next = Callable[[Garbage], tuple[str, Request]]
_PLACES: dict[str, tuple[str, str, Next]] = {
    "access": ("GET", "/private", access_request),
    "refresh": ("POST", "/auth/refresh", refresh_request),
}
KINDS = tuple(_PLACES)
_LOOKS = 40
_EXPECTED = {"access": {(401, "token_invalid")}, "refresh": {(401, "refresh_invalid"), (400, "invalid_grant")}}


class Exchange:
    """What a server passes to an app for one request, and what it gets back."""

    def __init__(self, method: str, path: str, request: Request) -> None:
        headers, self._body = request
        usual = ((b"host", b"testserver"), (b"user-agent", AGENT.encode()))
        self.scope = http_scope(method, path, [*usual, *headers])
        self.status, self.body = 0, b""

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message["body"]


class _Ears(logging.Handler):
    """Counts what is logged, by whomever."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.records += 1


@contextmanager
def listening() -> Iterator[_Ears]:
    """Everything is logged meanwhile, and heard."""
    root, ears = logging.getLogger(), _Ears()
    level = root.level
    root.addHandler(ears)
    root.setLevel(logging.DEBUG)
    try:
        yield ears
    finally:
        root.setLevel(level)
        root.removeHandler(ears)


@dataclass(slots=True)
class Flood(Growth):
    """What a flood has shown.

    Attributes:
        kind: of the tokens: ``access`` or ``refresh``.
        requests: how many there were.
        answers: how often each status and code came.
        unexpected: how many of them were no refusal of the kind that was due.
        store_calls, inner_calls, records, events: what must not have happened.
        nanoseconds: of this thread's CPU that each request took: whoever else uses the machine does not count.
        by_kind: mean of each kind of garbage, in microseconds.
        rss: bytes, by the number of requests before.
        fds: file descriptors at the beginning and the end.
        traced: bytes by which Python's own memory grew from the end of the second quarter to the end; None if it was
            not traced.
        fuller: containers that held more at the end than after the first refusals: nobody without a key fills anything.
    """

    kind: str
    requests: int
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    unexpected: int = 0
    store_calls: int = 0
    inner_calls: int = 0
    records: int = 0
    events: int = 0
    nanoseconds: "array[int]" = field(default_factory=lambda: array("q"))
    by_kind: dict[str, float] = field(default_factory=dict)
    rss: list[tuple[float, float]] = field(default_factory=list)
    fds: tuple[int, int] = (0, 0)
    traced: int | None = None
    fuller: dict[str, int] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Microseconds for a token."""
        return sum(self.nanoseconds) / len(self.nanoseconds) / 1000

    def quantile(self, share: float) -> float:
        """Microseconds."""
        return sorted(self.nanoseconds)[int(len(self.nanoseconds) * share)] / 1000


async def flood(kind: str, requests: int, seed: int, *, trace: bool = False) -> Flood:
    """Send ``requests`` refused tokens, and look at everything before, meanwhile and afterwards."""
    service = Service()
    honest = await service.login()
    assert (await service.get_in(honest)).status == 200
    await _first_refusals(service, honest)
    found, garbage = Flood(kind, requests), Garbage(seed, honest.access, honest.refresh)
    found.nanoseconds = array("q", bytes(8 * requests))
    before = _noted(service)
    first = vitals()
    with listening() as ears, _traced(trace):
        await _pour(service, found, garbage, trace=trace)
        found.records = ears.records
    found.fds = first.fds, vitals().fds
    await service.event_names()
    found.store_calls, found.inner_calls, found.events = (b - a for a, b in zip(before, _noted(service), strict=True))
    await _unharmed(service, honest)
    await service.aclose()
    return found


async def _first_refusals(service: Service, honest: Tokens) -> None:
    """One of each kind, so that the answers are prepared, and the user agent is known."""
    await service.ask("GET", "/private", headers={"authorization": "Bearer x"})
    await service.post("refresh", headers={"cookie": honest.cookie + "x"})
    await service.post("refresh", form={"grant_type": "refresh_token", "refresh_token": "x"})
    await service.event_names()


def _noted(service: Service) -> tuple[int, int, int]:
    return len(service.store.calls), service.inner.calls, len(service.events)


@contextmanager
def _traced(wanted: bool) -> Iterator[None]:
    if wanted:
        tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


async def _pour(service: Service, found: Flood, garbage: Garbage, *, trace: bool) -> None:
    method, path, following = _PLACES[found.kind]
    app, clock, nanoseconds = service.app, time.thread_time_ns, found.nanoseconds
    totals: dict[str, list[int]] = {}
    bodies: Counter[tuple[int, bytes]] = Counter()
    look = max(1, found.requests // _LOOKS)
    held, halfway = census(app), 0
    for number in range(found.requests):
        if number % look == 0:
            found.rss.append((number, vitals().rss))
        if number == found.requests // 2 and trace:
            gc.collect()
            halfway = tracemalloc.get_traced_memory()[0]
        kind, request = following(garbage)
        exchange = Exchange(method, path, request)
        began = clock()
        await app(exchange.scope, exchange.receive, exchange.send)
        taken = nanoseconds[number] = clock() - began
        bodies[exchange.status, exchange.body] += 1
        of_kind = totals.setdefault(kind, [0, 0])
        of_kind[0] += 1
        of_kind[1] += taken
        if number % 64 == 0:
            await asyncio.sleep(0)  # whatever waits in the background has its turn
    gc.collect()
    if trace:
        found.traced = tracemalloc.get_traced_memory()[0] - halfway
    found.rss.append((found.requests, vitals().rss))
    found.fuller = grown(held, census(app))
    found.by_kind = {kind: total / count / 1000 for kind, (count, total) in totals.items()}
    for (status, body), count in bodies.items():
        answer = json.loads(body)
        found.answers[status, answer.get("code") or answer["error"]] += count
    found.unexpected = sum(n for answer, n in found.answers.items() if answer not in _EXPECTED[found.kind])


async def _unharmed(service: Service, honest: Tokens) -> None:
    """The honest one, whose tokens were imitated, is let in and refreshed as if nothing had been."""
    assert (await service.get_in(honest)).status == 200
    newer = service.tokens(await service.post("refresh", headers=honest.by_cookie))
    assert (await service.get_in(newer)).status == 200


async def genuine(kind: str, count: int) -> float:
    """Microseconds for a good token that was not seen before, the same way: what a refusal may be compared with."""
    service = Service()
    method, path, _ = _PLACES[kind]
    total = 0
    for number in range(count):
        if kind == "access":
            value = (b"authorization", f"Bearer {forge.token(sub='alice', jti=f'{number}')}".encode())
        else:
            pair = await service.issuer.login("alice")
            value = (b"cookie", f"{service.cookie_name}={pair.refresh_token}".encode())
        exchange = Exchange(method, path, ((value,), b""))
        began = time.thread_time_ns()
        await service.app(exchange.scope, exchange.receive, exchange.send)
        total += time.thread_time_ns() - began
        assert exchange.status == 200
    await service.aclose()
    return total / count / 1000
