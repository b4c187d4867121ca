"""Events are told in order and break nothing; rounds survive what goes wrong in them."""

import asyncio
import logging
from dataclasses import FrozenInstanceError

import pytest

from jwt_refresh_middleware import Device, rounds
from jwt_refresh_middleware.background import EventTeller
from jwt_refresh_middleware.events import Event, ReuseDetected, Rotated
from jwt_refresh_middleware.rounds import Complaints, Rounds
from tests.rotation.support import Listener


def _rotated(generation: int) -> Rotated:
    return Rotated(at=1.0, subject="ann", session_id="s", generation=generation)


def _reuse() -> ReuseDetected:
    return ReuseDetected(at=1.0, subject="ann", session_id="s", device=Device(), presented=1, generation=3)


async def test_events_come_in_order_and_all_before_the_end(listener: Listener) -> None:
    teller = EventTeller(listener)
    for generation in range(100):
        teller.tell(_rotated(generation))
        if generation % 7 == 0:
            await asyncio.sleep(0)
    await teller.finish()
    assert [event.generation for event in listener.events if isinstance(event, Rotated)] == list(range(100))


async def test_a_slow_listener_delays_nobody_and_still_hears_in_order() -> None:
    heard: list[int] = []
    go_on = asyncio.Event()

    async def slow(event: Event) -> None:
        await go_on.wait()
        assert isinstance(event, Rotated)
        heard.append(event.generation)

    teller = EventTeller(slow)
    for generation in range(5):
        teller.tell(_rotated(generation))
        await asyncio.sleep(0)
    assert heard == []
    go_on.set()
    await teller.finish()
    assert heard == [0, 1, 2, 3, 4]


async def test_a_broken_listener_is_logged_and_hears_the_next(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event] = []

    async def broken(event: Event) -> None:
        heard.append(event)
        raise RuntimeError("my mistake")

    teller = EventTeller(broken)
    teller.tell(_rotated(1))
    teller.tell(_rotated(2))
    await teller.finish()
    assert len(heard) == 2
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in errors] == ["on_event failed for rotated"] * 2
    assert all(record.exc_info for record in errors)


async def test_a_listener_that_hangs_does_not_hang_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt_refresh_middleware.background._LAST_WORDS", 0.01)
    cancelled = asyncio.Event()

    async def hangs(_: Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    teller = EventTeller(hangs)
    teller.tell(_rotated(1))
    await teller.finish()
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_too_many_events_lose_the_oldest_and_say_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    monkeypatch.setattr("jwt_refresh_middleware.background._MOST_WAITING", 3)
    teller = EventTeller(listener)
    for generation in range(5):
        teller.tell(_rotated(generation))
    await teller.finish()
    assert [event.generation for event in listener.events if isinstance(event, Rotated)] == [2, 3, 4]
    assert "on_event does not keep up" in caplog.text


async def test_everyday_events_are_debug_and_alarming_ones_are_warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "jwt_refresh_middleware")
    teller = EventTeller(None)
    teller.tell(_rotated(1))
    teller.tell(_reuse())
    levels = [(record.levelno, record.getMessage().split()[0]) for record in caplog.records]
    assert levels == [(logging.DEBUG, "rotated"), (logging.WARNING, "reuse_detected")]


def test_what_nobody_hears_need_not_be_told(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jwt_refresh_middleware")
    assert EventTeller(listener).listened_to
    assert not EventTeller(None).listened_to
    caplog.set_level(logging.DEBUG, "jwt_refresh_middleware")
    assert EventTeller(None).listened_to


def test_one_teller_in_two_event_loops(listener: Listener) -> None:
    teller = EventTeller(listener)

    async def tell(generation: int) -> None:
        teller.tell(_rotated(generation))
        await teller.finish()

    asyncio.run(tell(1))
    asyncio.run(tell(2))
    assert len(listener.events) == 2


def test_events_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        _reuse().presented = 2  # type: ignore[misc]


class Work:
    """Fails in the rounds it is told to, and wakes up who waits for a round."""

    def __init__(self, *failing: int) -> None:
        self.rounds = 0
        self._failing = failing
        self._changed = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._changed:
            self.rounds += 1
            self._changed.notify_all()
        if self.rounds in self._failing:
            raise OSError("the store is away")

    async def wait_for(self, rounds: int) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.rounds >= rounds)


async def test_rounds_survive_and_a_failure_is_logged_once_until_it_works_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work = Work(2, 3, 4, 6)
    rounds = Rounds(work, 0.001)
    rounds.start()
    await work.wait_for(8)
    await rounds.stop()
    warnings = [record.getMessage() for record in caplog.records if "background work failed" in record.getMessage()]
    assert len(warnings) == 2
    assert "OSError" in warnings[0]


async def test_stopped_rounds_are_over_and_stopping_twice_is_no_error() -> None:
    work = Work()
    rounds = Rounds(work, 0.001)
    rounds.start()
    await work.wait_for(2)
    await rounds.stop()
    await rounds.stop()
    so_far = work.rounds
    await asyncio.sleep(0.02)
    assert work.rounds == so_far


async def test_rounds_end_also_if_the_work_swallows_that_it_was_cancelled() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("the connection was lost while it was closed") from None

    rounds = Rounds(work, 0.001)
    rounds.start()
    await begun.wait()
    async with asyncio.timeout(5):
        await rounds.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_rounds_of_a_loop_that_is_gone_are_left_behind() -> None:
    counted: list[int] = []

    async def work() -> None:
        counted.append(1)

    rounds = Rounds(work, 0.001)

    async def begin() -> None:
        rounds.start()

    async def begin_again_and_stop() -> None:
        rounds.start()
        async with asyncio.timeout(10):
            while not counted:
                await asyncio.sleep(0.001)
        await rounds.stop()

    asyncio.run(begin())
    counted.clear()
    asyncio.run(begin_again_and_stop())
    asyncio.run(rounds.stop())


def test_complaints_are_counted_and_each_kind_is_heard(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints = Complaints("it failed")
    for _ in range(4):
        complaints.about(OSError("one"))
    complaints.about(TimeoutError("two"))
    assert [record.getMessage() for record in caplog.records] == [
        "it failed: OSError: one",
        "it failed: TimeoutError: two",
    ]
    monkeypatch.setattr(rounds, "_COMPLAIN_EVERY", 0.0)
    complaints.about(OSError("three"))
    complaints.about(OSError("four"))
    assert [record.getMessage() for record in caplog.records[2:]] == [
        "it failed: OSError: three (and 3 more since the last line)",
        "it failed: OSError: four",
    ]
