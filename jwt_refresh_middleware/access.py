"""Access tokens that passed: what they say, and what is remembered of them (RFC 9068)."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

MAX_TOKEN_BYTES = 8192
"""Longer tokens are refused unread; servers cut request headers at 8 KiB to 64 KiB."""
DEFAULT_ISSUER = "jwt-refresh-middleware"
MAX_LEEWAY = 60.0
BEARER = b"Bearer "
"""What stands before a token in an ``Authorization`` header (RFC 6750, 2.1)."""


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
