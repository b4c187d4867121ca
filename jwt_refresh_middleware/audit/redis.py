"""An audit log in Redis or Valkey, as a stream: ``XREAD`` and consumer groups hand it on to whatever collects logs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ..concurrency import SingleFlight
from ..encoding import json_quoted, json_text
from . import KEEP, AuditEntry
from .rows import checked

_CONNECTIONS = 4
_PAGE = 1000
_MOST_READ = 100_000
_PURGE_AT_ONCE = 1000
_LATE = 3600.0
"""Seconds that an entry may have waited before it came here."""
_REMEMBER = 3600
_PLAIN = ("id", "name", "at", "subject", "session_id", "ip", "user_agent")
_BYTES: dict[str, Any] = {"NEVER_DECODE": []}
"""Answers come as bytes, whatever the client does otherwise."""

# KEYS: the stream, and what says that this batch is in it. ARGV: most, how long to remember that, then the time (ms)
# and the text of each entry. A stream's ids only grow: an entry older than the last one gets the next id after it.
_WRITE = """
if not redis.call('SET', KEYS[2], '', 'NX', 'EX', ARGV[2]) then return 0 end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local ms, seq = 0, 0
if last[1] then
    ms, seq = last[1][1]:match('(%d+)-(%d+)')
    ms, seq = tonumber(ms), tonumber(seq)
end
for i = 3, #ARGV, 2 do
    local at = tonumber(ARGV[i])
    if at > ms then ms, seq = at, 0 else seq = seq + 1 end
    redis.call('XADD', KEYS[1], string.format('%.0f-%.0f', ms, seq), 'entry', ARGV[i + 1])
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
return 1
"""


class RedisAudit:
    """An :class:`AuditLog` in Redis 6.2 or newer, or Valkey: one stream, ``jrm:{audit}``.

    Each entry of the stream has one field, ``entry``: an :class:`AuditEntry` as a JSON object. A stream has no index:
    :meth:`entries` looks through it from its end, at most 100 000 entries far, whomever they are about. If that is not
    enough, have something read the stream that has an index. What a crash of the server loses is up to its settings.

    Attributes:
        client: the client.
        keep: as in :class:`AuditLog`.
        everything: as in :class:`AuditLog`.
    """

    def __init__(
        self,
        client: str | Redis | RedisCluster,
        *,
        keep: timedelta | None = KEEP,
        most: int = 1_000_000,
        everything: bool = False,
        prefix: str = "jrm:",
        timeout: float = 5.0,
    ) -> None:
        """Connects to nothing yet.

        Args:
            client: a URL (``redis://``, ``rediss://`` or ``unix://``), or a client of your own, which :meth:`close`
                leaves open.
            keep: how long entries are kept; None for ever. Default 90 days.
            most: about how many entries are kept; of more, the oldest are dropped. Default a million.
            everything: whether ``rotated`` and ``repeated`` are kept too. Default False.
            prefix: what the names of all keys begin with. Default ``jrm:``.
            timeout: seconds that a round trip may take. Default 5.

        Raises:
            ValueError: a URL of another kind, a prefix with braces, or ``keep`` is no length of time.
        """
        if "{" in prefix or "}" in prefix:
            raise ValueError(f"a prefix has no braces, unlike {prefix!r}")
        self.keep = checked(keep)
        self.everything = everything
        self._stream = f"{prefix}{{audit}}"
        self._most = most
        self._timeout = timeout
        self._url = client if isinstance(client, str) else None
        self._opening = SingleFlight()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.client = self._connect(client) if isinstance(client, str) else client

    def _connect(self, url: str) -> Redis:
        once = Retry(
            NoBackoff(), 1
        )  # of what is done here, all may be done twice; so a restart of the server is no news
        patience: dict[str, Any] = {"socket_timeout": self._timeout, "socket_connect_timeout": self._timeout}
        pool = BlockingConnectionPool.from_url(url, retry=once, max_connections=_CONNECTIONS, timeout=None, **patience)
        return Redis.from_pool(pool)

    def __repr__(self) -> str:
        return f"RedisAudit({type(self.client).__name__}, stream={self._stream!r})"

    async def open(self) -> None:
        """See :meth:`AuditLog.open`. Raises what the client raises."""
        if self._loop is not asyncio.get_running_loop():
            await self._opening.run(self._open)

    async def _open(self) -> None:
        if self._url is not None and self._loop is not None:  # connections belong to an event loop that is gone
            self.client = self._connect(self._url)
        async with asyncio.timeout(self._timeout):
            await self.client.execute_command("PING")
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """See :meth:`AuditLog.close`. A client of your own stays open."""
        await self._opening.finish()
        if self._url is not None:
            await self.client.aclose()
            self._loop = None

    async def _ask(self, *words: Any) -> Any:
        await self.open()
        async with asyncio.timeout(self._timeout):
            return await self.client.execute_command(*words, **_BYTES)

    async def write(self, entries: Sequence[AuditEntry]) -> None:
        """See :meth:`AuditLog.write`. A repeated call is recognised for an hour, by the first and last of its ids."""
        if not entries:
            return
        words: list[Any] = []
        for entry in entries:
            words += (max(0, int(entry.at * 1000)), _to_text(entry))
        done = f"{self._stream}:{entries[0].id}:{entries[-1].id}"
        await self._ask("EVAL", _WRITE, 2, self._stream, done, self._most, _REMEMBER, *words)

    async def entries(
        self,
        *,
        subject: str | None = None,
        session_id: str | None = None,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        most: int = 100,
    ) -> list[AuditEntry]:
        """See :meth:`AuditLog.entries`. Looks through 100 000 entries at most, those that came last first.

        It looks no farther back than ``since``, and begins an hour after ``until``: an entry that came later than
        that, since the server was away for so long, is not found by ``until``. If there are more than ``most``, those
        that came last are returned, sorted by their own time.
        """
        found: list[AuditEntry] = []
        latest = "+" if until is None else f"{_milliseconds(until + _LATE)}"
        earliest = "-" if since is None else f"{_milliseconds(since - _LATE)}"
        said = {"subject": subject, "session_id": session_id, "name": name}
        needles = [f'"{field}":{json_quoted(value)}'.encode() for field, value in said.items() if value is not None]
        async for text in self._back(latest, earliest):
            if not all(needle in text for needle in needles):  # most are not read, which would take far longer
                continue
            entry = _from_text(text)
            if (
                (subject is None or entry.subject == subject)
                and (session_id is None or entry.session_id == session_id)
                and (name is None or entry.name == name)
                and (since is None or entry.at >= since)
                and (until is None or entry.at < until)
            ):
                found.append(entry)
                if len(found) >= most:
                    break
        return sorted(found, key=lambda entry: (entry.at, entry.id), reverse=True)[:most]

    async def _back(self, latest: str, earliest: str) -> AsyncIterator[bytes]:
        """The texts of entries, the last ones first."""
        for _ in range(_MOST_READ // _PAGE):
            page = await self._ask("XREVRANGE", self._stream, latest, earliest, "COUNT", _PAGE)
            for _, fields in page:
                yield fields[b"entry"]
            if len(page) < _PAGE:
                return
            latest = f"({page[-1][0].decode()}"

    async def purge(self, before: float) -> int:
        """See :meth:`AuditLog.purge`. At most about 1000 entries a call.

        What came late goes when that goes which came just before it; so does what came after an entry of a process
        whose clock was ahead.
        """
        first_kept = f"{_milliseconds(before) + 1}"
        # Whole nodes of the stream as long as there are any, which is cheap; then what is over in the node after.
        whole: int = await self._ask("XTRIM", self._stream, "MINID", "~", first_kept, "LIMIT", _PURGE_AT_ONCE)
        return whole or int(await self._ask("XTRIM", self._stream, "MINID", "=", first_kept))


def _milliseconds(at: float) -> int:
    return max(0, int(at * 1000))


def _to_text(entry: AuditEntry) -> str:
    """JSON in ASCII; what is None, or empty, is left out."""
    said = {name: getattr(entry, name) for name in _PLAIN} | {"details": dict(entry.details) or None}
    return json_text({name: value for name, value in said.items() if value is not None})


def _from_text(text: bytes) -> AuditEntry:
    said: dict[str, Any] = json.loads(text)
    if "details" in said:
        said["details"] = MappingProxyType(said["details"])
    return AuditEntry(**said)
