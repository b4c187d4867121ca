"""What apps do beside answering: streams, uploads, background work, errors; and clients that leave."""

import hashlib
import itertools
import re
import time
from collections.abc import Callable

import pytest

from ..web.problems import assert_problem
from ..web.support import PASSWORD
from .apps.stage import FIRST, LAST
from .serving import Running
from .wire import request_bytes

_PATIENCE = 20.0
_LARGE = bytes(range(256)) * 20_000
_names = itertools.count()


@pytest.fixture
def name() -> str:
    """A gate that no other test has."""
    return f"n{next(_names)}"


def until(work: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not work():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def told(running: Running) -> list[str]:
    events: list[str] = running.ask("GET", "/told").json()
    return events


def alive(running: Running) -> None:
    """Somebody else is served as ever."""
    assert running.ask("GET", "/me", running.login("bob").bearer).json()["who"] == "bob"


def test_a_stream_arrives_piece_by_piece(running: Running, name: str) -> None:
    """The second piece is not made before the first was read."""
    with running.line() as line:
        line.send(request_bytes("GET", f"/stream/{name}", running.login().bearer))
        status, headers = line.head()
        pieces = line.pieces(headers)
        assert (status, next(pieces)) == (200, FIRST)
        assert running.ask("POST", f"/gates/{name}").status == 200
        assert b"".join(pieces) == LAST


def test_a_reader_who_leaves_ends_the_stream_and_nothing_else(running: Running, name: str) -> None:
    with running.line() as line:
        line.send(request_bytes("GET", f"/endless/{name}", running.login().bearer))
        status, headers = line.head()
        assert (status, next(line.pieces(headers))[: len(FIRST)]) == (200, FIRST)
    until(lambda: f"{name} ended" in told(running))
    alive(running)


@pytest.mark.parametrize("path", ["/upload", "/auth/login", "/auth/refresh"])
def test_who_leaves_in_the_middle_of_a_body_harms_nobody(running: Running, path: str) -> None:
    bearer = running.login().bearer
    for _ in range(3):
        with running.line() as line:
            kind = {"content-type": "application/json", "content-length": "60000"}
            line.send(request_bytes("POST", path, bearer | kind) + b'{"username": "alice", ')
    alive(running)


def test_a_large_upload_arrives_untouched(running: Running) -> None:
    """5 MB: the limit of 64 KiB is for our own routes."""
    reply = running.ask("POST", "/upload", running.login().bearer, body=_LARGE)
    assert reply.json() == {"length": len(_LARGE), "sha256": hashlib.sha256(_LARGE).hexdigest()}


def test_an_upload_in_chunks_arrives_untouched(running: Running) -> None:
    bearer = running.login().bearer | {"transfer-encoding": "chunked"}
    with running.line() as line:
        head = request_bytes("POST", "/upload", bearer).replace(b"content-length: 0\r\n", b"")
        line.send(head + b"".join(b"5\r\nhello\r\n" for _ in range(1000)) + b"0\r\n\r\n")
        assert line.reply().json() == {"length": 5000, "sha256": hashlib.sha256(b"hello" * 1000).hexdigest()}


def test_an_upload_without_a_token_is_refused_before_it_is_read(running: Running) -> None:
    with running.line() as line:
        line.send(request_bytes("POST", "/upload", {"content-length": "5000000"}))
        assert_problem(line.reply(), "token_missing")


def test_a_background_task_runs_after_the_answer(running: Running, name: str) -> None:
    """It waits for a gate that is opened only when the whole answer is here."""
    with running.line() as line:
        assert line.ask("GET", f"/background/{name}", running.login().bearer).body == b"soon"
        assert f"{name} done" not in told(running)
        running.ask("POST", f"/gates/{name}")
        until(lambda: f"{name} done" in told(running))


RAISES_FURTHER = ["bare", "starlette", "fastapi"]
"""Where the server gets the exception as well. uvicorn closes the connection then, whatever was answered."""


def _closes(running: Running) -> bool:
    if running.server == "hypercorn":
        return running.framework == "bare"
    return running.server.startswith("uvicorn") and running.framework in RAISES_FURTHER


def test_a_handler_that_raises(running: Running) -> None:
    bearer = running.login().bearer
    with running.line() as line:
        assert line.ask("GET", "/boom", bearer).status == 500
        if _closes(running):
            assert line.ends()
        else:
            assert line.ask("GET", "/me", bearer).json()["who"] == "alice"
    assert running.ask("GET", "/me", bearer).json()["who"] == "alice"
    alive(running)


def test_a_stream_that_breaks_off_is_never_taken_for_a_whole_one(running: Running) -> None:
    bearer = running.login().bearer
    with running.line() as line:
        line.send(request_bytes("GET", "/broken", bearer))
        status, headers = line.head()
        pieces = line.pieces(headers)
        assert (status, next(pieces)) == (200, FIRST)
        with pytest.raises(ConnectionResetError):
            list(pieces)
    assert running.ask("GET", "/me", bearer).json()["who"] == "alice"


def test_an_error_of_ours_that_a_handler_raises_becomes_its_answer(running: Running) -> None:
    with running.line() as line:
        bearer = running.login().bearer
        reply = line.ask("GET", "/fails", bearer)
        assert_problem(reply, "insufficient_scope")
        assert 'scope="admin"' in (reply.one("www-authenticate") or "")
        assert line.ask("GET", "/me", bearer).status == 200


def test_no_token_is_in_the_log(running: Running) -> None:
    """Access log, tracebacks, and whatever a server says of clients that left."""
    tokens = running.login(body=True)
    for path in ("/me", "/boom", "/fails", "/nothing", "/auth/sessions"):
        running.ask("GET", path, tokens.bearer | {"cookie": tokens.cookie})
    running.ask("POST", "/auth/refresh", json_body={"refresh_token": tokens.refresh})
    running.ask("POST", "/auth/login", json_body={"username": "alice", "password": PASSWORD[::-1]})
    log = running.log()
    assert "/boom" in log
    assert not re.search(r"eyJ[\w-]{8}", log), "an access token"
    for secret in (*tokens.access.split("."), tokens.refresh, PASSWORD[::-1]):
        assert secret[:16] not in log
