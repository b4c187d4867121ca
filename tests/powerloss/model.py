"""What must be true after a crash: what was acknowledged, and what had been asked for at least."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from jwt_refresh_middleware import KeyRing, Session
from jwt_refresh_middleware.keyring import key_ring
from jwt_refresh_middleware.refresh import RefreshSigner

SECRET = "a secret of the tests, and certainly more than thirty-two bytes"

Effect = tuple[str, str, int]
"""A session's id, a field of ``FIELDS``, and what an operation raises it to: none of them is ever lowered."""
FIELDS = ("generation", "acknowledged", "late", "ended")
_NOTHING = {"generation": 0, "acknowledged": -1, "late": -1, "ended": 0}


class Mark(TypedDict, total=False):
    """What the workload notes in the log: that it begins an operation, or that the call returned.

    One that was refused is noted as returned without effects: it promised nothing. ``perhaps`` is what an operation
    may do, but does not promise.
    """

    number: int
    what: str
    returned: bool
    at: float
    subject: str
    effects: list[Effect]
    perhaps: list[Effect]
    refresh_token: str
    access_token: str


def fields_of(row: Session) -> dict[str, int]:
    """The fields of a row that the model knows."""
    values = {name: getattr(row, name) for name in FIELDS[:-1]}
    return values | {"ended": int(row.revoked_at is not None)}


class Successors:
    """The refresh tokens of a session, from any one of them."""

    def __init__(self, keys: KeyRing) -> None:
        self._signer = RefreshSigner(keys)

    def __call__(self, refresh_token: str, steps: int = 1) -> str:
        token = self._signer.read(refresh_token)
        return self._signer.write(token.at(token.generation + steps))


successor = Successors(key_ring(SECRET))
"""The token that a rotation of this one gives; with ``steps`` -1 the one before it."""


@dataclass(slots=True)
class Known:
    """A session whose login was acknowledged.

    Attributes:
        subject: whose it is.
        refresh_token, access_token: the last ones its client was given.
        least: what its row must have come to.
        most: what its row may have come to.
        operations: how many acknowledged operations its row shows.
    """

    subject: str
    refresh_token: str = ""
    access_token: str = ""
    least: dict[str, int] = field(default_factory=lambda: dict(_NOTHING))
    most: dict[str, int] = field(default_factory=lambda: dict(_NOTHING))
    operations: int = 0

    def raise_most(self, name: str, value: int) -> None:
        """Somebody asked for it."""
        self.most[name] = max(self.most[name], value)

    def raise_least(self, name: str, value: int) -> None:
        """Somebody was told that it was done."""
        self.least[name] = max(self.least[name], value)
        self.operations += 1


class Model:
    """The sessions, as the marks up to a crash tell of them."""

    def __init__(self, marks: Sequence[Mark] = ()) -> None:
        self.sessions: dict[str, Known] = {}
        self.logins: dict[int, str] = {}
        """Subjects of logins under way; they may have made a session that nobody was told of."""
        self.now = 0.0
        self.acknowledged = 0
        for mark in marks:
            self.apply(mark)

    def apply(self, mark: Mark) -> None:
        """Take note of a mark."""
        self.now = max(self.now, mark["at"])
        if mark["what"] == "login":
            self._login(mark)
        for session_id, name, value in (*mark["effects"], *mark["perhaps"]):
            self.sessions[session_id].raise_most(name, value)
        if not mark["returned"]:
            return
        for session_id, name, value in mark["effects"]:
            known = self.sessions[session_id]
            known.raise_least(name, value)
            if mark.get("refresh_token"):
                known.refresh_token, known.access_token = mark["refresh_token"], mark["access_token"]
        self.acknowledged += bool(mark["effects"])

    def _login(self, mark: Mark) -> None:
        if not mark["returned"]:
            self.logins[mark["number"]] = mark["subject"]
            return
        del self.logins[mark["number"]]
        for session_id, _, _ in mark["effects"]:
            self.sessions[session_id] = Known(mark["subject"])
