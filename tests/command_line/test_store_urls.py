"""What ``--store`` means, and what is said where there is no such store: never a password, and never late."""

import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jwt_refresh_middleware.command_line import store_urls
from jwt_refresh_middleware.command_line.store_urls import Place
from jwt_refresh_middleware.stores.sqlite import SCHEMA_VERSION

from .support import Line

PASSWORD = "pa55-%40-word"
_KINDS = ("redis", "rediss", "redis+cluster", "postgresql", "postgresql+asyncpg", "mysql", "mariadb", "mysql+aiomysql")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sessions.db", "sessions.db"),
        ("/srv/sessions.db", "/srv/sessions.db"),
        ("sqlite:///sessions.db", "sessions.db"),
        ("sqlite:///data/my%20sessions.db", "data/my sessions.db"),
        ("sqlite:////srv/sessions.db", "/srv/sessions.db"),
        ("SQLite:////srv/sessions.db", "/srv/sessions.db"),
        ("sqlite+aiosqlite:////srv/app.db?timeout=3", "/srv/app.db"),
        ("redis://localhost", None),
        ("postgresql://localhost/app", None),
    ],
)
def test_a_url_may_mean_a_file(url: str, path: str | None) -> None:
    assert Place(url=url).path == (None if path is None else Path(path))


def test_where_the_sessions_are_has_to_be_said(line: Line) -> None:
    line("sessions", "list", "ann", code=2)
    assert "--store" in line.err
    assert "JWT_REFRESH_STORE" in line.err


def test_it_may_be_said_by_the_environment(line: Line, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JWT_REFRESH_STORE", str(tmp_path / "none.db"))
    line("sessions", "list", "ann", code=1)
    assert "none.db" in line.err


_COMMANDS = (
    ["sessions", "list", "ann"],
    ["sessions", "show", "x"],
    ["sessions", "revoke", "x"],
    ["sessions", "revoke-all", "ann", "--yes"],
    ["purge"],
)


@pytest.mark.parametrize("command", _COMMANDS, ids=" ".join)
@pytest.mark.parametrize("scheme", ["", "sqlite:///", "sqlite+aiosqlite:///"])
def test_no_file_is_made(line: Line, tmp_path: Path, command: list[str], scheme: str) -> None:
    path = tmp_path / "none.db"
    line(*command, "--store", f"{scheme}{path}", code=1)
    assert "no such file" in line.err
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("content", ["another's", "no database", "a directory"])
@pytest.mark.parametrize("scheme", ["", "sqlite+aiosqlite:///"])
def test_no_table_is_made_in_a_file_that_is_not_ours(line: Line, tmp_path: Path, content: str, scheme: str) -> None:
    path = tmp_path / "app.db"
    if content == "a directory":
        path.mkdir()
    elif content == "no database":
        path.write_text("this is text, and long enough to be looked at as a database" * 20)
    else:
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE things (id)")
    before = None if path.is_dir() else path.read_bytes()
    line("purge", "--store", f"{scheme}{path}", code=1)
    assert "app.db" in line.err
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("version", [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1])
def test_a_schema_of_another_version_is_left_alone(line: Line, tmp_path: Path, version: int) -> None:
    path = tmp_path / "sessions.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE jwt_refresh_sessions_schema (version INTEGER)")
        database.execute("INSERT INTO jwt_refresh_sessions_schema VALUES (?)", (version,))
    line("sessions", "list", "ann", "--store", path, code=1)
    assert f"version {version}" in line.err
    with closing(sqlite3.connect(path)) as database:
        assert len(database.execute("SELECT name FROM sqlite_schema").fetchall()) == 1


@pytest.mark.parametrize("url", ["http://localhost/x", "postgresql+psycopg2://localhost/x", "mongodb://localhost"])
def test_a_url_of_another_kind_is_refused(line: Line, url: str) -> None:
    line("purge", "--store", url, code=2)
    assert "sqlite" in line.err


# Nobody is there, or nobody answers.


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield int(listening.getsockname()[1])


def _assert_short(line: Line) -> None:
    assert len(line.err.strip().splitlines()) == 1
    for secret in (PASSWORD, "pa55", "-word"):
        assert secret not in line.err


@pytest.mark.parametrize("scheme", _KINDS)
def test_a_store_that_is_away_is_one_line(line: Line, scheme: str, closed_port: int) -> None:
    url = f"{scheme}://user:{PASSWORD}@127.0.0.1:{closed_port}/app"
    url = url.replace("/app", "/0") if scheme.startswith("redis") else url
    line("sessions", "list", "ann", "--store", url, code=1)
    _assert_short(line)
    assert "the store failed: " in line.err


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "postgresql", "mysql"])
@pytest.mark.parametrize("command", [["sessions", "list", "ann"], ["sessions", "revoke", "x"]], ids=" ".join)
def test_a_store_that_does_not_answer_takes_no_longer_than_it_may(
    line: Line, scheme: str, command: list[str], silent_port: int
) -> None:
    url = f"{scheme}://user:{PASSWORD}@127.0.0.1:{silent_port}/{'0' if 'redis' in scheme else 'app'}"
    began = time.monotonic()
    line(*command, "--timeout", "0.5", "--store", url, code=1)
    assert time.monotonic() - began < 15
    _assert_short(line)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:%s@[::1:6379/0",
        "redis://:%s@localhost:%s/0",
        "redis://localhost:6379/0?password=%s&db=x",
        "postgresql://user:%s@localhost:%s/app",
        "mysql://user:%s@[localhost/app",
        "rediss://:pa#%s@localhost:1/0",
        "http://user:%s@localhost/",
    ],
)
@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["", "debug"])
def test_a_url_that_cannot_be_read_gives_no_password_away(
    url: str, debug: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from jwt_refresh_middleware.__main__ import main

    given = url.replace("%s", "s3cr3t-w0rd")
    assert main([*debug, "sessions", "list", "ann", "--timeout", "1", "--store", given]) in (1, 2)
    out, err = capsys.readouterr()
    assert "s3cr3t" not in out + err
    assert debug or len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("redis://localhost/0", "redis", "redis"),
        ("postgresql://localhost/app", "sqlalchemy", "sqlalchemy"),
        ("postgresql://localhost/app", "asyncpg", "postgresql"),
        ("mysql+asyncmy://localhost/app", "asyncmy", "mysql"),
    ],
)
def test_what_is_not_installed_is_said(
    line: Line, monkeypatch: pytest.MonkeyPatch, url: str, module: str, extra: str
) -> None:
    found = store_urls.find_spec
    monkeypatch.setattr(store_urls, "find_spec", lambda name: None if name == module else found(name))
    line("sessions", "list", "ann", "--store", url, code=1)
    assert f"pip install 'jwt-refresh-middleware[{extra}]'" in line.err


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["", "debug"])
def test_a_driver_that_repeats_the_password_is_not_quoted(
    debug: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.asyncio import Redis

    from jwt_refresh_middleware.__main__ import main

    async def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no such user, or wrong password: s3cr3t@w0rd")

    monkeypatch.setattr(Redis, "execute_command", refuse)
    url = "redis://user:s3cr3t%40w0rd@localhost:6379/0"
    assert main([*debug, "sessions", "list", "ann", "--store", url]) == 1
    _, err = capsys.readouterr()
    assert "the store failed: ConnectionError" in err
    assert "s3cr3t" not in err
    assert ("Traceback" in err) == bool(debug)


def test_a_place_tells_no_password() -> None:
    assert "s3cr3t" not in repr(Place(url="redis://:s3cr3t@localhost"))
