"""The Redis store on a server, in a cluster, and with clients of the user's own."""

import asyncio
import logging
import re
import secrets
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError, ResponseError

from jwt_refresh_middleware import Device, RevocationFeed, Session
from jwt_refresh_middleware.standing import NO_STANDING, Standing
from jwt_refresh_middleware.stores.base import PushedRevocations
from jwt_refresh_middleware.stores.redis import RedisStore
from jwt_refresh_middleware.stores.redis_rows import GRACE, Keys, from_row, to_row
from jwt_refresh_middleware.testing import NOW, StoreSuite, a_session, a_step

from ..kinds import Servers, make_store
from ..servers import Redis as Server

DAY = 86_400


@pytest.fixture(autouse=True)
def _needs_redis() -> None:
    if reason := Server.missing():
        pytest.skip(reason)


@pytest.fixture
def prefix() -> str:
    return f"{secrets.token_hex(4)}:"


@pytest.fixture
async def store(servers: Servers, prefix: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(servers.url("redis"), prefix=prefix)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[Redis]:
    async with Redis.from_url(servers.url("redis")) as client:
        yield client


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that a test may kill."""
    with Server() as server:
        yield server


class TestRedisStore(StoreSuite):
    """Over the fixture of this module."""


class TestInACluster(StoreSuite):
    @pytest.fixture
    async def store(self, servers: Servers) -> AsyncIterator[Any]:
        store = make_store("redis-cluster", servers.url("redis-cluster"), secrets.token_hex(4))
        await store.open()
        yield store
        await store.close()


@pytest.mark.parametrize("options", [{"decode_responses": True}, {"protocol": 3}, {"encoding": "latin-1"}], ids=str)
class TestWithAClientOfTheUsers(StoreSuite):
    @pytest.fixture
    async def store(self, servers: Servers, prefix: str, options: dict[str, Any]) -> AsyncIterator[RedisStore]:
        async with Redis.from_url(servers.url("redis"), **options) as client:
            store = RedisStore(client, prefix=prefix)
            await store.open()
            yield store
            await store.close()
            assert await client.ping(), "it is the user's: it stays open"


async def test_it_pushes(store: RedisStore) -> None:
    assert isinstance(store, PushedRevocations)


async def test_a_plain_url_and_first_use_without_opening(servers: Servers, prefix: str) -> None:
    store = RedisStore(servers.url("redis"), prefix=prefix)
    await asyncio.gather(*(store.add(a_session(number)) for number in range(20)))
    assert await store.get(a_session(7).id) == a_session(7)
    await store.close()
    await store.close()
    assert await store.get(a_session(7).id) == a_session(7)
    await store.close()


async def commands_of(client: Redis, work: Awaitable[object]) -> list[str]:
    """What the server is sent by ``work``, as it sees it; what scripts do inside does not count."""
    async with client.monitor() as monitor:
        await work
        await client.execute_command("ECHO", "the end")
        seen = []
        while "the end" not in (said := await monitor.next_command())["command"]:
            command = said["command"].split()[0].upper()
            if said["client_type"] != "lua" and command not in ("HELLO", "CLIENT", "SELECT"):  # of a new connection
                seen.append(command)
    return seen


async def test_round_trips(store: RedisStore, client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    session = a_session()
    trips = 0
    send = store._calls._send

    async def counting(*arguments: Any) -> Any:
        nonlocal trips
        trips += 1
        return await send(*arguments)

    monkeypatch.setattr(store._calls, "_send", counting)
    expected: list[tuple[int, list[str], Callable[[], Awaitable[object]]]] = [
        (1, ["EVALSHA", "EVALSHA"], lambda: store.add(session)),
        (1, ["GET"], lambda: store.get(session.id)),
        (1, ["EVALSHA"], lambda: store.advance(a_step(session))),  # the usual refresh
        (1, ["EVALSHA"], lambda: store.advance(a_step(session))),  # lost: the row comes back with the same answer
        (1, ["EVALSHA"], lambda: store.note_late(session.id, 1)),
        (1, ["EVALSHA"] * 3, lambda: store.acknowledge({session.id: 1, "nobody": 1, "nobody else": 2})),
        (2, ["ZRANGE", "GET"], lambda: store.sessions(session.subject, now=NOW)),
        (1, ["EVALSHA"], lambda: store.revoke(session.id, reason="test", now=NOW)),
        (2, ["ZRANGE", "EVALSHA"], lambda: store.revoke_subject(session.subject, reason="test", now=NOW)),
    ]
    for _, _, work in expected:  # every script is known after one use
        await work()
    await client.delete(store._keys.session(session.id))
    for number, commands, work in expected:
        trips = 0
        assert await commands_of(client, work()) == commands
        assert trips == number, commands


async def test_those_who_wait_share_a_round_trip(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    send = store._calls._send

    async def counting(commands: Any, batch: Any) -> Any:
        sizes.append(len(batch))
        return await send(commands, batch)

    monkeypatch.setattr(store._calls, "_send", counting)
    assert await asyncio.gather(*(store.get(f"s{number}") for number in range(300))) == [None] * 300
    assert sizes == [256, 44]


async def test_an_error_belongs_to_whoever_caused_it(store: RedisStore, client: Redis) -> None:
    sessions = [a_session(number) for number in range(3)]
    for session in sessions:
        await store.add(session)
    await client.delete(store._keys.session(sessions[1].id))
    await client.hset(store._keys.session(sessions[1].id), "somebody", "else")
    one, two, three = await asyncio.gather(*(store.get(s.id) for s in sessions), return_exceptions=True)
    assert (one, three) == (sessions[0], sessions[2])
    assert isinstance(two, ResponseError)


async def test_a_caller_who_has_gone_disturbs_nobody(store: RedisStore) -> None:
    await store.add(a_session())
    tasks = [asyncio.ensure_future(store.get(a_session().id)) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    assert await asyncio.gather(*tasks[1::2]) == [a_session()] * 5
    step = asyncio.ensure_future(store.advance(a_step(a_session())))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    step.cancel()
    await asyncio.wait([step])
    row = await store.get(a_session().id)
    assert row is not None
    assert row.generation in (0, 1)


async def test_scripts_that_the_server_has_forgotten(store: RedisStore, client: Redis) -> None:
    await store.add(a_session())
    await client.script_flush()
    won, row = await store.advance(a_step(a_session()))
    assert won
    assert row is not None
    await client.script_flush()
    outcomes = await asyncio.gather(*(store.advance(a_step(row)) for _ in range(5)), store.get(row.id))
    assert [outcome[0] for outcome in outcomes[:5]].count(True) == 1  # type: ignore[index]
    assert isinstance(outcomes[5], type(row)), "what was not refused is not sent again"


async def test_the_same_session_again_is_the_same_call_again(store: RedisStore) -> None:
    await store.add(a_session())
    await store.add(a_session())
    with pytest.raises(ValueError, match="exists"):
        await store.add(a_session(generation=1))


async def test_rows_outlive_their_sessions_by_a_day(store: RedisStore, client: Redis) -> None:
    key, session = store._keys.session, a_session(expires_at=NOW + 1000, last_used_at=NOW)

    async def lives() -> float:
        return await client.pttl(key(session.id)) / 1000

    await store.add(session)
    assert await lives() == pytest.approx(1000 + GRACE, abs=5)
    await store.advance(a_step(session, now=NOW + 500, expires_at=NOW + 5000))
    assert await lives() == pytest.approx(4500 + GRACE, abs=5)
    await client.pexpire(key(session.id), 1_000_000)
    await store.acknowledge({session.id: 1})
    await store.note_late(session.id, 1)
    await store.revoke(session.id, reason="test", now=NOW)
    assert await lives() == pytest.approx(1000, abs=5), "only a rotation makes it longer"
    assert await client.pttl(store._keys.feed(session.id)) / 1000 == pytest.approx(1000, abs=5)


async def test_a_row_never_lives_longer_than_its_session_can(store: RedisStore, client: Redis) -> None:
    session = a_session(ends_at=NOW + 2000, expires_at=NOW + 1000)
    await store.add(session)
    await store.advance(a_step(session, now=NOW + 500, expires_at=NOW + 90_000))
    left = await client.pttl(store._keys.session(session.id)) / 1000
    assert left == pytest.approx(1500 + GRACE, abs=5)


async def test_the_list_of_a_subject_is_bounded(store: RedisStore, client: Redis) -> None:
    index = store._keys.subject("ann")
    for day in range(100):  # a login a day: what ended a month ago is forgotten, its row is gone
        start = NOW + day * DAY
        times = {"created_at": start, "last_used_at": start, "expires_at": start + DAY, "ends_at": start + 30 * DAY}
        await store.add(a_session(day, subject="ann", **times))
    assert await client.zcard(index) == 32
    assert await client.pttl(index) / 1000 == pytest.approx(31 * DAY, abs=5)
    short = a_session(200, subject="ann", ends_at=NOW + 101 * DAY, last_used_at=NOW + 100 * DAY)
    await store.add(short)
    assert await client.pttl(index) / 1000 > 30 * DAY, "as long as the one that lives longest"


async def test_a_name_that_nothing_is_found_under_is_ignored(store: RedisStore, client: Redis) -> None:
    await store.add(a_session(0))
    await client.zadd(store._keys.subject("user-0"), {"never-added": NOW + DAY})
    assert await store.sessions("user-0", now=NOW) == [a_session(0)]
    assert len(await store.revoke_subject("user-0", reason="test", now=NOW)) == 1


async def test_purging_leaves_alone_what_is_not_ours(store: RedisStore, client: Redis, prefix: str) -> None:
    theirs = {
        f"{prefix}{{00}}:x": "theirs",
        f"{prefix}s:1": "theirs",
        "s:1": "theirs",
        f"x{prefix}{{00}}1": "theirs",
    }
    await client.mset(theirs)
    await store.add(a_session(0, expires_at=NOW))
    await store.add(a_session(1, expires_at=NOW + 2))
    assert sum([await store.purge(NOW + 1) for _ in range(5)]) == 1
    assert await client.mget(theirs) == [b"theirs"] * 4
    assert await client.zrange(store._keys.subject("user-0"), 0, -1) == [a_session(1).id.encode()]
    await client.delete(*theirs)


async def test_purging_forgets_the_end_of_what_is_gone(store: RedisStore, client: Redis) -> None:
    for number in range(6):
        await store.add(a_session(number))
        await store.revoke(a_session(number).id, reason="test", now=NOW)
    await client.delete(store._keys.session(a_session(0).id))
    for _ in range(8):
        await store.purge(NOW + 1)
    assert sorted(ident for ident, _ in await store.revocations(0)) == [a_session(number).id for number in range(1, 6)]


async def test_every_script_stays_in_one_slot(prefix: str) -> None:
    keys = Keys(prefix)
    tags = set()
    for number in range(8000):
        ident = secrets.token_urlsafe(16)
        tag = re.findall(r"\{(..)\}", keys.session(ident))
        assert tag == re.findall(r"\{(..)\}", keys.feed(ident))
        tags.add(tag[0])
        assert "{" not in keys.subject(f"user-{number}")
    assert len(tags) == 256, "and they are spread over all of them: with so many, one is missing once in 10^11 runs"


@pytest.mark.parametrize("prefix", ["{app}:", "app}:", "a{"])
def test_a_prefix_has_no_braces(prefix: str) -> None:
    with pytest.raises(ValueError, match="braces"):
        RedisStore("redis://localhost", prefix=prefix)


async def watching(store: RedisStore, heard: list[Any]) -> None:
    async for ended in store.watch():
        heard.append(ended)


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", ["redis", "redis-cluster"])
async def test_an_end_is_told_at_once(servers: Servers, kind: str) -> None:
    namespace = secrets.token_hex(4)
    here, there = (make_store(kind, servers.url(kind), namespace) for _ in range(2))
    heard: list[Any] = []
    task = asyncio.create_task(watching(here, heard))  # type: ignore[arg-type]
    await until(lambda: heard == [[]])
    await there.add(a_session())
    await there.revoke(a_session().id, reason="test", now=NOW + 0.123456)
    await until(lambda: len(heard) > 1)
    assert heard[:2] == [[], [(a_session().id, NOW + 0.123456)]]
    await until(lambda: len(heard) > 3)
    assert heard[2:4] == [[], []], "it says that it lives"
    task.cancel()
    await asyncio.wait([task])
    await here.close()
    await there.close()


async def test_watching_ends_with_the_connection(server: Server) -> None:
    store, heard = RedisStore(server.url), []  # type: ignore[var-annotated]
    task = asyncio.create_task(watching(store, heard))
    await until(lambda: heard)
    server.kill()
    with pytest.raises((OSError, RedisError)):
        await asyncio.wait_for(task, 10)
    await store.close()


async def test_watching_notices_that_its_client_has_connected_again(server: Server) -> None:
    client = Redis.from_url(server.url)  # tries again by itself, and says nothing of what it has missed
    store, heard = RedisStore(client), []  # type: ignore[var-annotated]
    task = asyncio.create_task(watching(store, heard))
    await until(lambda: heard)
    async with Redis.from_url(server.url) as other:
        await other.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    with pytest.raises((OSError, RedisError)):
        await asyncio.wait_for(task, 10)
    await client.aclose()


async def test_watching_notices_silence(server: Server) -> None:
    store, heard = RedisStore(server.url), []  # type: ignore[var-annotated]
    task = asyncio.create_task(watching(store, heard))
    await until(lambda: heard)
    server.pause()
    began = asyncio.get_running_loop().time()
    with pytest.raises((OSError, RedisError)):
        await asyncio.wait_for(task, 10)
    assert asyncio.get_running_loop().time() - began < 6
    server.resume()
    await store.close()


async def test_it_heals_when_the_server_comes_back(server: Server) -> None:
    store = RedisStore(server.url, timeout=1)
    await store.add(a_session())
    server.kill()
    for _ in range(3):
        with pytest.raises((OSError, RedisError)):
            await store.get(a_session().id)
    server.start()
    assert await store.get(a_session().id) == a_session()
    assert (await store.advance(a_step(a_session())))[0], "though the server has forgotten the script"
    await store.close()


async def test_a_server_that_hangs_holds_nobody_for_long(server: Server) -> None:
    store = RedisStore(server.url, timeout=0.3)
    await store.add(a_session())
    server.pause()
    began = asyncio.get_running_loop().time()
    outcomes = await asyncio.gather(*(store.get(a_session().id) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, (OSError, RedisError)) for outcome in outcomes)
    assert asyncio.get_running_loop().time() - began < 2
    server.resume()
    assert await store.get(a_session().id) == a_session()
    await store.close()


async def test_replicas_that_must_have_it(server: Server) -> None:
    with Server("--replicaof", "127.0.0.1", f"{server.port}") as replica:
        async with Redis.from_url(replica.url, decode_responses=True) as client:
            async with asyncio.timeout(20):
                while (await client.info("replication"))["master_link_status"] != "up":
                    await asyncio.sleep(0.05)
            store = RedisStore(server.url, wait_replicas=1, wait_timeout=0.3)
            await store.add(a_session())
            assert await client.exists(store._keys.session(a_session().id)), "it is there as soon as it was answered"
            replica.pause()
            with pytest.raises(RedisError, match="0 of 1 replicas"):
                await store.advance(a_step(a_session()))
            row = await store.get(a_session().id)
            assert row is not None, "reading waits for nobody"
            assert row.generation == 1, "it may have happened: the same token is answered again"
            replica.resume()
            await store.close()


async def test_a_replica_does_not_say_what_there_is_not(server: Server) -> None:
    """After a fail-over somebody may still be asking it: an old row, or none, would log people out."""
    with Server("--replicaof", "127.0.0.1", "1") as replica:
        store = RedisStore(replica.url)
        asked = (
            store.advance(a_step(a_session())),
            store.note_late(a_session().id, 0),
            store.acknowledge({a_session().id: 0}),
            store.revoke(a_session().id, reason="test", now=NOW),
        )
        refusals = await asyncio.gather(*asked, return_exceptions=True)
        assert all("read only" in str(refusal) or "READONLY" in str(refusal) for refusal in refusals), refusals
        replica.say("REPLICAOF NO ONE")
        assert await store.advance(a_step(a_session())) == (False, None)
        assert replica.say("DBSIZE") == b":0\r\n"
        await store.close()


def test_a_cluster_cannot_wait_for_replicas(servers: Servers) -> None:
    with pytest.raises(ValueError, match="wait_replicas"):
        RedisStore(RedisCluster.from_url(servers.url("redis")), wait_replicas=1)


@pytest.mark.parametrize("most", [None, 3])
async def test_more_calls_at_once_than_a_clusters_client_has_connections(
    servers: Servers, prefix: str, most: int | None
) -> None:
    options = {} if most is None else {"max_connections": most}
    async with RedisCluster.from_url(servers.url("redis-cluster"), **options) as client:
        store = RedisStore(client, prefix=prefix)
        await asyncio.gather(*(store.add(a_session(number)) for number in range(600)))
        rows = await asyncio.gather(*(store.get(a_session(number).id) for number in range(600)))
        assert rows == [a_session(number) for number in range(600)]
        await store.close()


async def test_rights_to_read_are_enough_to_follow(server: Server) -> None:
    writer = RedisStore(server.url)
    await writer.add(a_session(0))
    await writer.revoke(a_session(0).id, reason="test", now=NOW)
    async with Redis.from_url(server.url) as admin:
        rights = "on >a-password resetkeys %R~jrm:* resetchannels &jrm:revoked -@all +ping +subscribe +zrangebyscore"
        await admin.execute_command("ACL", "SETUSER", "gateway", *rights.split())
    url = server.url.replace("redis://", "redis://gateway:a-password@")
    async with RevocationFeed(RedisStore(url), clock=lambda: NOW) as feed:
        assert set(feed.ended) == {a_session(0).id}
        await until(lambda: feed.status().pushed)
        await writer.add(a_session(1))
        await writer.revoke(a_session(1).id, reason="test", now=NOW)
        await until(lambda: a_session(1).id in feed.ended)
    reader = RedisStore(url)
    with pytest.raises(RedisError):
        await reader.revoke(a_session(0).id, reason="test", now=NOW)
    await reader.close()
    await writer.close()


async def test_a_password_is_nowhere_to_be_read(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = RedisStore(server.url.replace("redis://", "redis://somebody:a-password@"))
    with pytest.raises(RedisError) as refused:
        await store.open()
    server.kill()
    with pytest.raises((OSError, RedisError)) as away:
        await store.get("s")
    said = [repr(store), repr(refused.value), repr(away.value), caplog.text]
    assert "a-password" not in "".join(said)
    await store.close()


async def test_a_server_that_may_evict_sessions_is_warned_of(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with Redis.from_url(server.url) as admin:
        await admin.config_set("maxmemory", 100_000_000)
        for policy, warns in (("noeviction", False), ("allkeys-lru", True)):
            await admin.config_set("maxmemory-policy", policy)
            caplog.clear()
            store = RedisStore(server.url)
            await store.open()
            await store.close()
            assert ("may evict sessions" in caplog.text) == warns


def test_a_second_event_loop(servers: Servers, prefix: str) -> None:
    store = RedisStore(servers.url("redis"), prefix=prefix)

    async def use(number: int) -> None:
        await store.add(a_session(number))
        assert await store.get(a_session(number).id) == a_session(number)
        if number:
            await store.close()

    asyncio.run(_left_open(store, use(0)))
    asyncio.run(use(1))


async def _left_open(store: RedisStore, work: Awaitable[None]) -> None:
    await work
    await store.client.connection_pool.disconnect()  # as the end of the process would


async def test_a_session_takes_little(store: RedisStore, client: Redis) -> None:
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari"
    session = replace(
        a_session(claims={}, amr=(), scopes=("read",), subject="5f0c9a52-7b1e-4c39-9d54-000000000000"),
        id="A" * 22,
        device=Device(ip="203.0.113.7", user_agent=agent),
    )
    await store.add(session)
    assert await client.memory_usage(store._keys.session(session.id)) <= 344, (
        "and what is in it fits into 256 bytes, Redis' own included"
    )


@pytest.mark.parametrize("scopes", [(), ("read",)])
@pytest.mark.parametrize("claims", [{}, {"plan": "pro"}])
@pytest.mark.parametrize("amr", [(), ("pwd",)])
@pytest.mark.parametrize("said", [None, "", '"', "\\", "a\nb", "null", "\ud83d"])
def test_a_row_says_what_the_session_said(scopes: Any, claims: Any, amr: Any, said: str | None) -> None:
    device = Device(ip=said, user_agent=said)
    session = a_session(scopes=scopes, claims=claims, amr=amr, device=device, binding=said or "", revoked_reason=said)
    assert from_row(session.id, to_row(session)) == session


def a_row_of_before(generation: int = 0) -> bytes:
    """As it was written when there was no standing: six lines."""
    numbers = struct.pack(">iiidddd", generation, -1, -1, NOW, NOW + 7 * DAY, NOW + 30 * DAY, NOW)
    lines = ["", "", "curl\\nx", "203.0.113.7", "curl/8.0", '["user-0",["read"],{"plan":"pro"},["pwd"]]']
    return numbers + "\n".join(lines).encode()


async def test_a_row_of_before_there_was_a_standing_lives_on(store: RedisStore, client: Redis) -> None:
    session = a_session(
        device=Device(ip="203.0.113.7", user_agent="curl/8.0"),
        binding="curl\nx",
        scopes=("read",),
        claims={"plan": "pro"},
        amr=("pwd",),
    )
    key = store._keys.session(session.id)
    assert from_row(session.id, a_row_of_before()) == session
    assert to_row(session) == a_row_of_before(), "who has nothing to tell of does not get a longer row"
    for standing in (None, Standing(step_up="é\n")):
        await client.set(key, a_row_of_before())
        await client.zadd(store._keys.subject("user-0"), {session.id: NOW + 30 * DAY})
        assert await store.get(session.id) == session
        assert await store.sessions("user-0", now=NOW) == [session]
        assert await store.advance(a_step(session, expected=1)) == (False, session)
        won, moved = await store.advance(a_step(session, ip=None, standing=standing))
        assert won
        assert moved is not None
        assert moved.standing == (standing or NO_STANDING)
        assert await store.get(session.id) == moved
        assert (await client.get(key)).count(b"\n") == (5 if standing is None else 6)
        await store.acknowledge({session.id: 0})
        assert await store.note_late(session.id, 1) is True
        assert await store.revoke(session.id, reason="test", now=NOW) is True
        ended = replace(moved, acknowledged=0, late=1, revoked_at=NOW, revoked_reason="test")
        assert await store.get(session.id) == ended


async def test_a_standing_that_is_cleared_takes_no_room(store: RedisStore, client: Redis) -> None:
    await store.add(a_session(standing=Standing(acr="gold")))
    _, moved = await store.advance(a_step(a_session(), standing=Standing()))
    assert moved is not None
    assert await client.get(store._keys.session(moved.id)) == to_row(moved)
    assert to_row(moved).count(b"\n") == 5


async def test_of_many_sessions_the_newest_are_read_and_no_others(store: RedisStore, client: Redis) -> None:
    sessions = [a_session(n, subject="ann", created_at=NOW + n, ends_at=NOW + n + 30 * DAY) for n in range(200)]
    await asyncio.gather(*map(store.add, sessions))
    listed: list[Session] = []

    async def ask(most: int) -> None:
        listed[:] = await store.sessions("ann", now=NOW, most=most)

    for most, reads in ((1, 32), (5, 32), (40, 40)):
        assert await commands_of(client, ask(most)) == ["ZRANGE", *["GET"] * reads]
        assert listed == sessions[-most:]
    for session in sessions[40:]:
        await store.revoke(session.id, reason="test", now=NOW)
    assert await commands_of(client, ask(5)) == ["ZRANGE", *["GET"] * 200], "32, 64, and the rest"
    assert listed == sessions[35:40]


async def test_closing_while_it_opens_leaves_no_connection(servers: Servers, prefix: str) -> None:
    opens = RedisStore(servers.url("redis"), prefix=prefix)
    ask, asked, may_go_on = opens.client.execute_command, asyncio.Event(), asyncio.Event()

    async def slowly(*words: Any, **options: Any) -> Any:
        asked.set()
        await may_go_on.wait()
        return await ask(*words, **options)

    opens.client.execute_command = slowly
    opening = asyncio.create_task(opens.open())
    await asked.wait()
    opening.cancel()  # it took too long
    closing = asyncio.create_task(opens.close())
    await asyncio.wait([opening])
    await asyncio.sleep(0.01)
    may_go_on.set()
    await closing
    await asyncio.sleep(0.1)
    assert not any(one.is_connected for one in opens.client.connection_pool._available_connections)
