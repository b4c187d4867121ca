"""Tens of thousands of refused tokens: nothing is asked, told, logged or kept, and none costs more than a good one."""

import asyncio

import pytest

from .flood import KINDS, Flood, flood, genuine

_MANY, _TRACED = 20_000, 3_000
_SEED = 20_261_128
_CASES = {"access": ("J05", "B09", "B11"), "refresh": ("J05", "H15")}

pytestmark = pytest.mark.alone
kinds = pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.case(*_CASES[k]), id=k) for k in KINDS])


def nothing_happened(found: Flood) -> None:
    assert found.unexpected == 0, found.answers
    assert (found.store_calls, found.inner_calls, found.records, found.events) == (0, 0, 0, 0)
    assert found.fuller == {}
    assert found.fds[0] == found.fds[1]


@kinds
def test_garbage_leaves_nothing_behind(kind: str) -> None:
    found = asyncio.run(flood(kind, _MANY, _SEED))
    nothing_happened(found)
    assert found.rss_growth < 4 << 20


@kinds
def test_garbage_is_forgotten(kind: str) -> None:
    found = asyncio.run(flood(kind, _TRACED, _SEED + 1, trace=True))
    nothing_happened(found)
    assert found.traced is not None
    assert found.traced < 10 * _TRACED, "more than 20 bytes of each token of the second half are still there"


@kinds
def test_garbage_costs_no_more_than_what_is_good(kind: str) -> None:
    """On average, however large or deep it is; several times as much is left to chance and to who else is at work."""
    assert asyncio.run(flood(kind, 2_000, _SEED + 2)).mean < 6 * asyncio.run(genuine(kind, 1_000))
