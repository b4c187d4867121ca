"""An entry as a row of a table, and back: in texts that every database keeps, and compares, exactly."""

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from ..encoding import json_text
from . import AuditEntry

DEFAULT_NAME = "jwt_refresh_audit"
COLUMNS = ("id", "at", "name", "subject", "session_id", "ip", "user_agent", "details")
KEY = 512
"""Characters of a text that is looked up."""

# PostgreSQL has no NUL in text, no database has half a surrogate pair, and MySQL takes "a" and "a " for equal. What a
# client has sent may be any of that, and must not keep an entry, and all that wait behind it, from being written. These
# few characters are written as an escape and four digits; so is the escape itself.
_ESCAPE = "\x1a"
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]| \\Z")
_ESCAPED = re.compile(_ESCAPE + "([0-9a-f]{4})")


def key(text: str | None) -> str | None:
    """``text`` as a column keeps it that is looked up by it: the first 512 characters at most."""
    return None if text is None else _storable(text)[:KEY]


def _storable(text: str) -> str:
    return _UNSTORABLE.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", text) if _UNSTORABLE.search(text) else text


def _stored(text: str | None) -> str | None:
    return text if text is None else _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def to_row(entry: AuditEntry) -> tuple[Any, ...]:
    """The values of an entry's row, in the order of :data:`COLUMNS`."""
    return (
        entry.id,
        entry.at,
        entry.name,
        key(entry.subject),
        key(entry.session_id),
        None if entry.ip is None else _storable(entry.ip),
        None if entry.user_agent is None else _storable(entry.user_agent),
        json_text(dict(entry.details)) if entry.details else None,
    )


def from_row(row: Sequence[Any]) -> AuditEntry:
    """The entry of a row that was read as :data:`COLUMNS`."""
    ident, at, name, subject, session_id, ip, user_agent, details = row
    said = {"details": MappingProxyType(json.loads(details))} if details else {}
    return AuditEntry(
        id=ident,
        at=at,
        name=name,
        subject=_stored(subject),
        session_id=_stored(session_id),
        ip=_stored(ip),
        user_agent=_stored(user_agent),
        **said,
    )


def checked(keep: timedelta | None) -> timedelta | None:
    """``keep`` itself. Raises ValueError unless it is a length of time."""
    if keep is not None and keep <= timedelta(0):
        raise ValueError("keep must be longer than nothing; None keeps entries for ever")
    return keep
