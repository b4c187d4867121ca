"""Access tokens: what they say, what they have to say, and what is remembered of one that passed (RFC 9068)."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from .sessions import are_clean, is_clean
from .values import quick

MAX_TOKEN_BYTES = 8192
"""Longer tokens are refused unread; servers cut request headers at 8 KiB to 64 KiB."""
DEFAULT_ISSUER = "jwt-refresh-middleware"
MAX_LEEWAY = 60.0
BEARER = b"Bearer "
"""What stands before a token in an ``Authorization`` header (RFC 6750, 2.1)."""


_LAST_DATE = 253_402_300_800  # the year 10000: later is no date (RFC 7519, 2: NumericDate)
_NUMBERS = frozenset({int, float})  # not bool, which is an int to isinstance()


class Claims(Mapping[str, Any]):
    """The claims of a token, read-only all the way down: lists and objects are handed out as copies."""

    __slots__ = ("_claims",)

    def __init__(self, claims: dict[str, Any]) -> None:
        self._claims = claims

    def __getitem__(self, name: str) -> Any:
        value = self._claims[name]
        return deepcopy(value) if isinstance(value, (list, dict)) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def __repr__(self) -> str:
        return f"Claims({sorted(self._claims)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A verified access token. Times are whole or fractional seconds since the epoch.

    Attributes:
        subject: whose it is, claim ``sub``.
        session_id: the session it belongs to, claim ``sid``; None for a token of another issuer.
        scopes: what it may be used for, claim ``scope``.
        issued_at, expires_at: claims ``iat`` and ``exp``.
        token_id: claim ``jti``.
        auth_time: when the person authenticated; None for a token of another issuer that does not say.
        generation: of the refresh token that was handed out with it, claim ``gen``; None if it does not say.
        claims: all claims, read-only.
    """

    subject: str
    session_id: str | None
    scopes: tuple[str, ...]
    issued_at: float
    expires_at: float
    token_id: str
    auth_time: float | None
    generation: int | None
    claims: Mapping[str, Any]


_access_token = quick(AccessToken)


class Known:
    """A token that passed, as its verifier remembers it.

    Attributes:
        token: what it says.
        session_id: the session it belongs to.
        ends_at: when it is over, the leeway included, in seconds since the epoch.
        companion: who has made something of the token, and what; a middleware fills it. It must not lead back here:
            what goes round in a circle is freed by the garbage collector only, which every request would have to pay
            for.
    """

    __slots__ = ("companion", "ends_at", "session_id", "token")

    def __init__(self, token: AccessToken, ends_at: float) -> None:
        self.token = token
        self.session_id = token.session_id
        self.ends_at = ends_at
        self.companion: tuple[Any, ...] = (None,)


class Rules:
    """What the claims of a token have to say to be accepted (RFC 9068, 4; RFC 7519, 4.1)."""

    __slots__ = ("_leeway", "_max_lifetime", "audience", "issuer")

    def __init__(self, *, issuer: str, audience: str, leeway: float, max_lifetime: float | None) -> None:
        """Both times in seconds. Raises ValueError for an issuer or audience that is empty or not clean text."""
        if not is_clean(issuer) or not is_clean(audience):
            raise ValueError("issuer and audience are text without control characters")
        self.issuer = issuer
        self.audience = audience
        self._leeway = leeway
        self._max_lifetime = max_lifetime

    def read(self, claims: dict[str, Any], now: float) -> AccessToken:
        """The token whose claims these are; whether it has expired is not looked at. Raises ValueError, TypeError."""
        audience = claims.get("aud")
        if audience != self.audience and not self._is_listed(audience):
            raise ValueError("not a token for this verifier")
        get: Callable[..., Any] = claims.get
        issued_at, expires_at, auth_time = get("iat"), get("exp"), get("auth_time")
        subject, token_id, session_id, generation = get("sub"), get("jti"), get("sid"), get("gen")
        scope = get("scope", "")
        latest = now + self._leeway
        if (
            get("iss") != self.issuer
            or type(expires_at) not in _NUMBERS
            or not 0 <= expires_at < _LAST_DATE
            or type(issued_at) not in _NUMBERS
            or not 0 <= issued_at <= latest
            or ("nbf" in claims and not (_is_date(claims["nbf"]) and claims["nbf"] <= latest))
            or ("auth_time" in claims and not _is_date(auth_time))
            or not are_clean(subject, token_id, session_id if "sid" in claims else token_id)
            or ("gen" in claims and (type(generation) is not int or generation < 0))
            or type(scope) is not str
            or "cnf" in claims  # good only with a proof that one has its key (RFC 9449, 7.2; RFC 8705, 3), unread here
            or (self._max_lifetime is not None and expires_at - issued_at > self._max_lifetime)
        ):
            raise ValueError("not a token for this verifier")
        scopes = tuple(filter(None, scope.split(" ")))  # RFC 6749, 3.3: other blanks are none
        return _access_token(
            subject, session_id, scopes, issued_at, expires_at, token_id, auth_time, generation, Claims(claims)
        )

    def _is_listed(self, audience: object) -> bool:
        return type(audience) is list and all(type(member) is str for member in audience) and self.audience in audience


def _is_date(value: object) -> bool:
    """A NumericDate (RFC 7519, 2): a JSON number, not a bool, within the calendar."""
    return type(value) in _NUMBERS and 0 <= value < _LAST_DATE  # type: ignore[operator]
