"""Windows in Redis, which several processes share: those of the library ``limits``."""

from __future__ import annotations

import asyncio
import time

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_CONNECTIONS = 16
_PREFIX = "jrm-limits"


class SharedStorage:
    """The connections to Redis, of the event loop that uses them; all windows of a process share them."""

    def __init__(self, url: str, timeout: float) -> None:
        """Connects to nothing yet. ``timeout``: seconds that an answer may take. Raises ValueError for a bad URL."""
        self._url = url
        self.timeout = timeout
        self._loop: asyncio.AbstractEventLoop | None = None
        self._make()

    def _make(self) -> None:
        # No attempts of the client's own: one that was counted twice would shut people out.
        self._pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
            self._url,
            max_connections=_CONNECTIONS,
            timeout=self.timeout,
            socket_timeout=self.timeout,
            socket_connect_timeout=self.timeout,
            retry=Retry(NoBackoff(), 0),
        )
        # Of the two only the pool is used; the library is stricter about URLs than the client is.
        self._storage = RedisStorage(
            "redis://pool:6379",
            implementation="redispy",
            key_prefix=_PREFIX,
            connection_pool=self._pool,  # type: ignore[arg-type]
        )

    def get(self) -> RedisStorage:
        """The storage, in the running event loop: connections of one that is gone are left behind."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                self._make()
            self._loop = loop
        return self._storage

    async def aclose(self) -> None:
        """Close the connections; the next use opens others."""
        if self._loop is asyncio.get_running_loop():
            await self._pool.aclose()


class SharedWindow:
    """A window in Redis, by the strategy *moving window*; the time is that of the processes, which must agree on it."""

    def __init__(self, what: str, most: int, seconds: int, storage: SharedStorage) -> None:
        """``most`` entries in ``seconds``; ``what``: part of the keys' names."""
        self._item = RateLimitItemPerSecond(most, seconds, namespace=what)
        self._storage = storage

    def _limiter(self) -> MovingWindowRateLimiter:
        return MovingWindowRateLimiter(self._storage.get())

    async def take(self, key: str) -> bool:
        """See :class:`Window`. Raises what the client raises, and TimeoutError."""
        async with asyncio.timeout(self._storage.timeout):
            return await self._limiter().hit(self._item, key)

    async def give_back(self, key: str) -> None:
        """See :class:`Window`; for the library an attempt is never undone, so its list is shortened here."""
        bridge = self._storage.get().bridge
        async with asyncio.timeout(self._storage.timeout):
            await bridge.get_connection().lpop(bridge.prefixed_key(self._item.key_for(key)))  # type: ignore[attr-defined]

    async def clear(self, key: str) -> None:
        """See :class:`Window`."""
        async with asyncio.timeout(self._storage.timeout):
            await self._limiter().clear(self._item, key)

    async def wait(self, key: str) -> float:
        """See :class:`Window`."""
        async with asyncio.timeout(self._storage.timeout):
            stats = await self._limiter().get_window_stats(self._item, key)
        return max(0, stats.reset_time - time.time()) if stats.remaining <= 0 else 0
