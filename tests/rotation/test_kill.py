"""kill -9 around the commit: whatever the client holds is good for one more refresh, and spent stays spent."""

import asyncio
from contextlib import suppress

import pytest

from .fleet import Place, Server, killed


async def _grow(server: Server) -> list[str]:
    """A session that was rotated once: the refresh tokens of its generations."""
    first = await server.login()
    second = await server.refresh(first.refresh_token)
    return [first.refresh_token, second.refresh_token]


@pytest.mark.parametrize("point", ["before-commit", "after-commit"])
@pytest.mark.case("H21")
async def test_the_client_goes_on_after_its_server_was_killed(place: Place, point: str) -> None:
    with Server(place, point) as server:
        tokens = await _grow(server)
        with pytest.raises(ConnectionError):
            await server.refresh(tokens[-1])
        assert killed(server.process)
    with Server(place) as server:
        again = await server.refresh(tokens[-1])
        assert again.status == 200
        assert await server.events() == ["repeated" if point == "after-commit" else "rotated"]
        assert (await server.ask("GET", "/me", token=again.access_token)).status == 200
        further = await server.refresh(again.refresh_token)
        assert further.status == 200
        assert len({*tokens, again.refresh_token, further.refresh_token}) == 4


@pytest.mark.case("H02", "H18")
async def test_spent_tokens_stay_spent_after_a_kill(place: Place) -> None:
    with Server(place, "after-commit") as server:
        tokens = await _grow(server)
        with pytest.raises(ConnectionError):
            await server.refresh(tokens[-1])
        assert killed(server.process)
    with Server(place) as server:  # generation 2 was committed, though nobody was told of it
        assert (await server.refresh(tokens[0])).code == "refresh_invalid"
        assert await server.events() == ["reuse_detected", "revoked"]
        assert (await server.refresh(tokens[1])).code == "refresh_invalid"


@pytest.mark.case("H10", "H18")
async def test_what_was_logged_out_stays_logged_out_after_a_kill(place: Place) -> None:
    with Server(place) as server:
        pair = await server.login()
        await server.ask("POST", "/auth/logout", {"refresh_token": pair.refresh_token})
        server.process.kill()
        assert killed(server.process)
    with Server(place) as server:
        assert (await server.ask("GET", "/me", token=pair.access_token)).code == "token_revoked", "from the start"
        assert (await server.refresh(pair.refresh_token)).code == "refresh_invalid"


@pytest.mark.parametrize("point", ["before-revoke", "after-revoke"])
async def test_an_end_that_was_asked_for_again_after_a_kill(place: Place, point: str) -> None:
    with Server(place, point) as server:
        pair = await server.login()
        with pytest.raises(ConnectionError):
            await server.ask("POST", "/auth/logout", {"refresh_token": pair.refresh_token})
        assert killed(server.process)
    with Server(place) as server:
        loaded = (await server.ask("GET", "/me", token=pair.access_token)).code
        assert loaded == ("token_revoked" if point == "after-revoke" else ""), "row and feed are one write"
        assert (await server.ask("POST", "/auth/logout", {"refresh_token": pair.refresh_token})).status == 200
        assert (await server.ask("GET", "/me", token=pair.access_token)).code == "token_revoked"
        assert (await server.refresh(pair.refresh_token)).code == "refresh_invalid"


async def _refresh_until_it_dies(server: Server, token: str) -> str:
    """Refresh without a pause; returns the last token that arrived."""
    with suppress(ConnectionError):
        while True:
            answer = await server.refresh(token)
            assert answer.status == 200, answer
            token = answer.refresh_token
    return token


@pytest.mark.case("H21")
async def test_killed_at_any_moment_nobody_is_locked_out(place: Place) -> None:
    with Server(place) as server:
        held = [(await server.login(f"user-{number}")).refresh_token for number in range(8)]
    for milliseconds in (5, 20, 45):
        with Server(place) as server:
            await server.events()
            asyncio.get_running_loop().call_later(milliseconds / 1000, server.process.kill)
            held = await asyncio.gather(*(_refresh_until_it_dies(server, token) for token in held))
            assert killed(server.process)
    with Server(place) as server:
        assert [(await server.refresh(token)).status for token in held] == [200] * 8
        assert set(await server.events()) <= {"rotated", "repeated"}
