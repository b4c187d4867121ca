"""What every audit log does, over all of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from jwt_refresh_middleware.audit import AuditEntry, AuditLog
from jwt_refresh_middleware.testing import NOW

from ..kinds import Servers
from .kinds import KINDS, SHARED, a_log, url_of

ODD = {
    "NUL": "a\0b",
    "escape": "\x1a0041",
    "half a pair": "\ud800 and \udfff",
    "emoji": "👩‍👩‍👧‍👦 é \u2028",
    "trailing blank": "ann ",
    "quotes": "'; DROP TABLE x; --\" % {} $1 :name ?",
    "lines": "one\r\ntwo\x1b[2J",
    "empty": "",
    "long": "🦊" * 10_000,
    "long and odd": "\0" * 10_000,
}


def an_entry(number: int = 0, **changes: Any) -> AuditEntry:
    entry = AuditEntry(
        id=f"{number:06d}",
        name="session_started",
        at=NOW - 1000 + number,
        subject=f"user-{number % 3}",
        session_id=f"session-{number % 5}",
        ip="203.0.113.7",
        user_agent="Mozilla/5.0",
        details=MappingProxyType({"reason": "test", "generation": number, "speed": 1.5, "refused": True}),
    )
    return replace(entry, **changes)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def url(kind: str, servers: Servers) -> str:
    return url_of(kind, servers)


@pytest.fixture
def namespace() -> str:
    return secrets.token_hex(4)


@pytest.fixture
async def log(kind: str, url: str, namespace: str) -> AsyncIterator[AuditLog]:
    async with a_log(kind, url, namespace) as made:
        yield made


async def test_an_entry_comes_back_as_it_was(log: AuditLog) -> None:
    full = an_entry(2)
    bare = AuditEntry(id="000001", name="store_unavailable", at=NOW - 999.25)
    await log.write([bare, full])
    assert await log.entries() == [full, bare]
    with pytest.raises(TypeError):
        (await log.entries())[0].details["more"] = 1  # type: ignore[index]


async def test_an_empty_log_and_an_empty_batch(log: AuditLog) -> None:
    await log.write([])
    assert await log.entries() == []
    assert await log.purge(NOW) == 0


async def test_opening_and_closing_twice_is_no_error_and_what_was_kept_is_there_afterwards(log: AuditLog) -> None:
    await asyncio.gather(log.open(), log.open())
    await log.write([an_entry()])
    await log.close()
    await log.close()
    assert await log.entries() == [an_entry()]


async def test_newest_first_whatever_order_they_were_written_in(log: AuditLog) -> None:
    await log.write([an_entry(5), an_entry(3)])
    await log.write([an_entry(4), an_entry(9)])
    await log.write([an_entry(1)])
    assert [entry.id for entry in await log.entries()] == ["000009", "000005", "000004", "000003", "000001"]


async def test_of_the_same_moment_the_later_id_first(log: AuditLog) -> None:
    await log.write([replace(an_entry(number), at=NOW - 50) for number in (2, 3, 1)])
    assert [entry.id for entry in await log.entries()] == ["000003", "000002", "000001"]


async def test_filters_one_by_one_and_together(log: AuditLog) -> None:
    entries = [an_entry(number, name="revoked" if number % 2 else "session_started") for number in range(30)]
    await log.write(entries)
    entries.reverse()
    since, until = NOW - 1000 + 10, NOW - 1000 + 20

    def those(**wanted: Any) -> list[AuditEntry]:
        return [entry for entry in entries if all(getattr(entry, name) == value for name, value in wanted.items())]

    assert await log.entries(subject="user-1") == those(subject="user-1")
    assert await log.entries(session_id="session-4") == those(session_id="session-4")
    assert await log.entries(name="revoked") == those(name="revoked")
    assert await log.entries(since=since) == [entry for entry in entries if entry.at >= since]
    assert await log.entries(until=until) == [entry for entry in entries if entry.at < until]
    both = those(subject="user-1", name="revoked")
    assert await log.entries(subject="user-1", name="revoked", since=since, until=until) == [
        entry for entry in both if since <= entry.at < until
    ]
    assert await log.entries(subject="user-1", session_id="session-4", name="revoked") == those(
        subject="user-1", session_id="session-4", name="revoked"
    )
    assert await log.entries(subject="User-1") == []
    assert await log.entries(subject="user-1 ") == []
    assert await log.entries(subject="") == []
    assert await log.entries(since=since, until=since) == []


async def test_at_most_so_many_the_newest_of_them(log: AuditLog) -> None:
    await log.write([an_entry(number) for number in range(150)])
    assert len(await log.entries()) == 100
    assert [entry.id for entry in await log.entries(most=3)] == ["000149", "000148", "000147"]
    assert [entry.id for entry in await log.entries(most=2, subject="user-0")] == ["000147", "000144"]
    assert len(await log.entries(most=1000)) == 150


async def test_a_page_after_the_other(log: AuditLog) -> None:
    await log.write([an_entry(number) for number in range(25)])
    seen: list[AuditEntry] = []
    while page := await log.entries(most=10, until=seen[-1].at if seen else None):
        seen += page
    assert [int(entry.id) for entry in seen] == [*range(24, -1, -1)]


async def test_a_batch_of_a_thousand(log: AuditLog) -> None:
    entries = [an_entry(number) for number in range(1000)]
    await log.write(entries)
    assert await log.entries(most=2000) == entries[::-1]


async def test_a_call_that_is_repeated_keeps_nothing_twice(log: AuditLog) -> None:
    batch = [an_entry(number) for number in range(3)]
    await log.write(batch)
    await log.write(batch)
    await log.write([an_entry(7)])
    await log.write(batch)
    assert [entry.id for entry in await log.entries()] == ["000007", "000002", "000001", "000000"]


async def test_the_oldest_go_when_they_are_told_to(log: AuditLog) -> None:
    await log.write([an_entry(number) for number in range(10)])
    assert await log.purge(NOW - 1001) == 0
    assert await log.purge(NOW - 1000 + 4) == 5
    assert await log.purge(NOW - 1000 + 4) == 0
    assert [entry.id for entry in await log.entries()] == ["000009", "000008", "000007", "000006", "000005"]


async def test_pieces_of_the_work_get_through_all(log: AuditLog) -> None:
    for first in range(0, 2500, 500):
        await log.write([an_entry(first + number, at=NOW - 5000 + first + number) for number in range(500)])
    pieces = []
    while deleted := await log.purge(NOW - 5000 + 2400):
        pieces.append(deleted)
    assert sum(pieces) == 2401
    assert len(await log.entries(most=200)) == 99


async def test_several_may_delete_at_once(kind: str, url: str, namespace: str) -> None:
    async with a_log(kind, url, namespace) as one, a_log(kind, url, namespace) as two:
        other = two if kind in SHARED else one
        await one.write([an_entry(number) for number in range(900)])
        deleted = await asyncio.gather(*(log.purge(NOW) for log in (one, other) * 4))
        assert sum(deleted) == 900
        assert await one.entries() == []


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
async def test_odd_texts_come_back_and_are_found(log: AuditLog, text: str) -> None:
    odd = an_entry(1, ip=text, user_agent=text, details={"reason": text}, subject=text[:255], session_id=text[:255])
    await log.write([an_entry(0), odd, an_entry(2)])
    (back,) = await log.entries(subject=text[:255])
    assert (back.ip, back.user_agent, dict(back.details)) == (text, text, {"reason": text})
    if "odd" not in text and text != "\0" * 10_000:
        assert (back.subject, back.session_id) == (text[:255], text[:255])
    assert [entry.id for entry in await log.entries(session_id=text[:255])] == ["000001"]


async def test_writers_in_two_instances_at_once(kind: str, url: str, namespace: str) -> None:
    async with a_log(kind, url, namespace) as one, a_log(kind, url, namespace) as two:
        other = two if kind in SHARED else one
        batches = [[an_entry(10 * batch + number) for number in range(10)] for batch in range(40)]
        await asyncio.gather(*((one, other)[n % 2].write(batch) for n, batch in enumerate(batches)))
        kept = await one.entries(most=1000)
        assert [int(entry.id) for entry in kept] == [*range(399, -1, -1)]
        assert await other.entries(most=1000) == kept


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
def test_one_log_in_two_event_loops(kind: str, url: str, namespace: str) -> None:
    """The others are given a client or an engine that belongs to one event loop."""

    async def write(log: AuditLog, number: int) -> int:
        await log.write([an_entry(number)])
        found = len(await log.entries())
        await log.close()
        return found

    async def make() -> AuditLog:
        async with a_log(kind, url, namespace) as log:
            return log

    log = asyncio.run(make())  # closed, which is where it begins
    assert asyncio.run(write(log, 1)) == 1
    assert asyncio.run(write(log, 2)) == 2
