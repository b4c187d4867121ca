"""Events are told in order and break nothing; rounds survive what goes wrong in them."""

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import FrozenInstanceError

import pytest

from jwt_refresh_middleware import Device, rounds
from jwt_refresh_middleware.audit.memory import MemoryAudit
from jwt_refresh_middleware.background import EventTeller
from jwt_refresh_middleware.events import DeviceChanged, Event, LoginFailed, ReuseDetected, Revoked, Rotated
from jwt_refresh_middleware.rounds import Complaints, Rounds
from tests.rotation.support import Listener

from .every_event import all_events, make_event


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
    said = "on_event does not keep up: the oldest were dropped, 1 since the last line like this"
    assert [record.getMessage() for record in caplog.records] == [said, said]


async def test_a_listener_that_hangs_costs_nobody_anything_however_much_happens(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_refresh_middleware.background._LAST_WORDS", 0.01)
    heard: list[Event] = []

    async def hangs(event: Event) -> None:
        heard.append(event)
        await asyncio.Event().wait()

    teller = EventTeller(hangs)
    for generation in range(20_000):
        teller.tell(_rotated(generation))
        if generation % 1000 == 0:
            await asyncio.sleep(0)
    assert heard == [_rotated(0)]
    assert len(teller._waiting) == 10_000
    await teller.finish()
    lost = sum(int(re.findall(r", (\d+) since", record.getMessage())[0]) for record in caplog.records)
    assert lost == 9_999
    assert len(caplog.records) == 2, "not a line for each"


async def test_twenty_thousand_events_are_told_to_who_keeps_up(listener: Listener) -> None:
    teller = EventTeller(listener)
    for generation in range(20_000):
        teller.tell(_rotated(generation))
        if generation % 5000 == 0:
            await asyncio.sleep(0)
    await teller.finish()
    assert [event.generation for event in listener.events if isinstance(event, Rotated)] == list(range(20_000))


class Odd(BaseException):
    """Not an Exception."""


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit(), Odd("odd"), TimeoutError()], ids=repr)
async def test_whatever_a_listener_raises_it_hears_the_next(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []

    async def broken(event: Event) -> None:
        heard.append(event)
        raise error

    teller = EventTeller(broken)
    for generation in range(3):
        teller.tell(_rotated(generation))
    await teller.finish()
    assert heard == [_rotated(0), _rotated(1), _rotated(2)]
    assert [record.getMessage() for record in caplog.records] == ["on_event failed for rotated"] * 3


async def test_a_listener_that_something_else_cancels_hears_the_next() -> None:
    heard: list[Event] = []

    async def asks(event: Event) -> None:
        heard.append(event)
        other = asyncio.ensure_future(asyncio.sleep(10))
        other.cancel()
        await other

    teller = EventTeller(asks)
    teller.tell(_rotated(1))
    teller.tell(_rotated(2))
    await teller.finish()
    assert len(heard) == 2


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_who_ends_the_process_is_not_kept_from_it(error: BaseException) -> None:
    async def ends(_: Event) -> None:
        raise error

    async def tell() -> None:
        EventTeller(ends).tell(_rotated(1))
        await asyncio.sleep(5)

    with pytest.raises(type(error)):
        asyncio.run(tell())


async def test_a_broken_audit_log_keeps_no_event_from_the_listener(listener: Listener) -> None:
    class Broken(MemoryAudit):
        async def write(self, entries: object) -> None:
            raise OSError("away")

    teller = EventTeller(listener, Broken())
    teller.tell(_reuse())
    await teller.finish()
    assert listener.events == [_reuse()]


async def test_a_hanging_listener_keeps_no_event_from_the_audit_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt_refresh_middleware.background._LAST_WORDS", 0.01)

    async def hangs(_: Event) -> None:
        await asyncio.Event().wait()

    audit = MemoryAudit()
    teller = EventTeller(hangs, audit)
    teller.tell(_reuse())
    await teller.finish()
    assert [entry.name for entry in await audit.entries()] == ["reuse_detected"]


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Iterator[list[logging.LogRecord]]:
    """What the logger is told, for debugging too."""
    caplog.set_level(logging.DEBUG, "jwt_refresh_middleware")
    logger, kept = logging.getLogger("jwt_refresh_middleware"), Kept()
    logger.addHandler(kept)
    yield kept.records
    logger.removeHandler(kept)


def test_a_line_for_people_and_fields_for_machines(records: list[logging.LogRecord]) -> None:
    device = Device(ip="203.0.113.7", user_agent="Mozilla/5.0")
    before = Device(ip="198.51.100.1", user_agent="curl/8.0")
    EventTeller(None).tell(DeviceChanged(at=1.5, subject="ann", session_id="s", device=device, before=before))
    (record,) = records
    assert record.getMessage() == "device_changed subject='ann' session='s' ip='203.0.113.7'"
    assert (
        vars(record).items()
        >= {
            "event": "device_changed",
            "at": 1.5,
            "subject": "ann",
            "session_id": "s",
            "ip": "203.0.113.7",
            "user_agent": "Mozilla/5.0",
            "details": {"before_ip": "198.51.100.1", "before_user_agent": "curl/8.0"},
        }.items()
    )


def test_what_is_not_known_is_none(records: list[logging.LogRecord]) -> None:
    EventTeller(None).tell(LoginFailed(at=1.0))
    (record,) = records
    assert record.getMessage() == "login_failed subject=None session=None ip=None"
    assert [vars(record)[name] for name in ("subject", "session_id", "ip", "user_agent")] == [None] * 4
    assert vars(record)["details"] == {}


@pytest.mark.parametrize("kind", sorted(all_events(), key=lambda kind: kind.name), ids=lambda kind: kind.name)
def test_levels(kind: type[Event], records: list[logging.LogRecord]) -> None:
    event = make_event(kind)
    EventTeller(None).tell(event)
    EventTeller(None).tell(event, quietly=True)
    everyday = kind.name in ("rotated", "repeated")
    expected = logging.WARNING if kind.alarming else logging.DEBUG if everyday else logging.INFO
    assert [record.levelno for record in records] == [expected, logging.DEBUG]


@pytest.mark.parametrize(
    "text", ["ann\nCRITICAL: forged", "a\r\nb", "\x1b[2J", "\u2028x", "\u202egnirts", "\0", "\ud800", "\x85"], ids=ascii
)
def test_nobody_forges_a_line(text: str, records: list[logging.LogRecord]) -> None:
    device = Device(ip=text, user_agent=text)
    EventTeller(None).tell(DeviceChanged(at=1.0, subject=text, session_id=text, device=device, before=device))
    EventTeller(None).tell(Revoked(at=1.0, subject="ann", session_id="s", reason=text))
    for record in records:
        told = [record.getMessage()]
        told += [vars(record)[name] for name in ("subject", "session_id", "ip", "user_agent")]
        for line in [*told, *vars(record)["details"].values()]:
            assert line is None or line.isprintable()
            assert line is None or len(line.encode().splitlines()) == 1
            assert line is None or text not in line


def test_printable_text_is_as_it_was(records: list[logging.LogRecord]) -> None:
    EventTeller(None).tell(LoginFailed(at=1.0, subject='Zoë\'s "地" 👩'))
    assert vars(records[0])["subject"] == 'Zoë\'s "地" 👩'


def test_an_application_whose_records_have_such_fields_already_gets_the_line(
    records: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = logging.getLogRecordFactory()

    def with_ip(*args: object, **options: object) -> logging.LogRecord:
        record = usual(*args, **options)
        record.ip = "192.0.2.1"
        return record

    logging.setLogRecordFactory(with_ip)
    try:
        EventTeller(None).tell(_reuse())
    finally:
        logging.setLogRecordFactory(usual)
    assert [record.getMessage() for record in records] == ["reuse_detected subject='ann' session='s' ip=None"]
    assert vars(records[0])["ip"] == "192.0.2.1"


def test_a_formatter_that_writes_json_has_all_of_it() -> None:
    class AsJson(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return json.dumps({name: vars(record)[name] for name in ("event", "subject", "session_id", "details")})

    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(AsJson())
    logger = logging.getLogger("jwt_refresh_middleware")
    logger.addHandler(handler)
    try:
        EventTeller(None).tell(_reuse())
    finally:
        logger.removeHandler(handler)
    details = {"presented": 1, "generation": 3}
    assert json.loads(written.getvalue()) == {
        "event": "reuse_detected",
        "subject": "ann",
        "session_id": "s",
        "details": details,
    }


def test_what_nobody_hears_need_not_be_told(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jwt_refresh_middleware")
    assert EventTeller(listener).listened_to
    assert not EventTeller(None).listened_to
    assert not EventTeller(None, MemoryAudit()).listened_to
    assert EventTeller(None, MemoryAudit(everything=True)).listened_to
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
