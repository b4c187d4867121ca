"""Looking at Redis: PING, INFO, TIME and one GET."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from redis.asyncio import RedisCluster
from redis.exceptions import RedisError

from ..issuer import Issuer
from ..stores.redis import RedisStore
from .clocks import judged, measured
from .closing import closed
from .findings import Finding
from .store_findings import EVICTS, FORGETS, REPLICA

_NOBODY = "doctor"


def place(store: RedisStore) -> str:
    """Which store it is, for a finding: without the password that its URL may have."""
    if isinstance(store.client, RedisCluster):
        return "RedisStore (cluster)"
    pool = store.client.connection_pool
    said: Mapping[str, Any] = pool.connection_kwargs
    if service := getattr(pool, "service_name", None):
        return f"RedisStore {service}"
    if "path" in said:
        return f"RedisStore {said['path']}"
    return f"RedisStore {said.get('host', 'localhost')}:{said.get('port', 6379)}"


async def look(store: RedisStore, issuer: Issuer, where: str) -> AsyncIterator[Finding]:
    """What is wrong with the server, or with any of a cluster."""
    try:
        await store.get(_NOBODY)
        for server in await _said(store):
            for finding in _judge(server, where):
                yield finding
        for finding in judged(await measured(lambda: _time(store), issuer.clock), issuer, where):
            yield finding
    finally:
        await closed(store.close())
        if not isinstance(store.client, RedisCluster):
            await closed(store.client.connection_pool.disconnect())
        else:
            await closed(store.client.aclose())


async def _said(store: RedisStore) -> list[Mapping[str, Any]]:
    """What each server says of itself; nothing where that may not be asked."""
    try:
        said: Any = await store.client.info()
    except RedisError:
        return []
    return [said] if "redis_version" in said else [one for one in said.values() if isinstance(one, Mapping)]


def _judge(server: Mapping[str, Any], where: str) -> Iterator[Finding]:
    policy = str(server.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        is_limited = int(server.get("maxmemory", 0)) > 0
        summary = f"maxmemory-policy is {policy}" + ("" if is_limited else ", though maxmemory is not set yet")
        yield EVICTS.found(summary, where, severity="error" if is_limited else "warning")
    if not int(server.get("aof_enabled", 1)):
        yield FORGETS.found("appendonly is no", where)
    if server.get("role") in ("slave", "replica") and not server.get("cluster_enabled"):
        yield REPLICA.found("it is a replica", where)


async def _time(store: RedisStore) -> float:
    said: Any = await store.client.time()
    if isinstance(said, Mapping):
        said = next(iter(said.values()))
    return float(said[0]) + float(said[1]) / 1e6
