"""What is watched of the package's own values: how they look when somebody shows them."""

from collections import Counter
from typing import Any

from jwt_refresh_middleware import (
    Cookie,
    Device,
    DevicePolicy,
    Identity,
    Issuer,
    JWTRefreshMiddleware,
    KeyRing,
    MemoryStore,
    RevocationFeed,
    Verifier,
)
from jwt_refresh_middleware.access import Known as KnownToken
from jwt_refresh_middleware.client._tokens import Tokens
from jwt_refresh_middleware.client.httpx import RefreshAuth, TokenFile
from jwt_refresh_middleware.keys import HmacKey
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.pairs import PairWriter
from jwt_refresh_middleware.refresh import RefreshSigner

from .births import after
from .watching import Watch, spelled

_EACH = 3
"""How many of a class are shown in one test: they are all alike."""
MADE: tuple[type, ...] = (
    Cookie, Device, DevicePolicy, HmacKey, Identity, Issuer, JWTRefreshMiddleware, KeyRing, LoginLimits, MemoryStore,
    RefreshAuth, RevocationFeed, TokenFile, Tokens, Verifier,
)  # fmt: skip


class Shown:
    """Shows some values of each class in each test."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._counts: Counter[str] = Counter()
        for made in MADE:
            after(made, "__init__", lambda _, value, *__, **___: self._show(value))
        after(PairWriter, "write", lambda pair, *_: self._show(pair))
        after(RefreshSigner, "read", lambda token, *_: self._show(token))
        after(Verifier, "known", lambda known, *_: self._show(known))

    def begin(self) -> None:
        """A test begins."""
        self._counts.clear()

    def _show(self, value: Any) -> None:
        kind = type(value).__name__
        if self._counts[kind] < _EACH:
            self._counts[kind] += 1
            self._watch.note("reprs", f"the repr of {kind}", spelled(value, _look))


def _look(value: Any) -> str:
    if isinstance(value, KnownToken):
        value = value.token
    return f"{value!r}\n{value}\n{value:}"
