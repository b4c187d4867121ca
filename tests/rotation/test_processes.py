"""Several worker processes over one SQLite file, asked over HTTP."""

import asyncio
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE

import pytest

from jwt_refresh_middleware.stores.sqlite import SCHEMA_VERSION

from .fleet import Answer, Place, Server, until

WORKERS, CLIENTS, ROUNDS = 4, 50, 6
LAG = 1.0  # seconds, as documented; the rest is margin for slow machines


@pytest.fixture
async def fleet(place: Place) -> AsyncIterator[list[Server]]:
    """Four processes that all create the database, if it is one that has to be."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Server(place)) for _ in range(WORKERS)]
        assert [await server.events() for server in servers] == [[]] * WORKERS
        yield servers


async def _told(fleet: list[Server]) -> Counter[str]:
    return Counter([name for server in fleet for name in await server.events()])


async def _at_once(fleet: list[Server], refresh_token: str) -> list[Answer]:
    """Fifty clients, all of them ready before the first begins."""
    barrier = asyncio.Barrier(CLIENTS)

    async def client(number: int) -> Answer:
        await barrier.wait()
        return await fleet[number % WORKERS].refresh(refresh_token)

    return await asyncio.gather(*(client(number) for number in range(CLIENTS)))


@pytest.mark.case("H07")
async def test_fifty_clients_of_one_token_on_four_processes(fleet: list[Server]) -> None:
    token = (await fleet[0].login()).refresh_token
    spent = [token]
    for number in range(1, ROUNDS + 1):
        answers = await _at_once(fleet, token)
        assert Counter(answer.status for answer in answers) == {200: CLIENTS}
        assert len({answer.refresh_token for answer in answers}) == 1, "one successor"
        assert len({answer.access_token for answer in answers}) == CLIENTS
        token = answers[0].refresh_token
        assert token not in spent
        spent.append(token)
        assert await _told(fleet) == {
            "session_started": 1,
            "rotated": number,
            "repeated": number * (CLIENTS - 1),
        }
    for index, server in enumerate(fleet):  # wherever the next request goes
        token = (await server.refresh(token)).refresh_token
        assert (await server.ask("GET", "/me", token=answers[index].access_token)).body == {"subject": "ann"}


async def test_independent_sessions_on_four_processes(fleet: list[Server]) -> None:
    async def client(number: int) -> str:
        token = (await fleet[number % WORKERS].login(f"user-{number}")).refresh_token
        for step in range(4):
            answer = await fleet[(number + step) % WORKERS].refresh(token)
            assert answer.status == 200, answer
            token = answer.refresh_token
        return token

    tokens = await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    assert len(set(tokens)) == CLIENTS
    assert await _told(fleet) == {"session_started": CLIENTS, "rotated": CLIENTS * 4}


@pytest.mark.case("H10")
async def test_logout_in_one_process_is_seen_in_the_others(fleet: list[Server]) -> None:
    pair = await fleet[0].login()
    for server in fleet:
        assert (await server.ask("GET", "/me", token=pair.access_token)).status == 200
    logout = await fleet[1].ask("POST", "/auth/logout", {"refresh_token": pair.refresh_token})
    assert (logout.status, logout.body) == (200, {"status": "logged_out"})
    assert (await fleet[1].ask("GET", "/me", token=pair.access_token)).code == "token_revoked", "here at once"
    for server in fleet:
        assert (await server.refresh(pair.refresh_token)).code == "refresh_invalid"

    async def seen_everywhere() -> bool:
        answers = [await server.ask("GET", "/me", token=pair.access_token) for server in fleet[2:]]
        return {answer.code for answer in answers} == {"token_revoked"}

    await until(seen_everywhere, seconds=LAG + 5)


@pytest.mark.case("H10")
async def test_the_end_is_seen_by_a_process_that_was_asked_nothing(fleet: list[Server]) -> None:
    """Only the feed can tell it: it never sees a refresh token of that session."""
    pair = await fleet[0].login()
    ended = await fleet[0].ask("DELETE", "/auth/sessions", token=(await fleet[1].login()).access_token)
    assert ended.status == 204

    async def seen() -> bool:
        return (await fleet[3].ask("GET", "/me", token=pair.access_token)).code == "token_revoked"

    await until(seen, seconds=LAG + 5)


@pytest.mark.case("H08")
async def test_a_logout_races_refreshes_in_other_processes(fleet: list[Server]) -> None:
    for _ in range(3):
        pair = await fleet[0].login()
        work = [fleet[number % WORKERS].refresh(pair.refresh_token) for number in range(20)]
        work.insert(10, fleet[0].ask("POST", "/auth/logout", {"refresh_token": pair.refresh_token}))
        answers = await asyncio.gather(*work)
        assert {answer.status for answer in answers} <= {200, 401}
        live = {answer.refresh_token for answer in answers if answer.refresh_token} | {pair.refresh_token}
        for server in fleet:
            for token in live:
                assert (await server.refresh(token)).code == "refresh_invalid"
    assert (await _told(fleet))["reuse_detected"] == 0


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_new_database_is_opened_by_several_processes_at_once(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("opener.py"))]
    with ExitStack() as stack:
        openers = [
            stack.enter_context(subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, bufsize=1))
            for _ in range(6)
        ]
        assert {_line(opener) for opener in openers} == {"ready"}
        for number in range(10):
            path = tmp_path / f"{number}.db"
            for opener in openers:
                assert opener.stdin is not None
                opener.stdin.write(f"{path}\n")
            assert [_line(opener) for opener in openers] == ["opened"] * 6
            with sqlite3.connect(path) as database:
                rows = database.execute("SELECT count(*), sum(generation) FROM jwt_refresh_sessions").fetchone()
                versions = database.execute("SELECT version FROM jwt_refresh_sessions_schema").fetchall()
            database.close()
            assert (rows, versions) == ((6, 6), [(SCHEMA_VERSION,)])
