"""Several things that are opened and closed together, whatever one of them does."""

import asyncio

import pytest

from jwt_refresh_middleware.errors import StoreUnavailable
from jwt_refresh_middleware.upkeep import Together, together


class Part:
    """Notes in ``log`` what happens to it, and fails when told to."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log
        self.running = False
        self.failing_open: BaseException | None = None
        self.failing_close: BaseException | None = None

    def is_running(self) -> bool:
        return self.running

    async def open(self) -> None:
        self.log.append(f"open {self.name}")
        await asyncio.sleep(0)
        if self.failing_open is not None:
            raise self.failing_open
        self.running = True

    async def ready(self) -> None:
        if not self.running:
            await self.open()

    async def close(self) -> None:
        self.log.append(f"close {self.name}")
        self.running = False
        await asyncio.sleep(0)
        if self.failing_close is not None:
            raise self.failing_close


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def parts(log: list[str]) -> list[Part]:
    return [Part(name, log) for name in "abc"]


def test_what_is_not_there_needs_no_upkeep(parts: list[Part]) -> None:
    assert together() is None
    assert together(None, None) is None
    assert together(None, parts[0]) is parts[0]
    assert isinstance(together(parts[0], None, parts[1]), Together)


async def test_they_are_opened_in_order_and_closed_the_other_way_round(parts: list[Part], log: list[str]) -> None:
    both = Together(parts)
    assert not both.is_running()
    await both.open()
    assert both.is_running()
    await both.close()
    assert not both.is_running()
    assert log == ["open a", "open b", "open c", "close c", "close b", "close a"]


async def test_only_what_does_not_run_is_opened_again(parts: list[Part], log: list[str]) -> None:
    both = Together(parts)
    await both.open()
    log.clear()
    await both.ready()
    assert log == []
    parts[1].running = False
    assert not both.is_running()
    await both.ready()
    assert log == ["open b"]


async def test_if_one_cannot_be_opened_those_before_it_are_closed(parts: list[Part], log: list[str]) -> None:
    parts[2].failing_open = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await Together(parts).open()
    assert log == ["open a", "open b", "open c", "close b", "close a"]


async def test_the_reason_is_told_if_closing_fails_as_well(parts: list[Part], log: list[str]) -> None:
    parts[1].failing_open, parts[0].failing_close = ConnectionError(), ValueError()
    with pytest.raises(ValueError) as failure:
        await Together(parts).open()
    assert isinstance(failure.value.__context__, ConnectionError)
    assert log == ["open a", "open b", "close a"]


async def test_what_one_cannot_do_does_not_keep_the_others_open(parts: list[Part], log: list[str]) -> None:
    first, second = ConnectionError("c"), ConnectionError("a")
    parts[2].failing_close, parts[0].failing_close = first, second
    with pytest.raises(ConnectionError) as failure:
        await Together(parts).close()
    assert failure.value is first
    assert log == ["close c", "close b", "close a"]


async def test_the_others_are_closed_too_if_it_is_cancelled(parts: list[Part], log: list[str]) -> None:
    task = asyncio.ensure_future(Together(parts).close())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["close c", "close b", "close a"]


async def test_opening_that_is_cancelled_leaves_nothing_open(parts: list[Part], log: list[str]) -> None:
    task = asyncio.ensure_future(Together(parts).open())
    while log != ["open a", "open b"]:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["open a", "open b", "close a"]


async def test_what_makes_it_ready_may_refuse(parts: list[Part]) -> None:
    parts[0].failing_open = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await Together(parts).ready()
