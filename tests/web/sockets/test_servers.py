"""WebSockets over uvicorn, in both of its implementations, and hypercorn, with the client library ``websockets``."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from jwt_refresh_middleware import Issuer, TokenPair
from jwt_refresh_middleware.stores.sqlite import SQLiteStore
from tests.kinds import Servers, make_store

from ..asgi import Reply
from ..problems import assert_problem
from ..support import SECRET
from .serving import ALLOWED, KINDS, LIFE, Place, echo, ending, placed
from .talking import PATIENCE

pytestmark = [pytest.mark.parametrize("kind", KINDS), pytest.mark.case("F09")]


@pytest.fixture
async def place(kind: str) -> AsyncIterator[Place]:
    async with placed(kind) as made:
        yield made


def bearer(pair: TokenPair, *others: str) -> dict[str, Any]:
    return {"subprotocols": [Subprotocol(name) for name in ("bearer", pair.access_token, *others)]}


async def refused(place: Place, *args: Any, **options: Any) -> Reply:
    """What a handshake is answered."""
    with pytest.raises(InvalidStatus) as caught:
        await place.connect(*args, **options)
    response = caught.value.response
    headers = tuple((name.lower().encode(), value.encode()) for name, value in response.headers.raw_items())
    return Reply(response.status_code, headers, response.body or b"")


async def test_by_header_and_by_sub_protocol(place: Place) -> None:
    pair = await place.login()
    async with place.connect(token=pair.access_token) as socket:
        assert await echo(socket) == "alice: hello"
        assert socket.subprotocol is None
    async with place.connect(**bearer(pair)) as socket:
        assert await echo(socket) == "alice: hello"
        assert socket.subprotocol == "bearer"
    async with place.connect(**bearer(pair, "chat")) as socket:
        assert socket.subprotocol == "bearer"
    async with place.connect("/open") as socket:
        assert await echo(socket) == "anonymous: hello"


async def test_refused_before_it_is_accepted(place: Place) -> None:
    pair = await place.login()
    assert_problem(await refused(place), "token_missing")
    assert_problem(await refused(place, token="made.up.token"), "token_invalid")
    assert_problem(await refused(place, subprotocols=["bearer", "made.up.token"]), "token_invalid")
    assert_problem(await refused(place, token=pair.access_token, **bearer(pair)), "token_malformed")
    assert_problem(await refused(place, subprotocols=["bearer"]), "token_malformed")
    assert_problem(await refused(place, f"/chat?access_token={pair.access_token}"), "token_missing")
    place.clock.advance(LIFE)
    assert_problem(await refused(place, **bearer(pair)), "token_expired")
    pair = await place.login()
    await place.revoke(pair)
    assert_problem(await refused(place, token=pair.access_token), "token_revoked")


async def test_origins(place: Place) -> None:
    pair = await place.login()
    for origin in (f"http://127.0.0.1:{place.server.port}", ALLOWED):
        async with place.connect(origin=origin, **bearer(pair)) as socket:
            assert await echo(socket) == "alice: hello"
    for path in ("/chat", "/open"):
        assert_problem(await refused(place, path, origin="https://evil.example", **bearer(pair)), "cross_origin")


async def test_a_server_that_can_only_say_no(kind: str) -> None:
    """The close code is said before there is a socket to say it on: what a client sees is 403."""
    async with placed(kind, strip=True) as place:
        assert (await refused(place)).status == 403
        assert (await refused(place, origin="https://evil.example")).status == 403
        async with place.connect(token=(await place.login()).access_token) as socket:
            assert await echo(socket) == "alice: hello"


@pytest.mark.parametrize("path", ["/chat", "/news"])
async def test_closed_when_the_token_expires(place: Place, path: str) -> None:
    pair = await place.login()
    place.near(pair, 0.05)
    async with place.connect(path, **bearer(pair)) as socket:
        place.clock.advance(0.05)
        assert await ending(socket) == (4401, "token_expired")


async def renew(place: Place, socket: ClientConnection, pair: TokenPair) -> TokenPair:
    fresh: TokenPair = await place.server.run(place.issuer.refresh(pair.refresh_token))
    await socket.send(json.dumps({"type": "token", "access_token": fresh.access_token}))
    return fresh


async def test_a_fresh_token_keeps_it_open(place: Place) -> None:
    pair = await place.login()
    async with place.connect(**bearer(pair)) as socket:
        for _ in range(3):
            place.near(pair, 0.5)
            pair = await renew(place, socket, pair)
            assert await echo(socket) == "alice: hello"
            place.clock.advance(1)
            assert await echo(socket) == "alice: hello"
        await renew(place, socket, await place.login("bob"))
        assert await ending(socket) == (4401, "token_invalid")


async def test_a_fresh_token_reaches_an_app_that_only_sends(place: Place) -> None:
    pair = await place.login()
    place.near(pair, 0.2)
    async with place.connect("/news", **bearer(pair)) as socket:
        fresh = await renew(place, socket, pair)
        place.clock.advance(0.16)
        async with asyncio.timeout(PATIENCE):
            while place.issuer.backing.acknowledgements.seen.get(fresh.session.id) != 1:
                await socket.recv()
        place.clock.advance(1)
        for _ in range(100):
            assert await socket.recv() == "news"
        await place.revoke(pair)
        assert await ending(socket) == (4401, "token_revoked")


@pytest.mark.parametrize("path", ["/chat", "/news"])
async def test_closed_when_the_session_is_ended(place: Place, path: str) -> None:
    pair = await place.login()
    async with place.connect(path, token=pair.access_token) as socket:
        await place.revoke(pair)
        assert await ending(socket) == (4401, "token_revoked")


async def stalls(place: Place) -> None:
    """Until the app cannot send any more."""
    before = -1
    async with asyncio.timeout(PATIENCE):
        while before != place.flooded or not before:
            before = place.flooded
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a_client_that_does_not_read_cannot_stay(place: Place, how: str) -> None:
    """What was on its way it still gets when it reads; then the end."""
    pair = await place.login()
    place.near(pair, 0.5)
    async with place.connect("/flood", token=pair.access_token, max_queue=1) as socket:
        await stalls(place)
        if how == "revoked":
            await place.revoke(pair)
        else:
            place.clock.advance(0.5)
        assert await ending(socket) == (4401, f"token_{how}")


async def test_200_sockets_at_once(place: Place) -> None:
    pairs = [await place.login() for _ in range(20)]
    bob = await place.login("bob")
    sockets = [await place.connect(token=pairs[number % 20].access_token) for number in range(200)]
    async with place.connect(token=bob.access_token) as other:
        assert await place.server.run(place.issuer.logout_all("alice")) == 20
        endings = await asyncio.gather(*(ending(socket) for socket in sockets))
        assert endings == [(4401, "token_revoked")] * 200
        assert await echo(other) == "bob: hello"


async def test_ended_by_another_process_over_sqlite(kind: str, tmp_path: Any) -> None:
    """Another issuer on the same file: known here with the next round."""
    path = tmp_path / "sessions.db"
    async with placed(kind, SQLiteStore(path), sync_interval=timedelta(milliseconds=20)) as place:
        pair = await place.login()
        async with (
            place.connect(**bearer(pair)) as socket,
            Issuer(SECRET, SQLiteStore(path), clock=place.clock) as elsewhere,
        ):
            assert await echo(socket) == "alice: hello"
            await elsewhere.revoke(pair.session.id)
            assert await ending(socket) == (4401, "token_revoked")


async def test_ended_by_another_process_over_redis(kind: str, servers: Servers) -> None:
    """Pushed: no round comes within this test."""
    if reason := Servers.missing("redis"):
        pytest.skip(reason)
    url = servers.url("redis")
    async with placed(kind, make_store("redis", url, "sockets"), sync_interval=timedelta(days=1)) as place:
        pair = await place.login()
        other = make_store("redis", url, "sockets")
        async with (
            place.connect(**bearer(pair)) as socket,
            Issuer(SECRET, other, clock=place.clock) as elsewhere,
        ):
            assert await echo(socket) == "alice: hello"
            await elsewhere.revoke(pair.session.id)
            assert await ending(socket) == (4401, "token_revoked")


async def test_a_socket_that_the_server_shuts_down(kind: str) -> None:
    """Nothing of ours keeps a server from stopping."""
    async with placed(kind) as place:
        socket = await place.connect(token=(await place.login()).access_token)
        assert await echo(socket) == "alice: hello"
    with pytest.raises(ConnectionClosed):
        await socket.recv()
