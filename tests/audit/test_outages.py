"""The connection to an audit log breaks, hangs, or is not there: nothing is lost or there twice, nobody waits."""

import asyncio
import secrets
import time
from contextlib import suppress
from datetime import timedelta

import pytest

from jwt_refresh_middleware import Device, Issuer, MemoryStore
from jwt_refresh_middleware.audit import AuditEntry
from jwt_refresh_middleware.audit.redis import RedisAudit
from jwt_refresh_middleware.audit.sqlite import SQLiteAudit
from jwt_refresh_middleware.audit.writer import AuditWriter
from jwt_refresh_middleware.events import SessionStarted
from jwt_refresh_middleware.testing import NOW

from ..kinds import Servers
from ..proxy import Proxy, at_port, port_of
from ..servers import Redis
from .kinds import a_log, url_of

SECRET = "a secret of the tests, and certainly more than thirty-two bytes"
OVER_NETWORK = pytest.mark.parametrize("kind", ["redis", "postgresql", "mariadb", "aiomysql"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt_refresh_middleware.audit.writer._INTERVAL", 0.01)


def an_entry(number: int) -> AuditEntry:
    return AuditEntry(id=f"{number:06d}", name="revoked", at=NOW + number)


@OVER_NETWORK
async def test_a_write_after_a_lost_connection(kind: str, servers: Servers) -> None:
    url = url_of(kind, servers)
    async with Proxy(port_of(url)) as line, a_log(kind, at_port(url, line.port), secrets.token_hex(4)) as log:
        await log.write([an_entry(1)])
        line.drop()
        try:
            await log.write([an_entry(2)])
        except Exception:  # who writes repeats it then
            await log.write([an_entry(2)])
        assert [entry.id for entry in await log.entries()] == ["000002", "000001"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@OVER_NETWORK
async def test_a_connection_cut_at_any_message_loses_nothing_and_keeps_nothing_twice(
    kind: str, after: bool, servers: Servers
) -> None:
    url = url_of(kind, servers)
    async with Proxy(port_of(url)) as line, a_log(kind, at_port(url, line.port), secrets.token_hex(4)) as log:
        await log.open()
        expected = 0
        for cut_at in range(1, 20):
            line.count_from_here(cut_at, cut_after=after)
            writer = AuditWriter(log)
            for number in range(3):
                writer.add(SessionStarted(at=NOW + 10 * cut_at + number, subject=f"{cut_at}"))
            await writer.finish()
            writer.add(SessionStarted(at=NOW + 10 * cut_at + 5, subject=f"{cut_at}"))
            await writer.finish()
            expected += 4
            if line.chunks < cut_at:
                break
        else:
            raise AssertionError("so many messages there cannot be")
        line.count_from_here()
        assert cut_at > 2
        kept = [(entry.subject, entry.at) for entry in await log.entries(most=1000)]
        assert len(kept) == expected
        assert len(set(kept)) == expected


@OVER_NETWORK
async def test_a_log_behind_a_dead_line_costs_no_request_anything(
    kind: str, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_refresh_middleware.audit.writer._PATIENCE", 0.05)
    monkeypatch.setattr("jwt_refresh_middleware.audit.writer._LAST_WORDS", 0.2)
    url = url_of(kind, servers)
    async with Proxy(port_of(url)) as line, a_log(kind, at_port(url, line.port), secrets.token_hex(4)) as log:
        async with Issuer(SECRET, MemoryStore(), audit=log) as issuer:
            await issuer.login("ann")
            line.deaf = True
            took = []
            for _ in range(200):
                began = time.perf_counter()
                await issuer.login("ann")
                took.append(time.perf_counter() - began)
                await asyncio.sleep(0.001)
            assert sorted(took)[100] < 0.005
            line.deaf = False
            line.drop()
            async with asyncio.timeout(20):
                kept = 0
                while kept < 201:
                    await asyncio.sleep(0.05)
                    with suppress(Exception):  # reading may meet a connection that was just cut
                        kept = len(await log.entries(most=1000))
        assert len(await log.entries(most=1000)) == 201


async def test_an_issuer_starts_and_serves_without_its_audit_log(
    caplog: pytest.LogCaptureFixture, unused_port: int
) -> None:
    audit = RedisAudit(f"redis://127.0.0.1:{unused_port}/0")
    async with asyncio.timeout(20):
        async with Issuer(SECRET, MemoryStore(), audit=audit) as issuer:
            pair = await issuer.login("ann")
            assert (await issuer.refresh(pair.refresh_token)).session.generation == 1
    messages = [record.getMessage() for record in caplog.records]
    assert any(message.startswith("the audit log failed: ConnectionError") for message in messages)
    assert "the audit log has not got 1 events: they are lost if the process ends now" in messages
    assert pair.refresh_token not in caplog.text


@pytest.fixture
def unused_port() -> int:
    from ..servers import free_port

    return free_port()


async def test_a_log_whose_server_comes_later_gets_what_waited() -> None:
    if reason := Redis.missing():
        pytest.skip(reason)
    with Redis() as server:
        server.stop()
        audit = RedisAudit(server.url)
        async with Issuer(SECRET, MemoryStore(), audit=audit) as issuer:
            await issuer.login("ann", device=Device(ip="203.0.113.7"))
            await asyncio.to_thread(server.start)
        assert [(entry.name, entry.ip) for entry in await audit.entries()] == [("session_started", "203.0.113.7")]
        await audit.close()


async def test_a_log_that_cannot_be_closed_does_not_keep_the_store_open(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(SQLiteAudit):
        async def close(self) -> None:
            await super().close()
            raise RuntimeError("it is stuck")

    class Store(MemoryStore):
        closed = False

        async def close(self) -> None:
            self.closed = True

    store = Store()
    async with Issuer(SECRET, store, audit=Stuck(":memory:")) as issuer:
        await issuer.login("ann")
    assert store.closed
    assert [record.getMessage() for record in caplog.records] == ["the audit log could not be closed: RuntimeError"]


async def test_a_log_that_hangs_when_it_is_closed_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    class Hangs(SQLiteAudit):
        async def close(self) -> None:
            await super().close()
            await asyncio.Event().wait()

    async with asyncio.timeout(10):
        issuer = Issuer(SECRET, MemoryStore(), audit=Hangs(":memory:"), store_timeout=timedelta(milliseconds=50))
        async with issuer:
            await issuer.login("ann")
    assert [record.getMessage() for record in caplog.records] == ["the audit log could not be closed: TimeoutError"]
