"""Group H, what a store keeps: H18, that it keeps it; H24, that it is worth nothing to a thief; H25, how much it is."""

import base64
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis as RedisClient
from redis.asyncio import RedisCluster
from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import create_async_engine

from jwt_refresh_middleware import MemoryStore
from jwt_refresh_middleware.refresh import RefreshSigner
from jwt_refresh_middleware.stores.sqlite import SQLiteStore

from ..kinds import KINDS, Servers, make_store
from ..leakage.pieces import windows
from ..servers import DatabaseServer, MariaDB, Postgres, Redis
from ..web.problems import assert_problem
from ..web.support import SECRET, CountingStore, Service, Tokens
from .test_h_life_cycle import line, nothing_lives, renewed
from .test_h_stores import over

MakeService = Callable[..., Service]
SERVERS = {
    "H18-redis": ("redis", Redis),
    "H18-postgresql": ("postgresql", Postgres),
    "H18-mariadb": ("mariadb", MariaDB),
}


@pytest.mark.parametrize(("kind", "server"), SERVERS.values(), ids=SERVERS)
async def test_what_is_spent_or_ended_is_so_after_the_database_was_killed(
    make_service: MakeService, kind: str, server: type[DatabaseServer]
) -> None:
    if reason := server.missing():
        pytest.skip(reason)
    with server() as running:
        url: str = running.url  # type: ignore[attr-defined]
        before = make_service(issuer=over(make_store(kind, url, "killed")))
        held, goes_on, ended = await line(before, 2), await line(before, 2), await line(before, 1)
        assert (await before.post("logout", headers=ended[-1].by_cookie)).status == 200
        await before.aclose()
        running.kill()
        running.start()
        after = make_service(issuer=over(make_store(kind, url, "killed")))
        await renewed(after, goes_on[-1])
        await nothing_lives(after, ended)
        assert_problem(await after.post("refresh", headers=held[0].by_cookie), "refresh_invalid")
        await nothing_lives(after, held)
        assert await after.event_names() == ["rotated", "reuse_detected", "revoked"]
        await after.aclose()


@pytest.fixture(params=[pytest.param(kind, id=f"H24-{kind}") for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if reason := Servers.missing(name):
        pytest.skip(reason)
    return name


async def dump(kind: str, store: Any, url: str, namespace: str) -> bytes:
    """Everything that somebody finds who has the database, as it is there."""
    if kind == "memory":
        return repr(vars(store)).encode()
    if kind == "sqlite":
        return b"".join(path.read_bytes() for path in Path(url).glob(f"{namespace}.db*"))
    if kind.startswith("redis"):
        return await _of_redis(RedisCluster if kind == "redis-cluster" else RedisClient, url, namespace)
    return await _of_sql(url, namespace)


async def _of_redis(client: Any, url: str, namespace: str) -> bytes:
    found = []
    async with client.from_url(url) as redis:
        async for key in redis.scan_iter(match=f"*{namespace}*"):
            kind = await redis.type(key)
            if kind == b"hash":
                value: Any = await redis.hgetall(key)
            elif kind == b"zset":
                value = await redis.zrange(key, 0, -1, withscores=True)
            elif kind == b"set":
                value = await redis.smembers(key)
            elif kind == b"stream":
                value = await redis.xrange(key)
            else:
                assert kind == b"string", kind
                value = await redis.get(key)
            found += [key, *_flat(value)]
    return b"\n".join(found)


def _flat(value: Any) -> Iterator[bytes]:
    """The bytes in whatever a client makes of an answer."""
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, (list, tuple, set)):
        for one in value:
            yield from _flat(one)
    elif isinstance(value, bytes):
        yield value
        yield value.hex().encode()
    else:
        yield str(value).encode()


async def _of_sql(url: str, namespace: str) -> bytes:
    engine, metadata = create_async_engine(url), MetaData()
    async with engine.connect() as connection:
        await connection.run_sync(metadata.reflect)
        tables = [table for name, table in metadata.tables.items() if namespace in name]
        rows = [row for table in tables for row in await connection.execute(select(table))]
    await engine.dispose()
    return b"\n".join(_flat([tuple(row) for row in rows]))


def spellings(raw: bytes) -> list[str]:
    """A secret as somebody may have written it down."""
    standard = base64.b64encode(raw).decode().rstrip("=")
    return [raw.hex(), standard, standard.replace("+", "-").replace("/", "_"), repr(raw)[2:-1]]


async def test_a_stolen_database_is_worth_no_token(make_service: MakeService, kind: str, servers: Servers) -> None:
    url, namespace = servers.url(kind), f"rest{secrets.token_hex(4)}"
    store = make_store(kind, url, namespace)
    service = make_service(issuer=over(store))
    held = [*await line(service, 3), *await line(service, 1)]
    for tokens in held:
        await service.get_in(tokens)
    await service.issuer.flush()
    await service.post("logout", headers=held[-1].by_cookie)
    found = await dump(kind, store, url, namespace)
    said = found.decode("latin-1")
    assert all((service.issuer.session_id_of(tokens.refresh) or "") in said for tokens in (held[0], held[-1]))
    signer = RefreshSigner(service.issuer.verifier.keys)
    handles = [signer.read(tokens.refresh).handle for tokens in held]
    assert not any(handle in found for handle in handles)
    pieces = windows(said)
    for secret in [SECRET, *(text for tokens in held for text in (tokens.refresh, tokens.access))]:
        assert not pieces & windows(secret)
    for secret in (text for handle in handles for text in spellings(handle)):
        assert not pieces & windows(secret)
    await _tried(service, said)
    assert (await service.post("refresh", headers=held[3].by_cookie)).status == 200


async def _tried(service: Service, said: str) -> None:
    """Everything in it that might be a token is presented as one."""
    words = sorted(set(re.findall(r"[\w.~+/=-]{16,}", said, re.ASCII)))
    assert words
    for word in words:
        assert_problem(await service.post("refresh", json_body={"refresh_token": word}), "refresh_invalid")
        assert_problem(await service.ask("GET", "/x", headers={"authorization": f"Bearer {word}"}), "token_invalid")


async def grown(service: Service, generations: int) -> list[Tokens]:
    """The first and the last token of a new session that was refreshed so often."""
    first = last = await service.login()
    for _ in range(generations):
        last = await renewed(service, last)
    return [first, last]


@pytest.mark.parametrize(
    ("make", "generations"),
    [
        pytest.param(lambda _: MemoryStore(), 2000, id="H25-memory"),
        pytest.param(lambda path: SQLiteStore(path / "sessions.db"), 200, id="H25-sqlite"),
    ],
)
async def test_a_session_of_many_generations_is_one_row_and_ends_like_any_other(
    make_service: MakeService, tmp_path: Path, make: Callable[[Path], Any], generations: int
) -> None:
    store = CountingStore(make(tmp_path))
    service = make_service(issuer=over(store))  # type: ignore[arg-type]
    young, rows, costs = await grown(service, 2), [], []
    store.calls.clear()
    old = await grown(service, generations)
    assert store.calls == ["add", *["advance"] * generations]
    for first, last in (young, old):
        rows.append(repr(await service.issuer.session_of(last.refresh)))
        store.calls.clear()
        assert_problem(await service.post("refresh", headers=first.by_cookie), "refresh_invalid")
        costs.append(list(store.calls))
        await nothing_lives(service, [last])
    assert costs == [["advance", "revoke"]] * 2
    assert len(rows[1]) - len(rows[0]) <= len(str(generations)), "the row says no more than it did"
    assert len(old[1].refresh) == len(old[0].refresh)
    assert await store.purge(service.clock() + 1e9) == 2, "there are no others"
