"""The table of sessions in a database of SQLAlchemy's, and how a session becomes a row of it and back."""

import json
import re
from collections.abc import Sequence
from math import floor
from types import MappingProxyType
from typing import Any

from sqlalchemy import Column, Double, Index, Integer, MetaData, String, Table, Text

from ..encoding import json_text
from ..sessions import NO_CLAIMS, Device, Session
from ..standing import NO_STANDING, read_standing
from ..values import quick

DEFAULT_NAME = "jwt_refresh_sessions"
DAY = 86_400
COLUMNS = (
    "id", "subject", "generation", "created_at", "last_used_at", "expires_at", "ends_at", "ip", "user_agent", "binding",
    "scopes", "claims", "amr", "acknowledged", "late", "revoked_at", "revoked_reason",
    "standing",
)  # fmt: skip
"""What is read of a row, in the order of the fields of a session."""

_device = quick(Device)
_session = quick(Session)

# PostgreSQL has no NUL in text and no database has half a surrogate pair: a client that sends one must not see 503 for
# ever. MySQL's usual collations take "a" and "a " for equal. These few characters are written as an escape and four
# digits; so is the escape, a control character that no subject can contain and no browser sends.
_ESCAPE = "\x1a"
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]| \\Z")
_ESCAPED = re.compile(_ESCAPE + "([0-9a-f]{4})")

# Bytes are compared, nothing else: on PostgreSQL that also saves the indexes from a new version of the C library.
_KEY = String(512).with_variant(Text(collation="C"), "postgresql")
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_MYSQL = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}


def sessions_table(metadata: MetaData, name: str = DEFAULT_NAME, *, schema: str | None = None) -> Table:
    """The table of sessions, in your metadata: for your migrations, or ``metadata.create_all``.

    Args:
        metadata: where it is declared; a table of that name that is there already is returned as it is.
        name: of the table. Default ``jwt_refresh_sessions``.
        schema: where the table is. Default: the metadata's.
    """
    where = schema or metadata.schema
    known = metadata.tables.get(f"{where}.{name}" if where else name)
    if known is not None:
        return known
    times = ("created_at", "last_used_at", "expires_at", "ends_at")
    columns: list[Column[Any]] = [
        Column("id", _KEY, primary_key=True),
        # Numbers before text, so that PostgreSQL needs no padding between them.
        *(Column(column, Double(), nullable=False) for column in times),
        Column("revoked_at", Double()),
        *(Column(column, Integer, nullable=False) for column in ("generation", "acknowledged", "late", "expires_on")),
        Column("subject", _KEY, nullable=False),
        Column("ip", _TEXT),
        Column("user_agent", _TEXT),
        Column("binding", _TEXT, nullable=False),
        *(Column(column, _TEXT) for column in ("scopes", "claims", "amr", "revoked_reason")),
        # What came with later versions, and is NULL in rows of before: last, as where it was added.
        Column("standing", _TEXT),
    ]
    options: dict[str, Any] = {
        f"{dialect}_{key}": value for dialect in ("mysql", "mariadb") for key, value in _MYSQL.items()
    }
    # Room in each page for the next version of a row or two, so that it stays there and no index is touched.
    table = Table(name, metadata, *columns, schema=schema, postgresql_with={"fillfactor": 90}, **options)
    Index(f"{name}_subject", table.c.subject)
    # The end of a session's idle lifetime moves with every rotation, and in PostgreSQL a rotation that changes anything
    # indexed has to write to all indexes. So the day of it is indexed: only a session's first rotation of a day pays.
    Index(f"{name}_expires_on", table.c.expires_on)
    ended = table.c.revoked_at.is_not(None)
    Index(f"{name}_revoked_at", table.c.revoked_at, postgresql_where=ended, sqlite_where=ended)
    return table


def storable(text: str) -> str:
    """``text`` in characters that every database keeps, and compares, exactly."""
    return _UNSTORABLE.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", text) if _UNSTORABLE.search(text) else text


def storable_or_none(text: str | None) -> str | None:
    """The same, where there may be no text."""
    return None if text is None else storable(text)


def stored(text: str) -> str:
    """What :func:`storable` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if _ESCAPE in text else text


def _stored_or_none(text: str | None) -> str | None:
    return None if text is None else stored(text)


def day_of(time: float) -> int:
    """The day of ``time`` (seconds since the epoch), in days since the epoch."""
    return floor(time / DAY)


def to_row(session: Session) -> dict[str, Any]:
    """The values of a session's row, by the names of the columns."""
    return {
        "id": storable(session.id),
        "subject": storable(session.subject),
        "generation": session.generation,
        "created_at": session.created_at,
        "last_used_at": session.last_used_at,
        "expires_at": session.expires_at,
        "expires_on": day_of(session.expires_at),
        "ends_at": session.ends_at,
        "ip": storable_or_none(session.device.ip),
        "user_agent": storable_or_none(session.device.user_agent),
        "binding": storable(session.binding),
        "scopes": " ".join(session.scopes) or None,
        "claims": json_text(dict(session.claims)) if session.claims else None,
        "amr": " ".join(session.amr) or None,
        "acknowledged": session.acknowledged,
        "late": session.late,
        "revoked_at": session.revoked_at,
        "revoked_reason": storable_or_none(session.revoked_reason),
        "standing": None if session.standing == NO_STANDING else session.standing.text(),
    }


def from_row(row: Sequence[Any]) -> Session:
    """The session of a row that was read as :data:`COLUMNS`."""
    (ident, subject, generation, created_at, last_used_at, expires_at, ends_at, ip, user_agent, binding) = row[:10]
    scopes, claims, amr, acknowledged, late, revoked_at, revoked_reason, standing = row[10:]
    return _session(
        stored(ident),
        stored(subject),
        generation,
        created_at,
        last_used_at,
        expires_at,
        ends_at,
        _device(_stored_or_none(ip), _stored_or_none(user_agent)),
        stored(binding),
        tuple(scopes.split()) if scopes else (),
        MappingProxyType(json.loads(claims)) if claims else NO_CLAIMS,
        tuple(amr.split()) if amr else (),
        acknowledged,
        late,
        revoked_at,
        _stored_or_none(revoked_reason),
        read_standing(standing),
    )
