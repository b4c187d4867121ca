"""A gateway that was told where the keys are, and nothing else, while the issuer comes and goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from .line import Line, Reply, until
from .processes import Centre, Process, gateway


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return Centre(tmp_path)


@asynccontextmanager
async def watched(front: Process, good: list[str]) -> AsyncIterator[list[str]]:
    """What the gateway answers all the time, as far as it is wrong."""
    wrong: list[str] = []
    asked = 0

    async def watch() -> None:
        nonlocal asked
        async with Line(front.port) as line:
            while True:
                for token in good:
                    _judge(wrong, await line.ask("GET", "/item", token=token), 200, "")
                    _judge(wrong, await line.ask("GET", "/item", token=token[:-8] + "A" * 8), 401, "token_invalid")
                    _judge(wrong, await line.ask("GET", "/item"), 401, "token_missing")
                asked += 1
                await asyncio.sleep(0.005)

    task = asyncio.ensure_future(watch())
    try:
        yield wrong

        async def asked_again(before: int = asked) -> bool:
            assert not task.done()
            return asked > before + 1

        await until(asked_again)
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError), outcome


def _judge(wrong: list[str], reply: Reply, status: int, code: str) -> None:
    if (reply.status, reply.code) != (status, code):
        wrong.append(f"{reply} instead of {status} {code}")


@pytest.mark.case("A09")
async def test_it_answers_rightly_while_the_issuer_is_killed_and_started_again(tmp_path: Path, centre: Centre) -> None:
    with centre, gateway(tmp_path, centre, refresh_interval=0.1, cooldown=0.05) as front:
        pairs = [await centre.login(f"user-{number}") for number in range(3)]
        async with watched(front, [pair.access for pair in pairs]) as wrong:
            for _ in range(3):
                centre.kill()
                await _served(front, pairs[0], 50)
                await asyncio.to_thread(centre.start)
                await _served(front, pairs[0], 50)
                assert (await front.ask("GET", "/item", token=(await centre.login()).access)).status == 200
            centre.pause()
            await _served(front, pairs[0], 50)
            centre.resume()

            async def it_fetches_again() -> bool:
                return await centre.fetches() >= 2

            await until(it_fetches_again)
            renewed = await centre.ask("POST", "/auth/refresh", {"refresh_token": pairs[1].refresh})
            assert (await front.ask("GET", "/item", token=renewed.access)).status == 200
        assert wrong == []


async def _served(front: Process, pair: Reply, times: int) -> None:
    async with Line(front.port) as line:
        for _ in range(times):
            assert (await line.ask("GET", "/item", token=pair.access)).status == 200


async def test_keys_that_changed_while_it_was_away_are_fetched_when_it_is_back(tmp_path: Path, centre: Centre) -> None:
    with centre, gateway(tmp_path, centre, refresh_interval=0.1, cooldown=0.05) as front:
        old = await centre.login()
        centre.kill()
        for _ in range(2):
            assert centre.command("rotate", "--force") == 0
        await asyncio.to_thread(centre.start)
        new = await centre.login()

        async def it_is_good() -> bool:
            assert (await front.ask("GET", "/item", token=old.access)).status == 200
            return (await front.ask("GET", "/item", token=new.access)).status == 200

        await until(it_is_good)


async def test_started_while_the_issuer_is_down_it_says_so_and_works_by_itself_later(
    tmp_path: Path, centre: Centre
) -> None:
    with centre:
        token = (await centre.login()).access
        centre.kill()
        with gateway(tmp_path, centre, cooldown=0.05) as front:
            for _ in range(20):
                reply = await front.ask("GET", "/item", token=token)
                assert (reply.status, reply.code) == (503, "keys_unavailable")
                assert b"\r\nretry-after: " in reply.head
            await asyncio.to_thread(centre.start)

            async def it_works() -> bool:
                return (await front.ask("GET", "/item", token=token)).status == 200

            await until(it_works)
            assert (await front.ask("GET", "/item", token=token + "A")).code == "token_invalid"
            assert (await front.ask("GET", "/item")).code == "token_missing"
        log = front.log.read_text()
        assert "no keys from http://127.0.0.1" in log
        assert "Traceback" not in log
        assert token not in log


async def test_a_thousand_requests_cost_the_user_centre_nothing(tmp_path: Path, centre: Centre) -> None:
    with centre, gateway(tmp_path, centre) as front:
        pairs = [await centre.login(f"user-{number}") for number in range(10)]
        before = await centre.calls()
        async with Line(front.port) as line:
            for number in range(1000):
                assert (await line.ask("GET", "/item", token=pairs[number % 10].access)).status == 200
        assert await centre.calls() == before
        assert before == {"/auth/login": 10, "/auth/jwks.json": 1}
        await centre.ask("POST", "/auth/refresh", {"refresh_token": pairs[0].refresh})
        assert await centre.calls() == before | {"/auth/refresh": 1}
