"""``sessions`` and ``purge`` on every kind of store: what they show, what they end, and who learns of it."""

import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from jwt_refresh_middleware import Device, Issuer, SessionStore
from jwt_refresh_middleware.audit import AuditEntry
from jwt_refresh_middleware.audit.sqlalchemy import SQLAlchemyAudit
from jwt_refresh_middleware.audit.sqlite import SQLiteAudit
from jwt_refresh_middleware.errors import TokenRevoked
from jwt_refresh_middleware.sessions import Session
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from ..kinds import SHARED, Servers, make_store
from .support import Line, environment, place

T = TypeVar("T")

SECRET = "the secret of these tests, long enough by far"
_FIELDS = {
    *("id", "subject", "state", "generation", "created_at", "last_used_at", "expires_at", "ends_at", "auth_time", "ip"),
    *("user_agent", "scopes", "amr", "acr", "step_up", "revoked_at", "revoked_reason"),
}


class Kept:
    """A store of one kind that a service has used, and how a command finds it."""

    def __init__(self, kind: str, servers: Servers) -> None:
        self.kind = kind
        self.namespace = secrets.token_hex(4)
        self.url = servers.url(kind)
        self.options = place(kind, servers, self.namespace)

    def store(self) -> SessionStore:
        return make_store(self.kind, self.url, self.namespace)

    def do(self, work: Callable[[Issuer], Awaitable[T]], **options: Any) -> T:
        """What a service does, in an event loop of its own."""

        async def opened() -> T:
            async with Issuer(SECRET, self.store(), **options) as issuer:
                return await work(issuer)

        return asyncio.run(opened())

    def login(self, subject: str, **options: Any) -> Session:
        return self.do(lambda issuer: issuer.login(subject, **options)).session


@pytest.fixture(params=SHARED)
def kept(request: pytest.FixtureRequest, servers: Servers) -> Kept:
    if reason := Servers.missing(request.param):
        pytest.skip(reason)
    return Kept(request.param, servers)


@pytest.fixture
def in_file(servers: Servers) -> Kept:
    return Kept("sqlite", servers)


def test_sessions_are_listed_shown_and_ended(kept: Kept, line: Line) -> None:
    device = Device(ip="192.0.2.7", user_agent="Browser/1")
    first = kept.login("ann", device=device, scopes=["read"], claims={"plan": "pro"}, amr=["pwd"])
    second, other = kept.login("ann"), kept.login("bob")

    listed = line.json("sessions", "list", "ann", *kept.options)
    assert listed["subject"] == "ann"
    assert [one["id"] for one in listed["sessions"]] == [first.id, second.id]
    assert {*listed["sessions"][0]} == _FIELDS

    shown = line.json("sessions", "show", *kept.options, "--", first.id)
    assert {*shown} == {*_FIELDS, "claims"}
    assert (shown["ip"], shown["user_agent"], shown["scopes"]) == ("192.0.2.7", "Browser/1", ["read"])
    assert (shown["claims"], shown["amr"], shown["state"]) == ({"plan": "pro"}, ["pwd"], "live")

    ended = line.json("sessions", "revoke", *kept.options, "--reason", "laptop stolen", "--", first.id)
    assert ended.pop("revoked_at").endswith("Z")
    wanted = {"session_id": first.id, "ended": True, "subject": "ann", "revoked_reason": "laptop stolen"}
    assert ended == wanted
    again = line.json("sessions", "revoke", *kept.options, "--", first.id)
    assert (again["ended"], again["revoked_reason"]) == (False, "laptop stolen")
    shown = line.json("sessions", "show", *kept.options, "--", first.id)
    assert (shown["state"], shown["revoked_reason"]) == ("ended", "laptop stolen")

    assert line.json("sessions", "revoke-all", "ann", "--yes", *kept.options) == {
        "subject": "ann",
        "ended": 1,
        "kept": None,
    }
    assert line.json("sessions", "list", "ann", *kept.options)["sessions"] == []
    assert [one["id"] for one in line.json("sessions", "list", "bob", *kept.options)["sessions"]] == [other.id]


def test_one_session_may_stay(in_file: Kept, line: Line) -> None:
    first, second, third = (in_file.login("ann") for _ in range(3))
    said = line.json("sessions", "revoke-all", "ann", "--yes", "--keep", second.id, *in_file.options)
    assert said == {"subject": "ann", "ended": 2, "kept": second.id}
    assert [one["id"] for one in line.json("sessions", "list", "ann", *in_file.options)["sessions"]] == [second.id]
    for unknown in (first.id, "mistyped", in_file.login("bob").id):
        line("sessions", "revoke-all", "ann", "--yes", "--keep", unknown, *in_file.options, code=2)
    assert len(line.json("sessions", "list", "ann", *in_file.options)["sessions"]) == 1
    assert third.id != second.id


def test_nobody_is_logged_out_unasked(in_file: Kept, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    in_file.login("ann")
    line("sessions", "revoke-all", "ann", *in_file.options, code=2)
    assert "--yes" in line.err

    class Terminal:
        def __init__(self, answer: str) -> None:
            self.answer = answer

        def isatty(self) -> bool:
            return True

        def readline(self, *_: object) -> str:
            return self.answer

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    assert ends(line, in_file) == 2
    assert len(line.json("sessions", "list", "ann", *in_file.options)["sessions"]) == 1
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert ends(line, in_file) == 0
    assert line.json("sessions", "list", "ann", *in_file.options)["sessions"] == []


def ends(line: Line, kept: Kept) -> int:
    """The exit code, where the question is on standard error too."""
    from jwt_refresh_middleware.__main__ import main

    return main(["sessions", "revoke-all", "ann", *kept.options])


def test_what_is_not_there_is_said(in_file: Kept, line: Line) -> None:
    in_file.login("ann")
    for verb in ("show", "revoke"):
        line("sessions", verb, "nobody-knows-it", *in_file.options, code=2)
        assert "no such session" in line.err
    assert line("sessions", "list", "carol", *in_file.options) == "carol has no live session\n"
    assert line("sessions", "revoke-all", "carol", "--yes", *in_file.options) == "ended: 0\n"


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 101])
def test_a_reason_is_a_short_line(in_file: Kept, line: Line, reason: str) -> None:
    session = in_file.login("ann")
    line("sessions", "revoke", *in_file.options, "--reason", reason, "--", session.id, code=2)
    assert line.json("sessions", "show", *in_file.options, "--", session.id)["state"] == "live"


def test_what_a_client_has_sent_cannot_command_a_terminal(in_file: Kept, line: Line) -> None:
    session = in_file.login("ann", device=Device(ip="192.0.2.7", user_agent="\x1b[2J[bold]evil\x07\u202e"))
    for said in (
        line("sessions", "list", "ann", *in_file.options),
        line("sessions", "show", *in_file.options, "--", session.id),
    ):
        assert "\\x1b[2J[bold]evil\\x07\\u202e" in said
        assert said.replace("\n", "").isprintable()


def test_the_table_has_columns_and_nothing_else_in_a_pipe(in_file: Kept, line: Line) -> None:
    first, second = in_file.login("ann"), in_file.login("ann", device=Device(ip="192.0.2.7"))
    head, *rows = line("sessions", "list", "ann", *in_file.options).splitlines()
    assert head.split() == ["id", "created_at", "last_used_at", "expires_at", "generation", "ip", "user_agent"]
    assert [row.split()[0] for row in rows] == [first.id, second.id]
    assert [row.split()[5] for row in rows] == ["-", "192.0.2.7"]


def test_what_has_expired_is_deleted_and_nothing_else(kept: Kept, line: Line) -> None:
    live = kept.login("ann")
    ended = kept.login("ann")
    line("sessions", "revoke", *kept.options, "--", ended.id)

    async def age(issuer: Issuer) -> list[str]:
        """Rows as they are long after; in Redis such rows are gone by themselves, unless a clock was wrong."""
        store, old = await issuer.backing.ready(), []
        for number in range(30):
            at = time.time() - 90_000 - number
            session = replace(live, id=f"old-{number}", subject="bob", expires_at=at, ends_at=at + 1, last_used_at=at)
            await store.add(session)
            old.append(session.id)
        return old

    old = kept.do(age)
    said = line.json("purge", *kept.options)
    assert said["deleted"] == len(old)
    assert said["expired_before"].endswith("Z")
    assert line.json("purge", *kept.options)["deleted"] == 0
    for session_id, state in ((live.id, "live"), (ended.id, "ended")):
        assert line.json("sessions", "show", *kept.options, "--", session_id)["state"] == state
    line("sessions", "show", *kept.options, "--", old[0], code=2)


def test_all_that_has_expired_is_deleted_however_much_lives_in_between(in_file: Kept, line: Line) -> None:
    """More rows than a store looks at in one piece, and the expired ones at both ends."""
    live = in_file.login("ann")
    old = time.time() - 90_000

    async def fill(issuer: Issuer) -> None:
        store = await issuer.backing.ready()
        rows = [replace(live, id=f"{n}", subject="bob") for n in range(2500)]
        rows[5] = replace(rows[5], expires_at=old, ends_at=old)
        rows[2400] = replace(rows[2400], expires_at=old, ends_at=old)
        await asyncio.gather(*map(store.add, rows))

    in_file.do(fill)
    assert line.json("purge", *in_file.options)["deleted"] == 2


def test_an_end_stays_known_as_long_as_its_tokens_live(in_file: Kept, line: Line) -> None:
    in_file.login("ann")
    line("purge", "--keep", "959", *in_file.options, code=2)
    assert line("purge", "--keep", "960", *in_file.options).startswith("deleted: 0, ")


# A service that runs meanwhile, in this process, and the command in another.


@pytest.mark.parametrize(
    ("kind", "verb"),
    [("sqlite", "revoke"), ("redis", "revoke"), ("postgresql", "revoke"), ("sqlite", "revoke-all")],
)
async def test_a_service_that_runs_refuses_the_access_token_within_a_second(
    kind: str, verb: str, servers: Servers
) -> None:
    if reason := Servers.missing(kind):
        pytest.skip(reason)
    kept = Kept(kind, servers)
    told: list[str] = []

    async with Issuer(SECRET, kept.store()) as issuer:
        pair, bystander = await issuer.login("ann"), await issuer.login("bob")
        issuer.feed.watch(pair.session.id, lambda: told.append(pair.session.id))
        issuer.verifier.verify(pair.access_token)
        what = ["--", pair.session.id] if verb == "revoke" else ["--yes", "--", "ann"]
        command = ["-m", "jwt_refresh_middleware", "sessions", verb, *kept.options, *what]
        process = await asyncio.create_subprocess_exec(sys.executable, *command, env=environment())
        assert await process.wait() == 0
        ended = time.monotonic()
        while not told:
            assert time.monotonic() - ended < 10, "a second as a rule, more on a machine that is busy"
            await asyncio.sleep(0.02)
        with pytest.raises(TokenRevoked):
            issuer.verifier.verify(pair.access_token)
        issuer.verifier.verify(bystander.access_token)
        assert issuer.feed.status().learned == 1


# The audit log of the service.


def _entries(log: Any) -> list[AuditEntry]:
    async def read() -> list[AuditEntry]:
        try:
            found: list[AuditEntry] = await log.entries()
            return found
        finally:
            await log.close()

    return asyncio.run(read())


def test_what_was_ended_is_in_the_audit_log(in_file: Kept, line: Line) -> None:
    path = Path(in_file.url, f"{in_file.namespace}.db")
    first, second, third = (in_file.do(lambda i: i.login("ann"), audit=SQLiteAudit(path)).session for _ in range(3))
    line("sessions", "revoke", *in_file.options, "--audit", path, "--reason", "stolen", "--", first.id)
    line("sessions", "revoke-all", "ann", "--yes", *in_file.options, "--audit", f"sqlite:///{path}")
    noted = [entry for entry in _entries(SQLiteAudit(path)) if entry.name == "revoked"]
    assert {(entry.session_id, entry.subject, entry.details["reason"]) for entry in noted} == {
        (first.id, "ann", "stolen"),
        (second.id, "ann", "revoked"),
        (third.id, "ann", "revoked"),
    }


@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_an_audit_log_may_be_on_a_server(kind: str, servers: Servers, line: Line) -> None:
    if reason := Servers.missing(kind):
        pytest.skip(reason)
    kept = Kept(kind, servers)
    session = kept.login("ann")
    if kind == "postgresql":
        _make_audit_table(kept.url)
    line("sessions", "revoke", *kept.options, "--audit", kept.url, "--", session.id)
    noted = [entry for entry in _entries(_audit_log(kept)) if entry.session_id == session.id]
    assert [(entry.name, entry.subject) for entry in noted] == [("revoked", "ann")]


def _audit_log(kept: Kept) -> Any:
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    from jwt_refresh_middleware.audit.redis import RedisAudit

    if kept.kind == "redis":
        return RedisAudit(kept.url, prefix=f"{kept.namespace}:")
    return SQLAlchemyAudit(create_async_engine(kept.url, poolclass=NullPool))


def _make_audit_table(url: str) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    async def make() -> None:
        engine = create_async_engine(url)
        await SQLAlchemyAudit(engine).create_all()
        await engine.dispose()

    asyncio.run(make())


def test_nothing_is_ended_that_could_not_be_noted(in_file: Kept, line: Line, tmp_path: Path) -> None:
    session = in_file.login("ann")
    line("sessions", "revoke", *in_file.options, "--audit", tmp_path / "none.db", "--", session.id, code=1)
    assert "none.db" in line.err
    assert line.json("sessions", "show", *in_file.options, "--", session.id)["state"] == "live"


def test_reading_and_ending_write_nothing_but_the_end(in_file: Kept, line: Line) -> None:
    """The row of a session is as it was, and a table that is not ours stays alone."""
    import sqlite3

    path = Path(in_file.url, f"{in_file.namespace}.db")
    session = in_file.login("ann")

    def rows() -> list[Any]:
        with closing(sqlite3.connect(path)) as database:
            return database.execute("SELECT * FROM jwt_refresh_sessions").fetchall()

    before = rows()
    line("sessions", "list", "ann", *in_file.options)
    line("sessions", "show", *in_file.options, "--", session.id)
    line("purge", *in_file.options)
    assert rows() == before
    assert SQLiteStore(path).path == str(path)
    assert timedelta(0) < timedelta(seconds=session.expires_at - session.created_at)
