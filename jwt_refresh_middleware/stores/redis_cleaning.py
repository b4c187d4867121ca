"""Looking for rows that are over, a piece at a time: every key comes up in the course of many pieces."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis, RedisCluster

from .redis_calls import Call
from .redis_rows import PURGE, SHARDS, Keys, expires_at, from_row

_SCAN = 5000
_FEEDS_AT_ONCE = 32
_TRIM = 100


class Cleaning:
    """Remembers how far it has come."""

    def __init__(self, keys: Keys, run: Callable[[Call], Awaitable[Any]]) -> None:
        self._keys = keys
        self._run = run
        self._scanned: dict[str, int] = {}
        self._trimmed = 0

    @property
    def is_under_way(self) -> bool:
        """Whether there are keys or feeds that it has not come to since it last began."""
        return any(self._scanned.values()) or self._trimmed > 0

    async def clean(self, client: Redis | RedisCluster, before: float) -> int:
        """Delete what has expired by ``before`` among the next piece of all keys; returns how many sessions it was."""
        found = [key.decode() if isinstance(key, bytes) else key for key in await self._some_keys(client)]
        held = await asyncio.gather(*(self._run(Call(("GET", key))) for key in found))
        over = [
            (key, from_row(self._keys.id_of(key), row))
            for key, row in zip(found, held, strict=True)
            if row is not None and expires_at(row) <= before
        ]
        answers = await asyncio.gather(*(self._run(Call((key, before), PURGE, writes=True)) for key, _ in over))
        gone = [session for (_, session), (deleted, *_) in zip(over, answers, strict=True) if deleted]
        unlisting = (("ZREM", self._keys.subject(session.subject), session.id) for session in gone)
        await asyncio.gather(*(self._run(Call(words, writes=True)) for words in unlisting))
        await self._trim_feeds(before)
        return len(gone)

    async def _some_keys(self, client: Redis | RedisCluster) -> list[Any]:
        """The next piece of all keys, of every server of a cluster."""
        keys: list[Any]
        words: dict[str, Any] = {"match": self._keys.pattern, "count": _SCAN}
        if not isinstance(client, RedisCluster):
            self._scanned[""], keys = await client.scan(self._scanned.get("", 0), **words)
            return keys
        keys = []
        for node in client.get_primaries():
            place: Any = await client.scan(self._scanned.get(node.name, 0), target_nodes=node, **words)
            self._scanned[node.name] = place[0][node.name]
            keys += place[1]
        return keys

    async def _trim_feeds(self, before: float) -> None:
        """Forget the end of sessions whose rows are gone, in some of the feeds."""
        first = self._trimmed
        self._trimmed = (first + _FEEDS_AT_ONCE) % SHARDS
        feeds = self._keys.feeds[first : first + _FEEDS_AT_ONCE]
        limit = ("LIMIT", 0, _TRIM)
        asked = (self._run(Call(("ZRANGEBYSCORE", feed, "-inf", before, *limit))) for feed in feeds)
        listed = zip(feeds, await asyncio.gather(*asked), strict=True)
        noted = [(feed, ident.decode()) for feed, ids in listed for ident in ids]
        there = await asyncio.gather(*(self._run(Call(("EXISTS", self._keys.session(ident)))) for _, ident in noted))
        over = [("ZREM", feed, ident) for (feed, ident), row in zip(noted, there, strict=True) if not row]
        await asyncio.gather(*(self._run(Call(words, writes=True)) for words in over))
