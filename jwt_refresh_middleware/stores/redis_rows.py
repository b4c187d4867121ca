"""How a session lies in Redis: its keys, its row, and the scripts that change it.

A row is one text of lines. The numbers that scripts compare and replace come first, then what they only move, as JSON,
which has no line ends inside. One string is half the size of a hash here: a browser's user agent is longer than the 64
bytes up to which Redis packs the fields of a hash together. Scripts compare numbers, but copy their text: it comes back
to the last digit.
"""

import json
import re
from binascii import crc32
from collections.abc import Iterable
from hashlib import sha1
from json.encoder import encode_basestring, encode_basestring_ascii
from types import MappingProxyType
from typing import Any

from ..encoding import json_text
from ..sessions import NO_CLAIMS, Device, Session
from ..values import quick

SHARDS = 256
"""Sessions are spread over so many slots of a cluster. The revocations of a shard lie in the same slot, so that one
script ends a session and says so."""
GRACE = 86_400.0
"""Seconds that a row outlives its session, so that a late client learns ``refresh_expired``."""

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_FIELDS = (
    "generation", "acknowledged", "late", "last", "expires", "ends", "created", "revoked", "reason", "binding", "ip",
    "agent", "rest",
)  # fmt: skip
_PATTERN = "^" + "\\n".join(["([^\\n]*)"] * len(_FIELDS)) + "$"
_NAMES = ", ".join(_FIELDS)
_READ = f"""
local row = redis.call('GET', KEYS[1])
if not row then return {{0}} end
local {_NAMES} = string.match(row, '{_PATTERN}')
"""
_JOIN = f"table.concat({{{_NAMES}}}, '\\n')"

_device = quick(Device)
_session = quick(Session)


class Script:
    """A Lua script and the name that Redis knows it by once it has seen it."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


ADD = Script("""
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
""")
"""Keep a row. The same row again is the same call again, whose answer was lost."""

INDEX = Script("""
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1
""")
"""Note a session of a subject, forget those whose rows are gone, and live as long as the one that lives longest."""

ADVANCE = Script(f"""{_READ}
local allowed = false
for number = 9, #ARGV do allowed = allowed or binding == ARGV[number] end
local now = tonumber(ARGV[3])
if not allowed or generation ~= ARGV[1] or revoked ~= '' or tonumber(expires) <= now then return {{0, row}} end
generation, last, expires = ARGV[2], ARGV[3], ARGV[4]
if tonumber(expires) > tonumber(ends) then expires = ends end
if ARGV[6] ~= '' then ip = ARGV[6] end
if ARGV[7] ~= '' then agent = ARGV[7] end
if ARGV[8] ~= '' then binding = ARGV[8] end
row = {_JOIN}
redis.call('SET', KEYS[1], row, 'PX', math.max(1, math.ceil((tonumber(expires) - now + ARGV[5]) * 1000)))
return {{1, row}}
""")
"""The compare-and-swap."""

NOTE_LATE = Script(f"""{_READ}
if generation ~= ARGV[1] or revoked ~= '' or tonumber(acknowledged) >= tonumber(generation) then return {{0}} end
late = generation
redis.call('SET', KEYS[1], {_JOIN}, 'KEEPTTL')
return {{1}}
""")

ACKNOWLEDGE = Script(f"""{_READ}
if revoked ~= '' or tonumber(acknowledged) >= tonumber(ARGV[1]) then return {{0}} end
acknowledged = ARGV[1]
redis.call('SET', KEYS[1], {_JOIN}, 'KEEPTTL')
return {{1}}
""")

REVOKE = Script(f"""{_READ}
if revoked ~= '' then return {{0}} end
revoked, reason = ARGV[1], ARGV[2]
redis.call('SET', KEYS[1], {_JOIN}, 'KEEPTTL')
redis.call('ZADD', KEYS[2], revoked, ARGV[3])
local left = redis.call('PTTL', KEYS[1])
if redis.call('PTTL', KEYS[2]) < left then redis.call('PEXPIRE', KEYS[2], left) end
redis.call('PUBLISH', ARGV[4], revoked .. ' ' .. ARGV[3])
return {{1, expires}}
""")
"""End a session, note it for whoever asks later, and tell whoever listens now: all of it or nothing."""

PURGE = Script(f"""{_READ}
if tonumber(expires) > tonumber(ARGV[1]) then return {{0}} end
return {{redis.call('DEL', KEYS[1])}}
""")


class Keys:
    """The names of everything that a store keeps."""

    def __init__(self, prefix: str) -> None:
        """``prefix``: what all names begin with. Raises ValueError for braces, which mean something to a cluster."""
        if "{" in prefix or "}" in prefix:
            raise ValueError(f"a prefix has no braces, unlike {prefix!r}")
        self._prefix = prefix
        self.channel = f"{prefix}revoked"
        self.feeds = [f"{prefix}{{{shard:02x}}}revoked" for shard in range(SHARDS)]
        self._sessions = [f"{prefix}{{{shard:02x}}}s:" for shard in range(SHARDS)]
        self.pattern = re.sub(r"([\\*?\[\]])", r"\\\1", prefix) + "{??}s:*"

    def session(self, session_id: str) -> str:
        """Where the row of a session is."""
        return self._sessions[crc32(session_id.encode("utf-8", "surrogatepass")) % SHARDS] + session_id

    def feed(self, session_id: str) -> str:
        """Where the end of a session is noted: in the slot of its row."""
        return self.feeds[crc32(session_id.encode("utf-8", "surrogatepass")) % SHARDS]

    def subject(self, subject: str) -> str:
        """Where the sessions of a subject are listed."""
        return f"{self._prefix}u:{subject}"


def text(value: str | None) -> str:
    """``value`` as JSON; always the same for the same value."""
    if value is None:
        return "null"
    return encode_basestring_ascii(value) if _HALF_A_PAIR.search(value) else encode_basestring(value)


def to_row(session: Session) -> str:
    """The row of a session."""
    device, ended = session.device, session.revoked_at
    rest = json_text([session.subject, [*session.scopes], dict(session.claims), [*session.amr]])
    fields: Iterable[Any] = (
        session.generation, session.acknowledged, session.late, session.last_used_at, session.expires_at,
        session.ends_at, session.created_at, "" if ended is None else ended,
        "" if session.revoked_reason is None else text(session.revoked_reason), text(session.binding), text(device.ip),
        text(device.user_agent), rest,
    )  # fmt: skip
    return "\n".join(map(str, fields))


def from_row(session_id: str, row: bytes) -> Session:
    """The session of a row."""
    (generation, acknowledged, late, last, expires, ends, created, revoked, reason, binding, ip, agent, rest) = (
        row.decode().split("\n")
    )
    subject, scopes, claims, amr = json.loads(rest)
    return _session(
        session_id,
        subject,
        int(generation),
        float(created),
        float(last),
        float(expires),
        float(ends),
        _device(json.loads(ip), json.loads(agent)),
        json.loads(binding),
        tuple(scopes),
        MappingProxyType(claims) if claims else NO_CLAIMS,
        tuple(amr),
        int(acknowledged),
        int(late),
        float(revoked) if revoked else None,
        json.loads(reason) if reason else None,
    )
