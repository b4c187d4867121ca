"""What an attacker, or a good day, can make long or many costs no more for each than it has to. Ratios of one run."""

import random
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from jwt_refresh_middleware import Cookie
from jwt_refresh_middleware.acknowledgements import _MOST_REMEMBERED, Acknowledgements
from jwt_refresh_middleware.errors import InvalidRequest
from jwt_refresh_middleware.limits import _MOST_WATCHED, RefreshRate
from jwt_refresh_middleware.web.client_files import takes_gzip

from ..web.support import COOKIE

pytestmark = pytest.mark.alone
_MEGABYTE = 1 << 20


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The shortest of some runs: what is longer, somebody else has made longer."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def test_a_refresh_costs_the_same_when_many_sessions_are_watched() -> None:
    """Ten thousand in ten seconds is what one process can have; looking through all at each cost 2.6 ms."""
    rate = RefreshRate((30, 10.0))

    def batch(first: int) -> float:
        began = time.perf_counter()
        for number in range(first, first + 500):
            rate.count(f"session-{number}", 100.0, rotation=True)
        return time.perf_counter() - began

    empty = min(batch(first) for first in range(0, _MOST_WATCHED, 500))
    full = min(batch(first) for first in range(_MOST_WATCHED, _MOST_WATCHED + 5000, 500))
    assert full < 20 * empty


def test_an_acknowledgement_costs_the_same_when_many_are_remembered() -> None:
    acks = Acknowledgements()

    def batch(first: int) -> float:
        tokens = [_token(number) for number in range(first, first + _MOST_REMEMBERED // 8)]
        began = time.perf_counter()
        for token in tokens:
            acks.note(token)
        return time.perf_counter() - began

    taken = [batch(first) for first in range(0, 2 * _MOST_REMEMBERED, _MOST_REMEMBERED // 8)]
    assert sorted(taken[8:])[4] < 5 * sorted(taken[:8])[4]
    assert len(acks.seen) == _MOST_REMEMBERED


def _token(number: int) -> Any:
    """As much of an access token as is looked at."""
    return SimpleNamespace(session_id=f"session-{number}", generation=1)


def _split(header: bytes) -> list[bytes]:
    """The values of our cookie, by taking the header to pieces."""
    pairs = (pair.lstrip(b" \t").partition(b"=") for pair in header.split(b";"))
    return [value.strip(b" \t") for name, equals, value in pairs if equals and name == COOKIE.encode()]


def test_the_cookie_that_is_looked_for_is_the_one_that_splitting_finds() -> None:
    dice, name = random.Random(7), COOKIE.encode()
    pieces = [name, name + b"=", b"=", b";", b"; ", b" ", b"\t", b"a", b'"', name + b"=x;", b"y=" + name + b"=", b"_"]
    outcomes = set()
    for _ in range(20_000):
        header = b"".join(dice.choices(pieces, k=dice.randint(1, 7)))
        values = _split(header)
        outcomes.add(len(values))
        if len(values) > 1:
            with pytest.raises(InvalidRequest):
                Cookie().read(header)
        else:
            assert Cookie().read(header) == ((values[0].decode() or None) if values else None), header
    assert outcomes >= {0, 1, 2}


@pytest.mark.case("B11")
@pytest.mark.parametrize("filler", [b";", b"; ", b"a;", b" "])
def test_a_megabyte_of_cookies_is_not_taken_to_pieces(filler: bytes) -> None:
    """It took 0.2 s, in which nobody else was served."""
    header = COOKIE.encode() + b"=x;" + filler * (_MEGABYTE // len(filler))
    assert Cookie().read(header) == "x"
    assert seconds(lambda: Cookie().read(header)) < seconds(lambda: header.replace(b";", b"\n").split(b"\n")) + 0.002


@pytest.mark.case("B11")
def test_a_megabyte_of_codings_is_not_taken_to_pieces() -> None:
    header = b"," * _MEGABYTE
    assert not takes_gzip(header)
    assert seconds(lambda: takes_gzip(header)) < seconds(lambda: header.split(b","))
