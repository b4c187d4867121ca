"""Sessions as values, and the verdict on a refresh token: pure functions, no I/O."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from .standing import NO_STANDING, Standing

RESERVED_CLAIMS = frozenset(  # RFC 7519, 4.1; RFC 9068, 2.2; RFC 7800, 3.1
    {
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "auth_time",
        "sid",
        "gen",
        "scope",
        "acr",
        "amr",
        "cnf",
    }
)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, 3.3: scope-token
MAX_USER_AGENT = 255
"""Characters of a ``User-Agent`` that are kept."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})


def is_clean(text: object) -> bool:
    """Whether ``text`` is a non-empty str without control characters and lone surrogates."""
    return type(text) is str and text != "" and (text.isprintable() or not _CONTROL.search(text))


def are_clean(one: object, two: object, three: object) -> bool:
    """Whether all three are what :func:`is_clean` asks for."""
    if type(one) is str and type(two) is str and type(three) is str and one and two and three:
        return (one + two + three).isprintable() or (is_clean(one) and is_clean(two) and is_clean(three))
    return False


def _clean_list(values: Sequence[str], what: str) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError(f"{what}s are a sequence of str, not one str")
    cleaned = tuple(values)
    for value in cleaned:
        if not _SCOPE.fullmatch(value):
            raise ValueError(f"{value!r} is not a valid {what} (RFC 6749, 3.3)")
    return cleaned


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What is known of the device that a request came from.

    Attributes:
        ip: the client's address as text, None if unknown.
        user_agent: the ``User-Agent`` header, None if absent. Kept to 255 characters.
    """

    ip: str | None = None
    user_agent: str | None = None

    def __post_init__(self) -> None:
        if self.user_agent is not None and len(self.user_agent) > MAX_USER_AGENT:
            object.__setattr__(self, "user_agent", self.user_agent[:MAX_USER_AGENT])


def checked_acr(acr: str) -> str:
    """``acr`` itself. Raises ValueError unless it can stand in a space-separated list (RFC 9470, 3: acr_values)."""
    if not _SCOPE.fullmatch(acr):
        raise ValueError("an acr is printable ASCII without blanks, quotes and backslashes")
    return acr


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as your ``authenticate`` or ``load_identity`` says.

    Attributes:
        subject: the stable name of the account, claim ``sub``.
        scopes: what an access token may be used for, claim ``scope`` (RFC 6749, 3.3). Default: none.
        claims: your own claims; they must be JSON and must not use a registered name. Default: none.
        amr: how the person authenticated (RFC 8176). Default: none.
        acr: which authentication context that reached, claim ``acr`` (RFC 9068, 2.2.1). Default: none.

    Raises:
        ValueError: an empty subject or one with control characters, a malformed scope, amr or acr, a reserved or
            unserialisable claim.
    """

    subject: str
    scopes: Sequence[str] = ()
    claims: Mapping[str, Any] = field(default_factory=lambda: NO_CLAIMS)
    amr: Sequence[str] = ()
    acr: str | None = None

    def __post_init__(self) -> None:
        if self.acr is not None:
            checked_acr(self.acr)
        if not is_clean(self.subject) or len(self.subject) > 255:
            raise ValueError("a subject is 1 to 255 characters of text without control characters")
        object.__setattr__(self, "scopes", _clean_list(self.scopes, "scope"))
        object.__setattr__(self, "amr", _clean_list(self.amr, "amr value"))
        if self.claims is not NO_CLAIMS:
            object.__setattr__(self, "claims", MappingProxyType(_checked(self.claims)))


def _checked(claims: Mapping[str, Any]) -> dict[str, Any]:
    reserved = RESERVED_CLAIMS.intersection(claims)
    if reserved:
        raise ValueError(f"claims that the issuer sets itself: {', '.join(sorted(reserved))}")
    try:
        copied: dict[str, Any] = json.loads(json.dumps(dict(claims), allow_nan=False))
        json.dumps(copied, ensure_ascii=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"claims must be JSON: {type(error).__name__}") from None
    return copied


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login on one device. Times are seconds since the epoch.

    Attributes:
        id: derived from a secret that only the client holds; may be shown and logged, claim ``sid``.
        subject: whose session it is.
        generation: how many times its refresh token was rotated.
        created_at: the login.
        last_used_at: the last rotation, or the login.
        expires_at: end of the idle lifetime; slides at every rotation, never past ``ends_at``.
        ends_at: end of the absolute lifetime; never moves.
        device: where the session lives.
        binding: what the device policy compares at a refresh, as the policy wrote it.
        scopes, claims, amr: of the login (see :class:`Identity`).
        acknowledged: highest generation that an access token has shown the client to hold; -1 for none.
        late: the generation that was handed out a second time after the leeway; -1 for none.
        revoked_at: when the session was ended, None while it lives.
        revoked_reason: why.
        standing: what was proven after the login, and whether more is wanted.
    """

    id: str
    subject: str
    generation: int = 0
    created_at: float
    last_used_at: float
    expires_at: float
    ends_at: float
    device: Device = Device()
    binding: str = ""
    scopes: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=lambda: NO_CLAIMS)
    amr: tuple[str, ...] = ()
    acknowledged: int = -1
    late: int = -1
    revoked_at: float | None = None
    revoked_reason: str | None = None
    standing: Standing = NO_STANDING

    @property
    def auth_time(self) -> float:
        """When the person authenticated last: at the login, or at a step-up since. No refresh moves it."""
        return self.created_at if self.standing.auth_time is None else self.standing.auth_time

    @property
    def authenticated_by(self) -> tuple[str, ...]:
        """How the person authenticated then (RFC 8176)."""
        return self.amr if self.standing.auth_time is None else self.standing.amr

    @property
    def acr(self) -> str | None:
        """The authentication context that was reached (RFC 9068, 2.2.1)."""
        return self.standing.acr

    @property
    def step_up(self) -> str | None:
        """Why the next refresh is answered with ``step_up_required``; None if it is not."""
        return self.standing.step_up

    def is_live(self, now: float) -> bool:
        """Neither ended nor past one of its lifetimes at ``now`` (seconds since the epoch)."""
        return self.revoked_at is None and now < self.expires_at and now < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What a client gets at login and at every refresh. The tokens are not in the repr.

    Attributes:
        access_token: a JWT (RFC 9068).
        refresh_token: opaque; replaces the one that was presented.
        expires_in: lifetime of the access token in seconds.
        refresh_expires_in: seconds until the session ends unless it is refreshed.
        session: the session as it now stands.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    refresh_expires_in: int
    session: Session


class Change(Enum):
    """What the device policy thinks of the device a refresh came from."""

    SAME = auto()
    """Nothing that counts is different."""
    ALLOWED = auto()
    """Something is different, and may be."""
    DOUBTED = auto()
    """Something is different, and may be once the person has proven again who they are."""
    REFUSED = auto()
    """Another device: refuse."""
    STOLEN = auto()
    """Another device, and the policy says that this ends the session."""


class Verdict(Enum):
    """What is done with a refresh token."""

    ROTATE = auto()
    """The current generation: rotate once."""
    REPEAT = auto()
    """The one before, within the leeway: the same successor again, nothing is written."""
    LATE_REPEAT = auto()
    """The one before, and the answer to it was never seen to arrive: the same successor, and a note of it."""
    AHEAD = auto()
    """Newer than the store knows: the store lost writes; rotate from the token's own generation."""
    STEP_UP = auto()
    """It would be granted, but for a proof of who the person is: nothing rotates until it was given."""
    REUSE = auto()
    """A spent token came back: theft; the session is ended."""
    MISMATCH = auto()
    """The current generation from another device: refused, nothing changes."""
    STOLEN = auto()
    """The same, where the policy says that the session ends."""
    UNKNOWN = auto()
    """No such session."""
    REVOKED = auto()
    """The session was ended."""
    EXPIRED = auto()
    """Its idle or absolute lifetime is over."""


# Longer than 40 lines with its arguments: it is one table, and is read as one.
def judge(
    session: Session | None,
    generation: int,
    *,
    now: float,
    change: Change,
    same_device: bool,
    reuse_leeway: float,
    late_repeat: bool,
    acknowledged: int = -1,
    proven: bool = False,
) -> Verdict:
    """The verdict on a refresh token of ``generation`` for the session as the store has it.

    Args:
        session: the row, None if there is none.
        generation: of the token that was presented.
        now: seconds since the epoch.
        change: the device policy's opinion.
        same_device: whether a repeat may be answered to this device.
        reuse_leeway: seconds after a rotation in which the token before is answered again.
        late_repeat: whether an answer that was never acknowledged may be asked for again later.
        acknowledged: highest generation known to have arrived that the row may not say yet.
        proven: the person has just proven who they are, which is all that a step-up asks for.
    """
    if session is None:
        return Verdict.UNKNOWN
    if session.revoked_at is not None:
        return Verdict.REVOKED
    if not session.is_live(now):
        return Verdict.EXPIRED
    current = session.generation
    wanting = not proven and (session.step_up is not None or change is Change.DOUBTED)
    if generation >= current:
        if change is Change.STOLEN:
            return Verdict.STOLEN
        if change is Change.REFUSED:
            return Verdict.MISMATCH
        if wanting:
            return Verdict.STEP_UP
        return Verdict.ROTATE if generation == current else Verdict.AHEAD
    if generation != current - 1 or not same_device or change in (Change.REFUSED, Change.STOLEN):
        return Verdict.REUSE
    if now - session.last_used_at < reuse_leeway:
        return Verdict.STEP_UP if wanting else Verdict.REPEAT
    arrived = max(session.acknowledged, acknowledged)
    late_before = session.late == generation and arrived < generation
    if late_repeat and arrived < current and not late_before:
        return Verdict.STEP_UP if wanting else Verdict.LATE_REPEAT
    return Verdict.REUSE
