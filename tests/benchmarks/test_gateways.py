"""The gateways that are compared answer right, and what is counted is what happened. No time is measured here."""

import json
import os
import secrets
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis

from jwt_refresh_middleware import Issuer, MemoryStore, TokenPair
from jwt_refresh_middleware.testing import Clock

from ..catalogue.server import RunningServer
from ..kinds import Servers
from ..web.asgi import Reply, ask
from .common import AUDIENCE, ISSUER, SECRET, tampered
from .gateways import Slice, drawn, measure, rows
from .gateways_apps import (
    INTROSPECT,
    PASSWORD,
    SESSION,
    WAYS,
    Counted,
    by_hand,
    by_httpx2,
    by_introspection,
    by_keys,
    by_redis,
    to_centre,
    user_centre,
)
from .gateways_load import Client
from .gateways_wire import Pool, post


@dataclass
class Centre:
    """A user centre with somebody signed in, and a gateway's client at it."""

    app: Counted
    issuer: Issuer
    pair: TokenPair
    client: httpx2.AsyncClient
    clock: Clock


@pytest.fixture
async def centre() -> AsyncIterator[Centre]:
    clock, store = Clock(), MemoryStore()
    life = timedelta(seconds=60)
    async with Issuer(SECRET, store, issuer=ISSUER, audience=AUDIENCE, access_ttl=life, clock=clock) as issuer:
        app = user_centre(issuer, store)
        async with to_centre("http://centre", transport=httpx2.ASGITransport(app=app)) as client:
            yield Centre(app, issuer, await issuer.login("ada"), client, clock)


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    if reason := Servers.missing("redis"):
        pytest.skip(reason)
    async with Redis.from_url(servers.url("redis")) as client:
        yield client


async def item(gateway: Any, token: str | None) -> Reply:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await ask(gateway, "GET", "/item", headers=headers)


async def test_asking_the_user_centre_lets_a_good_token_in_and_asks_each_time(centre: Centre) -> None:
    gateway = by_introspection(by_httpx2(centre.client))
    for _ in range(3):
        assert (await item(gateway, centre.pair.access_token)).json() == {"ok": True}
    assert centre.app.calls == {INTROSPECT: 3}


async def test_asking_the_user_centre_keeps_out_what_is_bad_or_over(centre: Centre) -> None:
    gateway, good = by_introspection(by_httpx2(centre.client)), centre.pair.access_token
    assert (await item(gateway, None)).status == 401
    assert centre.app.calls == {}
    assert (await item(gateway, tampered(good))).status == 401
    centre.clock.advance(60)
    assert (await item(gateway, good)).status == 401
    assert centre.app.calls == {INTROSPECT: 2}


async def test_asking_the_user_centre_keeps_out_a_session_that_ended(centre: Centre) -> None:
    gateway = by_introspection(by_httpx2(centre.client))
    await centre.issuer.revoke(centre.pair.session.id, reason="test")
    assert (await item(gateway, centre.pair.access_token)).status == 401


async def test_asking_the_user_centre_by_hand_answers_the_same() -> None:
    store = MemoryStore()
    issuer = Issuer(SECRET, store, issuer=ISSUER, audience=AUDIENCE)
    with RunningServer(user_centre(issuer, store), "httptools") as server:
        pool = Pool(server.port)
        gateway = by_introspection(by_hand(pool))
        _, tokens = await pool.ask(post("/auth/login", {"name": "ada", "password": PASSWORD}))
        good = json.loads(tokens)["access_token"]
        assert (await item(gateway, good)).json() == {"ok": True}
        assert (await item(gateway, None)).status == 401
        assert (await item(gateway, tampered(good))).status == 401
        await pool.ask(post("/auth/logout", {"refresh_token": json.loads(tokens)["refresh_token"]}))
        assert (await item(gateway, good)).status == 401
        pool.close()


async def test_nobody_but_a_gateway_may_ask_the_user_centre(centre: Centre) -> None:
    reply = await ask(centre.app, "POST", INTROSPECT, form={"token": centre.pair.access_token})
    assert (reply.status, reply.json()) == (401, {"error": "invalid_client"})


async def test_asking_redis_lets_in_who_is_there_and_keeps_out_who_is_not(redis: Redis) -> None:
    gateway, token = by_redis(redis), secrets.token_urlsafe(32)
    await redis.set(SESSION + token, json.dumps({"sub": "ada"}))
    assert (await item(gateway, token)).json() == {"ok": True}
    assert (await item(gateway, None)).status == 401
    assert (await item(gateway, token[:-1])).status == 401
    await redis.delete(SESSION + token)
    assert (await item(gateway, token)).status == 401


async def test_a_key_lets_a_good_token_in_and_keeps_a_bad_one_out_and_asks_nobody(centre: Centre) -> None:
    gateway, good = by_keys(centre.issuer.verifier), centre.pair.access_token
    assert (await item(gateway, good)).json() == {"ok": True}
    assert (await item(gateway, None)).code == "token_missing"
    assert (await item(gateway, tampered(good))).code == "token_invalid"
    centre.clock.advance(60)
    assert (await item(gateway, good)).code == "token_expired"
    assert centre.app.calls == {}


async def test_the_user_centre_counts_by_path_and_not_who_reads_the_counts(centre: Centre) -> None:
    credentials = {"name": "ada", "password": PASSWORD}
    headers = {"X-Token-Transport": "body"}
    tokens = (await ask(centre.app, "POST", "/auth/login", json_body=credentials, headers=headers)).json()
    await ask(centre.app, "POST", "/auth/refresh", json_body={"refresh_token": tokens["refresh_token"]})
    await ask(centre.app, "GET", "/auth/jwks.json")
    counted = {"/auth/login": 1, "/auth/refresh": 1, "/auth/jwks.json": 1}
    assert (await ask(centre.app, "GET", "/calls")).json() == counted
    assert (await ask(centre.app, "GET", "/calls")).json() == counted


class Scripted:
    """A connection that has its answers, and notes what it was asked."""

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        self.answers, self.asked = list(answers), list[bytes]()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self.asked.append(request)
        status, content = self.answers.pop(0)
        return status, json.dumps(content).encode()


async def test_a_client_that_is_refused_refreshes_once_and_asks_again_with_the_new_token() -> None:
    gateway, fresh = Scripted((401, {}), (200, {})), {"access_token": "a2", "refresh_token": "r2"}
    centre = Scripted((200, fresh))
    await Client(gateway, centre, "a1", "r1").request()  # type: ignore[arg-type]
    assert [b"Bearer a1" in gateway.asked[0], b"Bearer a2" in gateway.asked[1]] == [True, True]
    assert [b'{"refresh_token": "r1"}' in request for request in centre.asked] == [True]


@pytest.mark.parametrize("answers", [[(401, {}), (401, {})], [(500, {})]])
async def test_a_client_that_is_refused_for_good_ends_the_measurement(
    answers: list[tuple[int, dict[str, str]]],
) -> None:
    centre = Scripted((200, {"access_token": "a2", "refresh_token": "r2"}))
    with pytest.raises(RuntimeError, match=r"the gateway answered \d+"):
        await Client(Scripted(*answers), centre, "a1", "r1").request()  # type: ignore[arg-type]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc, which tells of the processes")
async def test_a_run_with_real_processes_counts_every_call() -> None:
    if reason := Servers.missing("redis"):
        pytest.skip(reason)
    got = await measure(1, 0.2, 1, counts=(2,))
    counted: dict[str, tuple[Slice, dict[str, int]]] = {}
    for way in WAYS:
        (one,) = got[way, 2].slices
        counted[way] = one, {path: count for path, count in one.said.calls.items() if count}
    for way in ("introspection", "introspection by hand"):
        asking, calls = counted[way]
        assert calls[INTROSPECT] == asking.requests + calls.get("/auth/refresh", 0)  # who is refused asks again
    assert set(counted["ours"][1]) <= {"/auth/refresh"}
    assert (counted["bare"][1], counted["redis"][1]) == ({}, {})
    looked_up = {way: one.said.looked_up for way, (one, _) in counted.items()}
    assert looked_up == dict.fromkeys(WAYS, 0) | {"redis": counted["redis"][0].requests}
    assert len(list(rows(got))) == len(WAYS)
    assert ET.fromstring(drawn(got, 1)).tag.endswith("svg")
