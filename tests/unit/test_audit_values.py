"""What becomes of an event that is kept."""

import asyncio
import json
import re
from dataclasses import FrozenInstanceError, dataclass, fields
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import Device, events
from jwt_refresh_middleware.audit import EVERYDAY, AuditEntry, AuditLog, details_of
from jwt_refresh_middleware.audit.memory import MemoryAudit
from jwt_refresh_middleware.audit.redis import RedisAudit
from jwt_refresh_middleware.audit.rows import COLUMNS, from_row, key, to_row
from jwt_refresh_middleware.audit.sqlite import SQLiteAudit

from .every_event import all_events, make_event

KINDS = sorted(all_events(), key=lambda kind: kind.name)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@every_kind
def test_every_event_becomes_an_entry_of_json(kind: type[events.Event]) -> None:
    event = make_event(kind)
    entry = AuditEntry.of(event)
    assert (entry.name, entry.at, entry.subject, entry.session_id) == (kind.name, event.at, "x", "x")
    assert (entry.ip, entry.user_agent) == ("x", "x")
    assert all(type(value) in (str, int, float, bool) for value in entry.details.values())
    assert json.loads(json.dumps(dict(entry.details))) == dict(entry.details)
    own = {each.name for each in fields(kind)} - {each.name for each in fields(events.Event)}
    assert {re.sub("_(ip|user_agent)$", "", name) for name in entry.details} == own, "nothing it says is left out"


@every_kind
def test_every_entry_is_the_same_after_a_row(kind: type[events.Event]) -> None:
    entry = AuditEntry.of(make_event(kind, "\0 \ud800 \x1a0041 👩 "))
    assert from_row(to_row(entry)) == entry
    assert len(to_row(entry)) == len(COLUMNS)


def test_a_device_becomes_two_and_words_become_one() -> None:
    before = Device(ip="192.0.2.1", user_agent="curl/8.0")
    assert details_of(events.DeviceChanged(at=1.0, before=before)) == {
        "before_ip": "192.0.2.1",
        "before_user_agent": "curl/8.0",
    }
    assert details_of(events.DeviceChanged(at=1.0, before=Device(ip="192.0.2.1"))) == {"before_ip": "192.0.2.1"}
    assert details_of(events.StepUpPassed(at=1.0, amr=("pwd", "otp"), acr="mfa")) == {"amr": "pwd otp", "acr": "mfa"}
    assert details_of(events.StepUpPassed(at=1.0)) == {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strange(events.Event):
    """Of somebody who makes events of their own."""

    name = "strange"
    anything: Any = None


@pytest.mark.parametrize(
    "value", [None, float("nan"), float("inf"), b"bytes", object, {"a": 1}, ["a"], (1, 2), timedelta(1), ()], ids=repr
)
def test_what_is_no_scalar_is_left_out(value: object) -> None:
    assert details_of(Strange(at=1.0, anything=value)) == {}


@pytest.mark.parametrize("value", ["", "text", 0, 1.5, False, True, -(2**60)])
def test_scalars_stay_what_they_are(value: object) -> None:
    assert details_of(Strange(at=1.0, anything=value)) == {"anything": value}


def test_no_text_is_longer_than_a_column_takes() -> None:
    long = "🦊" * 100_000
    device = Device(ip=long, user_agent=long)
    entry = AuditEntry.of(Strange(at=1.0, subject=long, session_id=long, device=device, anything=long))
    for text in (entry.subject, entry.session_id, entry.ip, entry.user_agent, entry.details["anything"]):
        assert text == "🦊" * 255
    nulls = AuditEntry.of(Strange(at=1.0, subject="\0" * 1000))
    assert len(key(nulls.subject) or "") == 512


def test_ids_differ_and_sort_as_the_events_came() -> None:
    entries = [AuditEntry.of(Strange(at=1_800_000_000.0 + number // 100)) for number in range(1000)]
    ids = [entry.id for entry in entries]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
    assert all(re.fullmatch("[0-9a-f]{29}", ident) for ident in ids)
    assert AuditEntry.of(Strange(at=-5.0)).id < ids[0]


def test_the_same_event_twice_is_two_entries() -> None:
    event = Strange(at=1.0)
    assert AuditEntry.of(event).id != AuditEntry.of(event).id


def test_entries_are_frozen() -> None:
    entry = AuditEntry.of(Strange(at=1.0, anything="x"))
    with pytest.raises(FrozenInstanceError):
        entry.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        entry.details["anything"] = "y"  # type: ignore[index]


def test_everyday_are_the_two_that_come_with_every_refresh() -> None:
    assert {events.Rotated.name, events.Repeated.name} == EVERYDAY


@pytest.mark.parametrize("keep", [timedelta(0), timedelta(days=-1)])
def test_entries_are_kept_for_some_time(keep: timedelta) -> None:
    with pytest.raises(ValueError, match="keep must be longer than nothing"):
        SQLiteAudit("x.db", keep=keep)
    with pytest.raises(ValueError, match="keep must be longer than nothing"):
        RedisAudit("redis://localhost", keep=keep)


def test_they_are_logs_with_ninety_days_by_default() -> None:
    logs: list[AuditLog] = [SQLiteAudit("x.db"), RedisAudit("redis://localhost")]
    assert [log.keep for log in logs] == [timedelta(days=90)] * 2
    assert [log.everything for log in logs] == [False] * 2
    assert [*map(repr, logs)] == ["SQLiteAudit('x.db')", "RedisAudit(Redis, stream='jrm:{audit}')"]
    memory: AuditLog = MemoryAudit()
    assert (memory.keep, memory.everything, repr(memory)) == (None, False, "MemoryAudit(10000)")


def test_memory_drops_what_was_written_first() -> None:
    log = MemoryAudit(3)

    async def write() -> list[AuditEntry]:
        await log.write([AuditEntry(id=f"{number}", name="x", at=float(-number)) for number in range(5)])
        return await log.entries()

    assert [entry.id for entry in asyncio.run(write())] == ["2", "3", "4"]
