"""Whether the time of a refusal tells what was right about the token: Welch's t over interleaved measurements (J02).

What nobody without the key can try is not claimed: a token with a genuine signature over an unknown session, or an
expired one. What an answer says openly its time may say, too. Whether a wrong password takes as long as an unknown user
is the business of the app, whose ``authenticate`` it is.
"""

import math
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from jwt_refresh_middleware import keys, refresh
from jwt_refresh_middleware.errors import AuthError

from ..catalogue.forge import ALPHABET, b64, claims, header, refresh_token, segment, token
from ..web.support import COOKIE, Service
from .flood import Exchange

_POOL = 2048
"""Different tokens, so that no single one is known to the caches of the processor."""
_CROPS = (0.5, 0.75, 0.9, 0.95, 0.99)
NOTABLE = 4.5
"""|t| of that size is no chance (ISO/IEC 17825; dudect)."""

Pair = tuple[bytes, bytes]
Call = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison of two kinds of tokens has shown.

    Attributes:
        name: of what.
        t: Welch's, of the crop in which it is greatest.
        nanoseconds: medians of both.
        count: measurements of both together.
        claimed: whether it has to be unremarkable.
    """

    name: str
    t: float
    nanoseconds: tuple[float, float]
    count: int
    claimed: bool = True

    @property
    def holds(self) -> bool:
        return not self.claimed or abs(self.t) < NOTABLE


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """Welch's t of two samples."""
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    difference = statistics.fmean(one) - statistics.fmean(other)
    return difference / math.sqrt(spread) if spread else math.copysign(math.inf, difference) if difference else 0.0


def greatest(one: Sequence[int], other: Sequence[int]) -> float:
    """Welch's t where it is greatest, over crops of the slowest measurements: something else made those slow."""
    pooled = sorted([*one, *other])
    limits = [pooled[int(len(pooled) * share)] for share in _CROPS]
    cropped = (([x for x in one if x <= limit], [x for x in other if x <= limit]) for limit in limits)
    return max((welch(a, b) for a, b in cropped if min(len(a), len(b)) > 2), key=abs)


def compare(name: str, call: Call, pairs: Sequence[Pair], count: int, seed: int, *, claimed: bool = True) -> Comparison:
    """Measure ``call`` with either of a pair, in random order; each token is a new object, as a server's are."""
    dice, clock = random.Random(seed), time.perf_counter_ns
    taken: tuple[list[int], list[int]] = ([], [])
    for _ in range(count):
        chosen = dice.getrandbits(1)
        value = bytes(bytearray(dice.choice(pairs)[chosen]))
        began = clock()
        call(value)
        taken[chosen].append(clock() - began)
    medians = statistics.median(taken[0]), statistics.median(taken[1])
    return Comparison(name, greatest(*taken), medians, count, claimed)


def _other(character: str, dice: random.Random) -> str:
    return dice.choice(ALPHABET.replace(character, ""))


def _tails(text: str, dice: random.Random) -> Pair:
    """A token whose signature is wrong in its last character only, and one in which none is right."""
    head, mac = text[:-43], text[-43:]
    last = head + mac[:-1] + _other(mac[-1], dice)
    return last.encode(), (head + "".join(_other(c, dice) for c in mac)).encode()


def _random_mac(dice: random.Random) -> str:
    return b64(dice.randbytes(32))


def access_pairs(dice: random.Random) -> list[Pair]:
    made = (token(sub=f"user-{dice.randrange(10**6):06}", jti=b64(dice.randbytes(12))) for _ in range(_POOL))
    return [_tails(text, dice) for text in made]


def refresh_pairs(dice: random.Random) -> list[Pair]:
    return [_tails(refresh_token(dice.randbytes(32), dice.randrange(1000)), dice) for _ in range(_POOL)]


def reading_access(service: Service) -> Call:
    """The check of an access token."""
    verify = service.issuer.verifier.verify

    def call(value: bytes) -> None:
        try:
            verify(value)
        except AuthError:
            return
        raise AssertionError("a token that was to be refused")

    return call


def reading_refresh(service: Service) -> Call:
    """The check of a refresh token."""
    read = service.issuer._pairs.signer.read

    def call(value: bytes) -> None:
        try:
            read(value.decode())
        except AuthError:
            return
        raise AssertionError("a token that was to be refused")

    return call


def asking(service: Service, name: bytes, before: bytes, method: str, path: str) -> Call:
    """A whole request. What is refused without the store never waits, so that no event loop is in the way."""
    app = service.app

    def call(value: bytes) -> None:
        exchange = Exchange(method, path, (((name, before + value),), b""))
        run: Any = app(exchange.scope, exchange.receive, exchange.send)
        try:
            run.send(None)
        except StopIteration:
            assert exchange.status in (400, 401)
            return
        raise AssertionError("a refusal that waits for something")

    return call


def unsigned_sessions(dice: random.Random, known: Sequence[bytes]) -> list[Pair]:
    """Refresh tokens with the handle of a session that exists, and of none, neither of them signed by us."""
    made = []
    for _ in range(_POOL):
        mac = _random_mac(dice)
        heads = (refresh_token(handle, 0)[:-43] for handle in (dice.choice(known), dice.randbytes(32)))
        made.append(tuple((head + mac).encode() for head in heads))
    return made  # type: ignore[return-value]


def unsigned_session_ids(dice: random.Random, known: Sequence[str]) -> list[Pair]:
    """Access tokens that name a session that exists, and none, neither of them signed by us."""
    made = []
    for _ in range(_POOL):
        rest, mac = {"gen": 0, "jti": b64(dice.randbytes(12))}, _random_mac(dice)
        named = (dice.choice(known), b64(dice.randbytes(16)))
        made.append(tuple(f"{segment(header())}.{segment(claims(sid=sid, **rest))}.{mac}".encode() for sid in named))
    return made  # type: ignore[return-value]


def _not_claimed(dice: random.Random) -> list[tuple[str, list[Pair]]]:
    """Of access tokens: what the answer says openly, and what only who makes the token can choose."""
    expired, shapes = [], []
    for _ in range(_POOL):
        jti, mac = b64(dice.randbytes(12)), _random_mac(dice)
        old = token(jti=jti, exp=1_000_000_000)
        expired.append((old.encode(), (old[:-43] + mac).encode()))
        good = token(jti=jti)
        shapes.append(((good[:-43] + mac).encode(), good.replace(".", "x").encode()))
    return [("expired / wrong signature", expired), ("wrong signature / wrong shape", shapes)]


async def known_sessions(service: Service, count: int = 64) -> tuple[list[bytes], list[str]]:
    """Handles and ids of sessions that exist."""
    tokens = [(await service.issuer.login(f"user-{n}")).refresh_token for n in range(count)]
    read = [service.issuer._pairs.signer.read(text) for text in tokens]
    return [one.handle for one in read], [one.session_id for one in read]


async def all_comparisons(count: int, seed: int) -> AsyncIterator[Comparison]:
    """Every comparison, one after the other; nothing of the event loop runs while one is made."""
    dice, service = random.Random(seed), Service()
    handles, ids = await known_sessions(service)
    asking_access = asking(service, b"authorization", b"Bearer ", "GET", "/private")
    asking_refresh = asking(service, b"cookie", COOKIE.encode() + b"=", "POST", "/auth/refresh")
    access, opaque = access_pairs(dice), refresh_pairs(dice)
    prefix = "signature right up to its last character / wrong from its first"
    yield compare(f"access token, check: {prefix}", reading_access(service), access, count, seed)
    yield compare(f"access token, request: {prefix}", asking_access, access, count, seed)
    yield compare(f"refresh token, check: {prefix}", reading_refresh(service), opaque, count, seed)
    yield compare(f"refresh token, request: {prefix}", asking_refresh, opaque, count, seed)
    unsigned = "a session that exists / that does not, wrong signature"
    yield compare(f"refresh token, request: {unsigned}", asking_refresh, unsigned_sessions(dice, handles), count, seed)
    yield compare(f"access token, request: {unsigned}", asking_access, unsigned_session_ids(dice, ids), count, seed)
    for name, pairs in _not_claimed(dice):
        yield compare(f"access token, request: {name}", asking_access, pairs, count, seed, claimed=False)
    with leaky():
        yield compare(
            f"control, a comparison that leaks: access token, {prefix}",
            reading_access(service), access, count, seed, claimed=False,
        )  # fmt: skip
        yield compare(
            f"control, a comparison that leaks: refresh token, {prefix}",
            reading_refresh(service), opaque, count, seed, claimed=False,
        )  # fmt: skip
    await service.aclose()


def byte_by_byte(one: bytes, other: bytes) -> bool:
    """What must not be: a comparison that ends at the first difference."""
    if len(one) != len(other):
        return False
    for a, b in zip(one, other, strict=True):  # noqa: SIM110
        if a != b:
            return False
    return True


@contextmanager
def leaky() -> Iterator[None]:
    """The package compares byte by byte meanwhile: what cannot see that cannot see anything."""
    with patch.object(keys, "compare_digest", byte_by_byte), patch.object(refresh, "compare_digest", byte_by_byte):
        yield
