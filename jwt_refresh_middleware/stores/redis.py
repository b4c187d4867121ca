"""Sessions in Redis or Valkey, on one server or in a cluster.

What a crash of the server loses is up to its settings. With ``appendonly yes`` and ``appendfsync always`` nothing that
was answered is lost; with ``everysec``, the default, up to about a second of writes is: a rotation that was lost comes
back as ``generation_ahead`` and logs nobody out, but until then the token before it is good again, and so is a session
that was ended in that second. Without an append-only file a restart logs everybody out. A fail-over to a replica loses
what had not reached it; ``wait_replicas`` waits until it has. ``maxmemory-policy`` must be ``noeviction``: evicting a
session logs somebody out.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ..concurrency import SingleFlight
from ..sessions import Session
from . import redis_rows as rows
from .base import Advance
from .redis_calls import Call, Calls, ClusterCalls, as_utf8
from .redis_cleaning import Cleaning
from .redis_rows import GRACE, Keys, from_row, text, to_row

log = logging.getLogger("jwt_refresh_middleware")

_CONNECTIONS = 16
_PIECE = 32
_BEAT = 1.0
_SILENCE = 3.0


class RedisStore:
    """A :class:`SessionStore` in Redis 6.2 or newer, or Valkey.

    Rows expire by themselves, a day after their sessions. Scripts touch keys of one slot only, so a cluster will do.
    Other processes learn of an ended session at once, by :meth:`watch`.

    Attributes:
        client: the client.
    """

    def __init__(
        self,
        client: str | Redis | RedisCluster,
        *,
        prefix: str = "jrm:",
        timeout: float = 5.0,
        wait_replicas: int = 0,
        wait_timeout: float = 1.0,
    ) -> None:
        """Connects to nothing yet.

        Args:
            client: a URL (``redis://``, ``rediss://`` or ``unix://``), or a client of your own, which :meth:`close`
                leaves open: a ``Redis`` (also what a ``Sentinel`` gives for its master) or a ``RedisCluster``.
            prefix: what the names of all keys begin with. Default ``jrm:``.
            timeout: seconds that a round trip may take before its connection is given up. Default 5.
            wait_replicas: how many replicas must have a write before it counts (``WAIT``). Not for clusters. Default 0.
            wait_timeout: seconds to wait for them. Default 1.

        Raises:
            ValueError: a URL of another kind, a prefix with braces, or replicas to wait for in a cluster.
        """
        self._keys = Keys(prefix)
        self._timeout = timeout
        self._url = client if isinstance(client, str) else None
        self._wait = (wait_replicas, wait_timeout)
        self._opening = SingleFlight()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cleaning = Cleaning(self._keys, self._run)
        if wait_replicas and isinstance(client, RedisCluster):
            raise ValueError("wait_replicas: a cluster's client cannot wait on the connection that it has written to")
        self._take(self._connect() if isinstance(client, str) else client)

    def _connect(self) -> Redis:
        assert self._url is not None
        # No attempt of the client's own: whoever asks has to know when it is unknown what happened.
        never = Retry(NoBackoff(), 0)
        patience: dict[str, Any] = {"socket_timeout": self._timeout, "socket_connect_timeout": self._timeout}
        return Redis.from_url(self._url, retry=never, max_connections=_CONNECTIONS, **patience)

    def _take(self, client: Redis | RedisCluster) -> None:
        self.client = client
        self._calls: Calls | ClusterCalls
        if isinstance(client, RedisCluster):
            self._calls = ClusterCalls(client, timeout=self._timeout)
        else:
            replicas, patience = self._wait
            self._calls = Calls(client, timeout=self._timeout, wait_replicas=replicas, wait_timeout=patience)

    def __repr__(self) -> str:
        return f"RedisStore({type(self.client).__name__}, channel={self._keys.channel!r})"

    async def open(self) -> None:
        """See :meth:`SessionStore.open`. Rights to read will do. Raises what the client raises."""
        if self._loop is not asyncio.get_running_loop():
            await self._opening.run(self._open)

    async def _open(self) -> None:
        if self._url is not None and self._loop is not None:  # connections belong to an event loop that is gone
            self._take(self._connect())
        async with asyncio.timeout(self._timeout):
            await self.client.execute_command("PING")
            await self._look_at_memory()
        self._loop = asyncio.get_running_loop()

    async def _look_at_memory(self) -> None:
        try:
            said: dict[str, Any] = await self.client.info("memory")
        except RedisError:  # not allowed to ask
            return
        for one in [said] if "maxmemory_policy" in said else said.values():
            policy = one.get("maxmemory_policy", "noeviction") if isinstance(one, dict) else "noeviction"
            if policy != "noeviction" and int(one.get("maxmemory", 0)):
                log.warning("Redis may evict sessions, which logs people out: maxmemory-policy is %s", policy)

    async def close(self) -> None:
        """See :meth:`SessionStore.close`. A client of your own stays open."""
        await self._opening.finish()
        await self._calls.finish()
        if self._url is not None:
            await self.client.aclose()
            self._loop = None

    async def _run(self, call: Call) -> Any:
        if self._loop is not asyncio.get_running_loop():
            await self.open()
        return await self._calls.run(call)

    async def add(self, session: Session) -> None:
        """See :meth:`SessionStore.add`."""
        now = session.last_used_at
        key, left = self._keys.session(session.id), _milliseconds(session.expires_at - now + GRACE)
        lasts, gone = _milliseconds(session.ends_at - now + GRACE), now - GRACE
        # A whole second as the score: Redis keeps a short list as text, and this as a number of a few bytes.
        member = (self._keys.subject(session.subject), session.id, math.ceil(session.ends_at), gone, lasts)
        # First the list: a crash in between leaves a name that nothing is found under, not a session nobody can end.
        listing = Call(member, rows.INDEX, writes=True)
        adding = Call((key, to_row(session), left), rows.ADD, writes=True)
        if isinstance(self._calls, ClusterCalls):
            await self._run(listing)
            added = await self._run(adding)
        else:
            _, added = await asyncio.gather(self._run(listing), self._run(adding))
        if not added:
            raise ValueError("a session with this id exists")

    async def get(self, session_id: str) -> Session | None:
        """See :meth:`SessionStore.get`."""
        row = await self._run(Call(("GET", self._keys.session(session_id))))
        return None if row is None else from_row(session_id, row)

    async def advance(self, step: Advance) -> tuple[bool, Session | None]:
        """See :meth:`SessionStore.advance`."""
        ident = step.session_id
        words = (self._keys.session(ident), *rows.step_words(step))
        won, *row = await self._run(Call(words, rows.ADVANCE, writes=True))
        return bool(won), from_row(ident, row[0]) if row else None

    async def note_late(self, session_id: str, generation: int) -> bool:
        """See :meth:`SessionStore.note_late`."""
        words = (self._keys.session(session_id), generation)
        (noted,) = await self._run(Call(words, rows.NOTE_LATE, writes=True))
        return bool(noted)

    async def acknowledge(self, generations: Mapping[str, int]) -> None:
        """See :meth:`SessionStore.acknowledge`."""
        key = self._keys.session
        calls = (Call((key(ident), to), rows.ACKNOWLEDGE, writes=True) for ident, to in generations.items())
        await asyncio.gather(*map(self._run, calls))

    async def revoke(self, session_id: str, *, reason: str, now: float) -> bool:
        """See :meth:`SessionStore.revoke`."""
        return await self._end(session_id, reason, now) is not None

    async def _end(self, session_id: str, reason: str, now: float) -> float | None:
        """When the session would have expired, None if this call has not ended it."""
        keys = self._keys
        words = (keys.session(session_id), keys.feed(session_id), now, text(reason), session_id, keys.channel)
        ended, *expires_at = await self._run(Call(words, rows.REVOKE, keys=2, writes=True))
        return float(expires_at[0]) if ended else None

    async def revoke_subject(
        self, subject: str, *, reason: str, now: float, keep: str | None = None
    ) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revoke_subject`."""
        ids = [ident for ident in await self._of_subject(subject) if ident != keep]
        ends = await asyncio.gather(*(self._end(ident, reason, now) for ident in ids))
        return [(ident, end) for ident, end in zip(ids, ends, strict=True) if end is not None]

    async def sessions(self, subject: str, *, now: float, most: int | None = None) -> list[Session]:
        """See :meth:`SessionStore.sessions`."""
        ids = await self._of_subject(subject)
        live: list[Session] = []
        # Ids come by when their sessions have to end, to the second. Where all are given the same time, who ends last
        # began last: so rows are read from that end, a piece at a time, until there are enough that live. Where
        # sessions of one subject are given different times, the newest are looked for among the last piece or two.
        piece = len(ids) if most is None else max(most, _PIECE)
        while ids and (most is None or len(live) < most):
            found = await asyncio.gather(*map(self.get, ids[-piece:]))
            live += [session for session in found if session is not None and session.is_live(now)]
            ids, piece = ids[:-piece], piece * 2
        live.sort(key=lambda session: (session.created_at, session.id))
        return live if most is None else live[-most:]

    async def _of_subject(self, subject: str) -> list[str]:
        members = await self._run(Call(("ZRANGE", self._keys.subject(subject), 0, -1)))
        return [member.decode() for member in members]

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        """See :meth:`SessionStore.revocations`."""
        await self.open()
        words = (since, "+inf", "WITHSCORES")
        answers = await self._all_at_once(("ZRANGEBYSCORE", feed, *words) for feed in self._keys.feeds)
        return [(member.decode(), float(at)) for answer in answers for member, at in _pairs(answer)]

    async def _all_at_once(self, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
        """What the servers answer; on a connection of its own, so that no refresh has to wait behind it."""
        async with asyncio.timeout(self._timeout):
            pipeline = self.client.pipeline(transaction=False)
            for words in commands:
                pipeline.execute_command(*as_utf8(words), NEVER_DECODE=[])
            answers: list[Any] = await pipeline.execute()
            return answers

    async def watch(self) -> AsyncGenerator[list[tuple[str, float]], None]:
        """See :meth:`PushedRevocations.watch`."""
        await self.open()
        loop = asyncio.get_running_loop()
        pubsub = self.client.pubsub()
        try:
            await pubsub.subscribe(self._keys.channel)
            heard, subscribed = loop.time(), False
            while True:
                message = await pubsub.get_message(timeout=_BEAT)
                if message is None:
                    if loop.time() - heard > _SILENCE:
                        raise ConnectionError("the connection that revocations come by is silent")
                    await pubsub.ping()
                    continue
                heard = loop.time()
                if message["type"] == "subscribe" and subscribed:  # the client has connected again by itself
                    raise ConnectionError("the connection that revocations come by was interrupted")
                subscribed = True
                yield [_read(message["data"])] if message["type"] == "message" else []
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def purge(self, before: float) -> int:
        """See :meth:`SessionStore.purge`. Rows expire by themselves; this finds those that a test's clock has left."""
        await self.open()
        return await self._cleaning.clean(self.client, before)

    @property
    def is_purging(self) -> bool:
        """See :class:`PiecewisePurge`."""
        return self._cleaning.is_under_way


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _pairs(answer: list[Any]) -> Iterable[tuple[bytes, Any]]:
    """Members with their scores: a flat list in the older protocol, pairs in the newer."""
    if answer and isinstance(answer[0], (list, tuple)):
        return ((member, score) for member, score in answer)
    return zip(answer[::2], answer[1::2], strict=True)


def _read(data: bytes | str) -> tuple[str, float]:
    said = data.decode() if isinstance(data, bytes) else data
    at, _, session_id = said.partition(" ")
    return session_id, float(at)
