"""Who writes to an audit log: when, how much at once, and what a log that is slow, broken or away costs. Nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import rounds
from jwt_refresh_middleware.audit import AuditEntry
from jwt_refresh_middleware.audit.memory import MemoryAudit
from jwt_refresh_middleware.audit.writer import AuditWriter
from jwt_refresh_middleware.events import Event, Repeated, Revoked, Rotated, SessionStarted, StoreFailed
from jwt_refresh_middleware.testing import NOW, Clock

WRITER = "jwt_refresh_middleware.audit.writer"


def started(number: int) -> SessionStarted:
    return SessionStarted(at=NOW + number, subject=f"user-{number}")


class Log(MemoryAudit):
    """Remembers what it was asked, and does what ``first`` says before that."""

    def __init__(self, **options: Any) -> None:
        super().__init__(100_000, **options)
        self.batches: list[Sequence[AuditEntry]] = []
        self.purges: list[float] = []
        self.opened = self.closed = 0
        self.first: Callable[[], Awaitable[None]] | None = None
        self.changed = asyncio.Condition()

    async def open(self) -> None:
        self.opened += 1

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        async with self.changed:
            self.batches.append(entries)
            self.changed.notify_all()
        if self.first is not None:
            await self.first()
        await super().write(entries)

    async def purge(self, before: float) -> int:
        async with self.changed:
            self.purges.append(before)
            self.changed.notify_all()
        return await super().purge(before)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(holds)

    async def subjects(self) -> list[str | None]:
        return [entry.subject for entry in (await self.entries(most=100_000))[::-1]]


async def away() -> None:
    raise ConnectionError("the log is away")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round each few milliseconds instead of each second."""
    monkeypatch.setattr(f"{WRITER}._INTERVAL", 0.005)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No round comes by itself."""
    monkeypatch.setattr(f"{WRITER}._INTERVAL", 3600.0)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


@pytest.mark.usefixtures("slow")
async def test_what_waits_is_written_at_the_end_in_order_and_at_once() -> None:
    log = Log()
    writer = AuditWriter(log)
    for number in range(50):
        writer.add(started(number))
    await asyncio.sleep(0)
    assert log.batches == []
    await writer.finish()
    assert [len(batch) for batch in log.batches] == [50]
    assert await log.subjects() == [f"user-{number}" for number in range(50)]


@pytest.mark.usefixtures("quick")
async def test_what_waits_is_written_in_the_next_round() -> None:
    log = Log()
    writer = AuditWriter(log)
    writer.add(started(1))
    await log.until(lambda: len(log.batches) == 1)
    writer.add(started(2))
    await log.until(lambda: len(log.batches) == 2)
    await writer.finish()
    assert await log.subjects() == ["user-1", "user-2"]


def test_a_round_comes_each_second() -> None:
    from jwt_refresh_middleware.audit import writer

    assert (writer._INTERVAL, writer._ENOUGH, writer._MOST_WAITING) == (1.0, 100, 10_000)


@pytest.mark.usefixtures("slow")
async def test_a_hundred_do_not_wait_for_the_next_round() -> None:
    log = Log()
    writer = AuditWriter(log)
    for number in range(99):
        writer.add(started(number))
    for _ in range(5):
        await asyncio.sleep(0)
    assert log.batches == []
    writer.add(started(99))
    await log.until(lambda: len(log.batches) == 1)
    assert len(log.batches[0]) == 100
    await writer.finish()


@pytest.mark.usefixtures("slow")
async def test_no_batch_is_so_large_that_others_would_notice() -> None:
    log = Log()
    writer = AuditWriter(log)
    for number in range(600):
        writer.add(started(number))
    await writer.finish()
    assert [len(batch) for batch in log.batches] == [250, 250, 100]


@pytest.mark.parametrize("everything", [False, True])
async def test_everyday_events_are_kept_only_where_they_are_wanted(everything: bool) -> None:
    log = Log(everything=everything)
    writer = AuditWriter(log)
    writer.add(Rotated(at=NOW, generation=1))
    writer.add(Repeated(at=NOW + 1, generation=1))
    writer.add(Revoked(at=NOW + 2, reason="x"))
    await writer.finish()
    names = [entry.name for entry in await log.entries()]
    assert names == (["revoked", "repeated", "rotated"] if everything else ["revoked"])


async def test_an_outage_of_the_store_is_told_once_in_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    writer = AuditWriter(log)
    for number in range(1000):
        writer.add(StoreFailed(at=NOW + number, cause="OSError"))
    monkeypatch.setattr(f"{WRITER}._OUTAGE_EVERY", 0.0)
    writer.add(StoreFailed(at=NOW + 2000, cause="OSError"))
    await writer.finish()
    assert [entry.at for entry in await log.entries()] == [NOW + 2000, NOW]


@pytest.mark.usefixtures("quick")
async def test_a_log_that_is_away_is_complained_of_once_and_gets_the_same_batch_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = Log()
    log.first = away
    writer = AuditWriter(log)
    writer.add(started(1))
    await log.until(lambda: len(log.batches) == 1)
    writer.add(started(2))
    await log.until(lambda: len(log.batches) == 5)
    log.first = None
    await log.until(lambda: len(log.batches) == 7)
    await writer.finish()
    assert [[entry.subject for entry in batch] for batch in log.batches] == [["user-1"]] * 6 + [["user-2"]]
    assert len({batch[0].id for batch in log.batches[:6]}) == 1
    assert await log.subjects() == ["user-1", "user-2"]
    assert errors(caplog) == ["the audit log failed: ConnectionError: the log is away"]


@pytest.mark.usefixtures("quick")
async def test_a_failing_log_is_heard_of_again_with_the_number(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    log.first = away
    writer = AuditWriter(log)
    writer.add(started(1))
    await log.until(lambda: len(log.batches) == 4)
    await asyncio.sleep(0)
    monkeypatch.setattr(rounds, "_COMPLAIN_EVERY", 0.0)
    await log.until(lambda: len(log.batches) == 5)
    log.first = None
    await writer.finish()
    assert (
        errors(caplog)[1] == "the audit log failed: ConnectionError: the log is away (and 3 more since the last line)"
    )


@pytest.mark.usefixtures("slow")
async def test_of_more_than_may_wait_the_oldest_are_dropped_and_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{WRITER}._MOST_WAITING", 120)
    monkeypatch.setattr(f"{WRITER}._ENOUGH", 10**6)
    log = Log()
    writer = AuditWriter(log)
    for number in range(200):
        writer.add(started(number))
    await writer.finish()
    assert await log.subjects() == [f"user-{number}" for number in range(80, 200)]
    complaint = (
        "the audit log does not keep up with the events: the oldest were dropped, %d since the last line like this"
    )
    assert errors(caplog) == [complaint % 1, complaint % 79]


@pytest.mark.usefixtures("quick")
async def test_a_batch_that_could_not_be_written_is_the_oldest(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{WRITER}._MOST_WAITING", 100)
    log = Log()
    log.first = away
    writer = AuditWriter(log)
    for number in range(3):
        writer.add(started(number))
    await log.until(lambda: len(log.batches) == 1)
    await asyncio.sleep(0)
    for number in range(3, 104):
        writer.add(started(number))
    log.first = None
    await writer.finish()
    assert await log.subjects() == [f"user-{number}" for number in range(4, 104)]
    lost = [message for message in errors(caplog) if "dropped" in message]
    assert "dropped, 3 since" in lost[0]
    assert "dropped, 1 since" in lost[1]


@pytest.mark.usefixtures("quick")
async def test_a_log_that_hangs_is_given_up_and_asked_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{WRITER}._PATIENCE", 0.02)
    log = Log()

    async def hang() -> None:
        await asyncio.Event().wait()

    log.first = hang
    writer = AuditWriter(log)
    writer.add(started(1))
    await log.until(lambda: len(log.batches) == 2)
    log.first = None
    await writer.finish()
    assert await log.subjects() == ["user-1"]
    assert errors(caplog) == ["the audit log failed: TimeoutError: "]


async def test_the_end_does_not_wait_for_a_log_that_listens_to_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{WRITER}._LAST_WORDS", 0.02)
    log, go_on = Log(), asyncio.Event()

    async def stubborn() -> None:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    log.first = stubborn
    writer = AuditWriter(log)
    writer.add(started(1))
    async with asyncio.timeout(5):
        await writer.finish()
    assert errors(caplog) == ["the audit log has not got 1 events: they are lost if the process ends now"]
    go_on.set()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", [asyncio.CancelledError(), TimeoutError(), ValueError("a\nforged line")])
async def test_whatever_a_log_raises_the_next_round_comes(error: BaseException) -> None:
    log = Log()

    async def fail() -> None:
        raise error

    log.first = fail
    writer = AuditWriter(log)
    writer.add(started(1))
    await log.until(lambda: len(log.batches) == 3)
    log.first = None
    await writer.finish()
    assert await log.subjects() == ["user-1"]


async def test_a_log_that_fails_to_the_end_is_said_to_have_lost_what_waited(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    log.first = away
    writer = AuditWriter(log)
    for number in range(3):
        writer.add(started(number))
    await writer.finish()
    assert len(log.batches) == 2, "the first failure may have been of a connection that was long gone"
    assert errors(caplog)[-1] == "the audit log has not got 3 events: they are lost if the process ends now"
    log.first = None
    await writer.finish()
    assert await log.subjects() == ["user-0", "user-1", "user-2"]


@pytest.mark.usefixtures("quick")
async def test_what_was_kept_for_long_enough_is_deleted_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{WRITER}._PURGE_EVERY", 0.0)
    log = Log(keep=timedelta(days=90))
    clock = Clock()
    writer = AuditWriter(log)
    writer.begin(clock)
    writer.add(started(0))
    await log.until(lambda: len(log.batches) == 1)
    clock.advance(90 * 86_400 - 1)
    await log.until(lambda: log.purges[-1:] == [NOW - 1])
    assert await log.subjects() == ["user-0"]
    clock.advance(1)
    await log.until(lambda: log.purges[-1:] == [NOW])
    await writer.finish()
    assert await log.subjects() == []


@pytest.mark.usefixtures("quick")
async def test_deleting_goes_on_in_pieces_until_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [7]

    class InPieces(Log):
        async def purge(self, before: float) -> int:
            await super().purge(before)
            left[0] -= 1
            return max(0, left[0])

    monkeypatch.setattr(f"{WRITER}._PURGE_EVERY", 0.0)
    log = InPieces(keep=timedelta(days=1))
    writer = AuditWriter(log)
    monkeypatch.setattr(f"{WRITER}._PURGE_EVERY", 3600.0)
    writer.begin(Clock())
    await log.until(lambda: len(log.purges) == 7)
    for number in range(3):  # some more rounds
        writer.add(started(number))
        await log.until(lambda number=number: len(log.batches) == number + 1)  # type: ignore[misc]
    await writer.finish()
    assert len(log.purges) == 7


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("keep", [None, timedelta(days=1)])
async def test_nothing_is_deleted_for_ever_or_before_anybody_said_what_time_it_is(
    keep: timedelta | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{WRITER}._PURGE_EVERY", 0.0)
    log = Log(keep=keep)
    writer = AuditWriter(log)
    if keep is None:
        writer.begin(Clock())
    for number in range(3):
        writer.add(started(number))
        await log.until(lambda number=number: len(log.batches) == number + 1)  # type: ignore[misc]
    await writer.finish()
    assert log.purges == []


async def test_a_log_that_cannot_be_opened_is_heard_of_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    class Closed(Log):
        async def open(self) -> None:
            raise RuntimeError("the database has no table jwt_refresh_audit")

    writer = AuditWriter(Closed())
    writer.begin(Clock())
    await writer.finish()
    assert errors(caplog) == ["the audit log failed: RuntimeError: the database has no table jwt_refresh_audit"]


def test_one_writer_in_two_event_loops() -> None:
    log = MemoryAudit()
    writer = AuditWriter(log)

    async def write(event: Event) -> None:
        writer.add(event)
        await writer.finish()

    async def leave(event: Event) -> None:
        writer.add(event)

    asyncio.run(write(started(1)))
    asyncio.run(leave(started(2)))
    asyncio.run(write(started(3)))
    kept = asyncio.run(log.entries())
    assert [entry.subject for entry in kept] == ["user-3", "user-2", "user-1"]


async def test_a_writer_that_is_cancelled_stops() -> None:
    """At the end of a program, when nobody has closed the issuer."""
    log, begun = Log(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    log.first = hang
    writer = AuditWriter(log)
    for number in range(100):
        writer.add(started(number))
    await begun.wait()
    assert writer._task is not None
    writer._task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer._task
    log.first = None
    await writer.finish()
    assert len(await log.subjects()) == 100


async def test_a_log_that_hangs_to_the_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{WRITER}._LAST_WORDS", 0.02)
    log = Log()

    async def hang() -> None:
        await asyncio.Event().wait()

    log.first = hang
    writer = AuditWriter(log)
    writer.add(started(1))
    await writer.finish()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.usefixtures("slow")
async def test_after_an_end_events_wait_for_their_round_again() -> None:
    log = Log()
    writer = AuditWriter(log)
    writer.add(started(1))
    await writer.finish()
    writer.add(started(2))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(log.batches) == 1
    await writer.finish()
    assert len(log.batches) == 2


async def test_finishing_twice_is_no_error_and_leaves_no_task() -> None:
    writer = AuditWriter(Log())
    await writer.finish()
    writer.begin(Clock())
    writer.add(started(1))
    await writer.finish()
    await writer.finish()
    assert asyncio.all_tasks() == {asyncio.current_task()}
