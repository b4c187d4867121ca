"""The tokens of one session, as this client holds them."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_FOREVER = 10 * 365 * 86_400.0
"""An ``expires_in`` beyond this is cut: it must not overflow anything."""

_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, 2.1: nothing else may stand in the header
_WIRE_NAMES = {
    "accessToken": "access_token",
    "refreshToken": "refresh_token",
    "tokenType": "token_type",
    "expiresIn": "expires_in",
    "refreshExpiresIn": "refresh_expires_in",
    "expiresAt": "expires_at",
}


@dataclass(frozen=True, slots=True)
class Now:
    """One moment by both clocks: the wall clock runs on in sleep, the monotonic one cannot be set."""

    wall: float
    monotonic: float

    @classmethod
    def read(cls) -> Self:
        """Both clocks."""
        return cls(time.time(), time.monotonic())


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Tokens:
    """An access token, the refresh token that came with it, and until when the former is good.

    Attributes:
        access: empty if only a refresh token is known.
        lifetime: seconds, as the server said; infinite if it said nothing.
        ends: when the access token ends, by both clocks.
        others: the other members of the answer, as they came.
    """

    access: str
    refresh: str
    lifetime: float
    ends: Now
    others: Mapping[str, Any]

    @classmethod
    def given(cls, mapping: Mapping[str, Any]) -> Self:
        """From the program: strict. ``expires_at`` (seconds since the epoch) goes before ``expires_in``.

        Raises:
            TypeError: not a mapping, or a member of a wrong type.
            ValueError: no refresh token, or a member that cannot be.
        """
        if not isinstance(mapping, Mapping):
            raise TypeError(f"tokens must be a mapping as the server answers it, not {type(mapping).__name__}")
        members = _snake(mapping)
        for name in ("access_token", "refresh_token"):
            _check_token(name, members.get(name))
        if not members.get("refresh_token"):
            raise ValueError("tokens has no refresh_token: log in with the header 'X-Token-Transport: body'")
        for name in ("expires_in", "expires_at"):
            if members.get(name) is not None and _number(members[name]) is None:
                raise ValueError(f"{name} must be a positive number of seconds")
        return cls._of(members)

    @classmethod
    def received(cls, mapping: Mapping[str, Any], before: str) -> Self | None:
        """From the server: None if it is no answer to a refresh.

        An ``expires_in`` that cannot be is ignored (RFC 6749, 5.1 has it optional): to drop a token that was rotated
        already would be worse. Without a ``refresh_token`` the one ``before`` stays (RFC 6749, 6).
        """
        members = _snake(mapping)
        members.pop("expires_at", None)  # by the server's clock, not ours
        if members.get("refresh_token") in (None, ""):
            members["refresh_token"] = before
        if not (_is_token(members.get("access_token")) and _is_token(members["refresh_token"])):
            return None
        return cls._of(members)

    @classmethod
    def _of(cls, members: dict[str, Any]) -> Self:
        now = Now.read()
        lifetime = _number(members.pop("expires_in", None)) or math.inf
        until = _number(members.pop("expires_at", None))
        left = lifetime if until is None else min(until - now.wall, lifetime)
        access, refresh = members.pop("access_token", None) or "", members.pop("refresh_token")
        ends = Now(now.wall + left, now.monotonic + left)
        return cls(access=access, refresh=refresh, lifetime=lifetime, ends=ends, others=members)

    def mapping(self) -> dict[str, Any]:
        """As on the wire, in snake_case, with ``expires_at``: the end of the access token, seconds since the epoch."""
        known: dict[str, Any] = {"access_token": self.access, "refresh_token": self.refresh}
        if self.lifetime != math.inf:
            known["expires_in"] = int(self.lifetime) if self.lifetime == int(self.lifetime) else self.lifetime
        if self.ends.wall != math.inf:
            known["expires_at"] = round(self.ends.wall, 3)
        return {**self.others, **known}

    @property
    def authorization(self) -> str:
        """The header's value."""
        return f"Bearer {self.access}"

    def left(self) -> float:
        """Seconds until the access token ends, by the clock that says less."""
        if not self.access:
            return -math.inf
        now = Now.read()
        return min(self.ends.wall - now.wall, self.ends.monotonic - now.monotonic)

    def is_expiring(self, leeway: float) -> bool:
        """Whether less than ``leeway`` seconds are left; of a short life never more than a quarter counts."""
        return self.left() <= min(leeway, self.lifetime / 4)

    def same_as(self, other: "Tokens | None") -> bool:
        """Whether ``other`` holds the very same pair."""
        return other is not None and (self.access, self.refresh) == (other.access, other.refresh)

    def __repr__(self) -> str:
        return "Tokens(…)"


def _snake(mapping: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {_WIRE_NAMES[name]: value for name, value in mapping.items() if name in _WIRE_NAMES}
    return renamed | {name: value for name, value in mapping.items() if name not in _WIRE_NAMES}


def _number(value: object) -> float | None:
    """``value`` if it is a positive number, cut to what clocks can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        return None
    if isinstance(value, float) and math.isinf(value):
        return None
    return float(min(value, time.time() + _FOREVER))


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _B64TOKEN.fullmatch(value) is not None


def _check_token(name: str, value: object) -> None:
    """Raise without telling the value."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if value and not _is_token(value):
        raise ValueError(f"{name} holds characters that no token has (RFC 6750, 2.1)")
