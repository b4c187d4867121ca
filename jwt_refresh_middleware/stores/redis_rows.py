"""How a session lies in Redis: its keys, its row, and the scripts that change it.

A row is one string. The numbers come first, packed: three counters and four times, which scripts compare and replace.
What follows is text, a line each: what scripts may replace, then what they only move, as JSON, which has no line ends
inside. That is half the size of a hash here: a browser's user agent is longer than the 64 bytes up to which Redis packs
the fields of a hash together. And it is less than the same as text throughout: a time is 8 bytes instead of 17.

The standing of a session is one more line, the last, where there is one to tell of: rows of before have none either.
"""

import json
import re
from binascii import crc32
from hashlib import sha1
from json.encoder import encode_basestring, encode_basestring_ascii
from struct import Struct
from types import MappingProxyType

from ..encoding import json_scan, json_text
from ..sessions import NO_CLAIMS, Device, Session
from ..standing import NO_STANDING, read_standing
from ..values import quick
from .base import Advance

SHARDS = 256
"""Sessions are spread over so many slots of a cluster. The revocations of a shard lie in the same slot, so that one
script ends a session and says so."""
GRACE = 86_400.0
"""Seconds that a row outlives its session, so that a late client learns ``refresh_expired``."""

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_EMPTY = '"'
_NUMBERS = Struct(">iiidddd")
_STEP = Struct(">iidd")
_COUNTERS_AND_TIMES = "generation, acknowledged, late, last, expires, ends, created"
_LINES = "revoked, reason, binding, ip, agent, rest"
_PATTERN = "^" + "\\n".join(["([^\\n]*)"] * len(_LINES.split(","))) + "(.*)$"
_NOTHING = NO_STANDING.text()
# Writing nothing is refused by a replica. It must not answer: it may have no rows yet, or those of long ago, and who
# still asks it after a fail-over would hear that his session is unknown.
_READ = f"""
redis.call('SETRANGE', KEYS[1], 0, '')
local row = redis.call('GET', KEYS[1])
if not row then return {{0}} end
local {_COUNTERS_AND_TIMES}, rest_of_row = struct.unpack('>i4i4i4dddd', row)
local {_LINES}, standing = string.match(row, '{_PATTERN}', rest_of_row)
"""
_ROW = f"struct.pack('>i4i4i4dddd', {_COUNTERS_AND_TIMES}) .. table.concat({{{_LINES}}}, '\\n') .. standing"

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
local expected, to, now, new_expires = struct.unpack('>i4i4dd', ARGV[1])
local new_ip, new_agent, new_binding, new_standing, bindings =
    string.match(ARGV[2], '^([^\\n]*)\\n([^\\n]*)\\n([^\\n]*)\\n([^\\n]*)(.*)$')
local allowed = string.find(bindings .. '\\n', '\\n' .. binding .. '\\n', 1, true)
if not allowed or generation ~= expected or revoked ~= '' or expires <= now then return {{0, row}} end
generation, last, expires = to, now, math.min(new_expires, ends)
if new_ip ~= '' then ip = new_ip end
if new_agent ~= '' then agent = new_agent end
if new_binding ~= '' then binding = new_binding end
if new_standing ~= '' then standing = new_standing ~= '{_NOTHING}' and '\\n' .. new_standing or '' end
row = {_ROW}
redis.call('SET', KEYS[1], row, 'PX', math.max(1, math.ceil((expires - now + {GRACE}) * 1000)))
return {{1, row}}
""")
"""The compare-and-swap."""

NOTE_LATE = Script(f"""{_READ}
if generation ~= tonumber(ARGV[1]) or revoked ~= '' or acknowledged >= generation then return {{0}} end
late = generation
redis.call('SET', KEYS[1], {_ROW}, 'KEEPTTL')
return {{1}}
""")

ACKNOWLEDGE = Script(f"""{_READ}
if revoked ~= '' or acknowledged >= tonumber(ARGV[1]) then return {{0}} end
acknowledged = tonumber(ARGV[1])
redis.call('SET', KEYS[1], {_ROW}, 'KEEPTTL')
return {{1}}
""")

REVOKE = Script(f"""{_READ}
if revoked ~= '' then return {{0}} end
revoked, reason = ARGV[1], ARGV[2]
redis.call('SET', KEYS[1], {_ROW}, 'KEEPTTL')
redis.call('ZADD', KEYS[2], revoked, ARGV[3])
local left = redis.call('PTTL', KEYS[1])
if redis.call('PTTL', KEYS[2]) < left then redis.call('PEXPIRE', KEYS[2], left) end
redis.call('PUBLISH', ARGV[4], revoked .. ' ' .. ARGV[3])
return {{1, string.format('%.17g', expires)}}
""")
"""End a session, note it for whoever asks later, and tell whoever listens now: all of it or nothing."""

PURGE = Script(f"""{_READ}
if expires > tonumber(ARGV[1]) then return {{0}} end
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
        self.feeds = [f"{prefix}{{{shard:02x}}}:revoked" for shard in range(SHARDS)]
        self._sessions = [f"{prefix}{{{shard:02x}}}" for shard in range(SHARDS)]
        self.pattern = re.sub(r"([\\*?\[\]])", r"\\\1", prefix) + "{??}[^:]*"

    def session(self, session_id: str) -> str:
        """Where the row of a session is."""
        return self._sessions[crc32(session_id.encode("utf-8", "surrogatepass")) % SHARDS] + session_id

    def id_of(self, session_key: str) -> str:
        """Whose row is there."""
        return session_key[len(self._sessions[0]) :]

    def feed(self, session_id: str) -> str:
        """Where the end of a session is noted: in the slot of its row."""
        return self.feeds[crc32(session_id.encode("utf-8", "surrogatepass")) % SHARDS]

    def subject(self, subject: str) -> str:
        """Where the sessions of a subject are listed."""
        return f"{self._prefix}u:{subject}"


def text(value: str | None) -> str:
    """``value`` as a line of a row: always the same for the same value.

    JSON without its quotes; nothing for None, and one quote, which is no JSON, for the empty string.
    """
    if not value:
        return "" if value is None else _EMPTY
    in_ascii = value.isascii() or _HALF_A_PAIR.search(value)
    return (encode_basestring_ascii(value) if in_ascii else encode_basestring(value))[1:-1]


def _value(line: str) -> str | None:
    """What :func:`text` has written."""
    if not line or line == _EMPTY:
        return None if not line else ""
    plain = line.replace("\\n", "\n")  # so is every binding written
    if "\\" not in plain:
        return plain
    value: str = json.loads(f'"{line}"')
    return value


def step_words(step: Advance) -> tuple[bytes, str]:
    """The arguments of :data:`ADVANCE`: few and long, since each costs time on its way."""
    lines = ("" if value is None else text(value) for value in (step.ip, step.user_agent, step.binding))
    numbers = _STEP.pack(step.expected, step.to, step.now, step.expires_at)
    standing = "" if step.standing is None else step.standing.text()
    return numbers, "\n".join((*lines, standing, *map(text, step.bindings)))


def to_row(session: Session) -> bytes:
    """The row of a session."""
    device, ended = session.device, session.revoked_at
    numbers = _NUMBERS.pack(
        session.generation, session.acknowledged, session.late,
        session.last_used_at, session.expires_at, session.ends_at, session.created_at,
    )  # fmt: skip
    rest = [session.subject, [*session.scopes], dict(session.claims), [*session.amr]]
    while len(rest) > 1 and not rest[-1]:
        rest.pop()
    lines: tuple[str, ...] = (
        "" if ended is None else str(ended), text(session.revoked_reason), text(session.binding), text(device.ip),
        text(device.user_agent), json_text(rest),
    )  # fmt: skip
    if session.standing != NO_STANDING:
        lines = (*lines, session.standing.text())
    return numbers + "\n".join(lines).encode()


def expires_at(row: bytes) -> float:
    """When the session of a row expires."""
    at: float = _NUMBERS.unpack_from(row)[4]
    return at


def from_row(session_id: str, row: bytes) -> Session:
    """The session of a row."""
    generation, acknowledged, late, last, expires, ends, created = _NUMBERS.unpack_from(row)
    revoked, reason, binding, ip, agent, rest, *standing = row[_NUMBERS.size :].decode().split("\n")
    said, _ = json_scan(rest, 0)
    subject, scopes, claims, amr = said + [(), None, ()][len(said) - 1 :]
    return _session(
        session_id,
        subject,
        generation,
        created,
        last,
        expires,
        ends,
        _device(_value(ip), _value(agent)),
        _value(binding) or "",
        tuple(scopes),
        MappingProxyType(claims) if claims else NO_CLAIMS,
        tuple(amr),
        acknowledged,
        late,
        float(revoked) if revoked else None,
        _value(reason),
        read_standing(standing[0]) if standing else NO_STANDING,
    )
