"""An issuer with an audit log: what is kept of a session's life, and that no token is anywhere in it."""

import asyncio
import logging
import secrets
import sqlite3
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from jwt_refresh_middleware import Device, Issuer, MemoryStore, TokenPair
from jwt_refresh_middleware.audit import AuditLog
from jwt_refresh_middleware.audit.memory import MemoryAudit
from jwt_refresh_middleware.audit.sqlalchemy import SQLAlchemyAudit
from jwt_refresh_middleware.audit.sqlite import SQLiteAudit
from jwt_refresh_middleware.errors import AuthError
from jwt_refresh_middleware.events import Event
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from jwt_refresh_middleware.testing import Clock

from ..kinds import Servers
from .kinds import a_log, url_of

SECRET = "a secret of the tests, and certainly more than thirty-two bytes"
PHONE = Device(ip="203.0.113.7", user_agent="phone/1.0")
CURL = Device(ip="198.51.100.9", user_agent="curl/8.0")
KINDS = ("memory", "sqlite", "redis", "postgresql", "mariadb")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def live(issuer: Issuer) -> list[TokenPair]:
    """A life with whatever can happen in it; returns every pair that was handed out."""
    pairs = [await issuer.login("ann", device=PHONE, claims={"plan": "hidden-claim"})]
    pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=PHONE))
    pairs.append(await issuer.refresh(pairs[-1].refresh_token, device=PHONE))
    pairs.append(await issuer.login("ann", device=CURL))
    for stolen, device in ((pairs[2], CURL), (pairs[0], PHONE), (pairs[2], PHONE)):
        with suppress(AuthError):
            await issuer.refresh(stolen.refresh_token, device=device)
    await issuer.logout(pairs[3].refresh_token)
    issuer.tell(make_login_failed(issuer))
    return pairs


def make_login_failed(issuer: Issuer) -> Event:
    from jwt_refresh_middleware.events import LoginFailed

    return LoginFailed(at=issuer.clock(), subject="ann", device=CURL)


async def test_what_is_kept_of_a_life(kind: str, servers: Servers) -> None:
    async with a_log(kind, url_of(kind, servers), secrets.token_hex(4)) as log:
        clock = Clock()
        async with Issuer(SECRET, MemoryStore(), audit=log, clock=clock) as issuer:
            first = (await live(issuer))[0].session
            clock.advance(60)
            await issuer.login("bob", device=PHONE)
        kept = (await log.entries())[::-1]
        assert [entry.name for entry in kept] == [
            "session_started",
            "session_started",
            "device_mismatch",
            "reuse_detected",
            "revoked",
            "revoked",
            "login_failed",
            "session_started",
        ]
        assert [entry.subject for entry in kept if entry.name != "revoked"] == ["ann"] * 5 + ["bob"]
        mismatch, reuse, revoked = kept[2:5]
        assert (mismatch.session_id, mismatch.ip, mismatch.user_agent) == (first.id, CURL.ip, CURL.user_agent)
        assert dict(reuse.details) == {"presented": 0, "generation": 2}
        assert dict(revoked.details) == {"reason": "reuse"}
        assert [entry.name for entry in await log.entries(name="login_failed")] == ["login_failed"]
        assert [entry.subject for entry in await log.entries(since=clock.now)] == ["bob"]


async def everything_in(kind: str, url: str, namespace: str, log: AuditLog) -> str:
    """All that there is in a log, as text."""
    if kind == "sqlite":
        with closing(sqlite3.connect(Path(url, f"{namespace}.db"))) as database:
            return "\n".join(database.iterdump())
    if kind == "redis":
        async with Redis.from_url(url, decode_responses=True) as client:
            keys = [key async for key in client.scan_iter(f"{namespace}:*")]
            return repr([keys, await client.xrange(f"{namespace}:{{audit}}")])
    if isinstance(log, SQLAlchemyAudit):
        async with log.engine.connect() as db:
            return repr([tuple(row) for row in await db.execute(text(f"SELECT * FROM {log.table.name}"))])
    return repr(await log.entries(most=10_000))


async def test_no_token_and_no_secret_is_anywhere_in_it(
    kind: str, servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url, namespace = url_of(kind, servers), secrets.token_hex(4)
    heard: list[Event] = []

    async def on_event(event: Event) -> None:
        heard.append(event)

    async with a_log(kind, url, namespace, everything=True) as log:
        async with Issuer(SECRET, MemoryStore(), audit=log, on_event=on_event) as issuer:
            pairs = await live(issuer)
        found = await everything_in(kind, url, namespace, log)
    assert pairs[0].session.id in found
    told = [found, caplog.text, repr(heard), *(repr(vars(record)) for record in caplog.records)]
    hidden = [SECRET, "hidden-claim"]
    for pair in pairs:
        handle, _, signature = pair.refresh_token.partition(".")
        hidden += [pair.refresh_token, pair.access_token, handle, signature, pair.access_token.rpartition(".")[2]]
    for secret in hidden:
        assert len(secret) >= 10
        assert not [text for text in told if secret in text]


@pytest.mark.parametrize("everything", [False, True])
async def test_a_refresh_is_kept_where_everything_is(everything: bool) -> None:
    audit = MemoryAudit(everything=everything)
    async with Issuer(SECRET, MemoryStore(), audit=audit) as issuer:
        pair = await issuer.login("ann", device=PHONE)
        await issuer.refresh(pair.refresh_token, device=PHONE)
        await issuer.refresh(pair.refresh_token, device=PHONE)
    names = [entry.name for entry in await audit.entries()]
    assert names == (["repeated", "rotated", "session_started"] if everything else ["session_started"])


async def test_an_issuer_opened_again_goes_on_writing(tmp_path: Path) -> None:
    audit = SQLiteAudit(tmp_path / "audit.db")
    issuer = Issuer(SECRET, SQLiteStore(tmp_path / "sessions.db"), audit=audit)
    for _ in range(3):
        async with issuer:
            await issuer.login("ann")
    assert len(await audit.entries()) == 3
    await audit.close()


async def test_sessions_and_audit_in_one_file_with_workers_beside_each_other(tmp_path: Path) -> None:
    path = tmp_path / "both.db"
    issuers = [Issuer(SECRET, SQLiteStore(path), audit=SQLiteAudit(path)) for _ in range(4)]
    await asyncio.gather(*(issuer.open() for issuer in issuers))
    pairs = await asyncio.gather(*(issuers[n % 4].login(f"user-{n}") for n in range(100)))
    await asyncio.gather(*(issuers[n % 3].refresh(pair.refresh_token) for n, pair in enumerate(pairs)))
    await asyncio.gather(*(issuer.aclose() for issuer in issuers))
    audit = SQLiteAudit(path)
    assert len({entry.subject for entry in await audit.entries(most=1000)}) == 100
    await audit.close()


async def test_retention_is_by_the_issuers_clock(kind: str, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt_refresh_middleware.audit.writer._INTERVAL", 0.01)
    monkeypatch.setattr("jwt_refresh_middleware.audit.writer._PURGE_EVERY", 0.0)
    clock = Clock()
    url, namespace = url_of(kind, servers), secrets.token_hex(4)
    async with (
        a_log(kind, url, namespace, keep=timedelta(days=90)) as log,
        Issuer(SECRET, MemoryStore(), audit=log, clock=clock) as issuer,
        asyncio.timeout(20),
    ):
        await issuer.login("ann")
        clock.advance(86_400)
        await issuer.login("bob")
        while len(await log.entries()) < 2:
            await asyncio.sleep(0.01)
        clock.advance(89 * 86_400)
        while len(await log.entries()) == 2:
            await asyncio.sleep(0.01)
        assert [entry.subject for entry in await log.entries()] == ["bob"]
