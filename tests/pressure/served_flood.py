"""Refused requests on connections that are kept, against a server in a process of its own: memory and descriptors."""

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..matrix.wire import Line
from .garbage import Garbage, Request, access_request, refresh_request
from .place import Look, Place
from .vitals import Growth

_LINES = 8
_AT_ONCE = 16
"""Requests that are sent before the first answer is read."""
_LOOKS = 40
ALLOWED = {(401, "token_invalid"), (401, "refresh_invalid"), (400, "invalid_grant")}


@dataclass(slots=True)
class ServedFlood(Growth):
    """What a flood over a server has shown; ``rss``: bytes of the server, by the number of requests before."""

    server: str
    requests: int
    before: Look
    after: Look
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    rss: list[tuple[float, float]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def unexpected(self) -> int:
        return sum(number for answer, number in self.answers.items() if answer not in ALLOWED)

    @property
    def reached(self) -> int:
        """How often the app or the store were asked."""
        return self.after.calls - self.before.calls + sum(self.after.store.values()) - sum(self.before.store.values())


def request_bytes(method: bytes, path: bytes, request: Request) -> bytes:
    headers, body = request
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: testserver", b"User-Agent: pressure/1.0"]
    lines += [name + b": " + value for name, value in headers]
    lines += [b"Content-Length: %d" % len(body)] if method == b"POST" else []
    return b"\r\n".join([*lines, b"", body])


def _batch(garbage: Garbage) -> bytes:
    made = []
    for _ in range(_AT_ONCE // 2):
        made.append(request_bytes(b"GET", b"/me", access_request(garbage)[1]))
        made.append(request_bytes(b"POST", b"/auth/refresh", refresh_request(garbage)[1]))
    return b"".join(made)


def _code(reply: Any) -> tuple[int, str]:
    content: dict[str, str] = reply.json()
    return reply.status, content.get("code") or content["error"]


def served_flood(place: Place, requests: int, seed: int) -> ServedFlood:
    """Send ``requests`` over a few connections that are all kept to the end."""
    tokens = place.login("ann")
    warmed = place.ask("GET", "/me", {"authorization": "Bearer x"}), place.ask("POST", "/auth/refresh", form={"a": "b"})
    assert [reply.status for reply in warmed] == [401, 400]
    garbage = Garbage(seed, tokens.access, tokens.refresh)
    lines = [Line(place.port) for _ in range(_LINES)]
    before = place.look()
    found = ServedFlood(place.server, requests, before, before)
    began, look = time.monotonic(), max(1, requests // _LOOKS // _AT_ONCE)
    turns = itertools.cycle(lines)
    for number in range(requests // _AT_ONCE):
        line = next(turns)
        line.send(_batch(garbage))
        found.answers.update(_code(line.reply()) for _ in range(_AT_ONCE))
        assert not line.is_over
        if number % look == 0:
            found.rss.append((number * _AT_ONCE, place.look().vitals.rss))
    found.seconds = time.monotonic() - began
    found.after = place.look()
    found.rss.append((requests, found.after.vitals.rss))
    for line in lines:
        line.close()
    assert place.ask("GET", "/me", tokens.bearer).status == 200
    return found
