"""An app whose middleware refuses its options: which of them, since it cannot be made and looked at."""

from collections.abc import Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from ..web.addresses import ClientAddresses
from ..web.middleware import JWTRefreshMiddleware
from ..web.paths import PublicPaths
from . import proxies, public, wiring
from .findings import Finding

_WHERE = "JWTRefreshMiddleware"


def refusals(app: Starlette) -> list[Finding]:
    """What our middleware refuses; empty if it is something else that cannot be made."""
    return [finding for cls, args, kwargs in app.user_middleware for finding in _of(cls, args, kwargs)]


def _of(cls: Any, args: Any, kwargs: Any) -> Iterator[Finding]:
    if not (isinstance(cls, type) and issubclass(cls, JWTRefreshMiddleware)):
        return
    try:
        cls(_nowhere, *args, **kwargs)
    except (ValueError, TypeError) as error:
        named = [*_patterns(kwargs.get("public", ())), *_proxies(kwargs.get("trusted_proxies", ()))]
        yield from named or [wiring.REFUSED.found(str(error).partition("\n")[0], _WHERE)]


def _patterns(given: Any) -> Iterator[Finding]:
    for pattern in given if isinstance(given, (list, tuple, set, frozenset)) else ():
        try:
            PublicPaths([pattern])
        except (ValueError, TypeError, AttributeError):
            yield public.IMPOSSIBLE.found(f"{pattern!r} is refused", _WHERE)


def _proxies(given: Any) -> Iterator[Finding]:
    for proxy in given if isinstance(given, (list, tuple, set, frozenset)) else ():
        try:
            ClientAddresses([proxy])
        except ValueError:
            if str(proxy) == "*" or str(proxy).endswith("/0"):
                yield proxies.EVERYBODY.found(f"{proxy!r} in trusted_proxies, which is refused", _WHERE)


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """What the middleware is put around to see what it says."""
