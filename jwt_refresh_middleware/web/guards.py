"""Guards for endpoints of Starlette: decorators that let a token through, or say what more is needed.

They go on functions, sync and async, on methods of ``HTTPEndpoint`` and ``WebSocketEndpoint``, and on WebSocket
endpoints, below whatever makes a route of them. As with Starlette's own ``requires`` the endpoint has a parameter named
``request`` or ``websocket``. What they raise is answered by the middleware, before a socket is accepted, too.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import iscoroutinefunction, signature
from typing import Any, Protocol, TypeVar, cast

from starlette.requests import HTTPConnection

from .connections import token_of
from .demands import Demand, fresh, reaching, scoped

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_NAMES = ("request", "websocket")


class Guard(Protocol):
    """A decorator, of which the endpoint comes out with the type that it has."""

    def __call__(self, endpoint: Endpoint, /) -> Endpoint:
        """The same endpoint, guarded."""


def require_scopes(*scopes: str) -> Guard:
    """Let in who has all of ``scopes``: as Starlette's ``requires``, but answered with a problem and a challenge.

    Raises:
        InsufficientScope: from the endpoint; the challenge names all that are needed (RFC 6750, 3.1).
        TokenMissing, TokenInvalid: from the endpoint, to an anonymous request.
        RuntimeError: from the endpoint: the middleware is missing.
        TypeError: the endpoint has no parameter ``request`` or ``websocket``.
    """
    return _guard(scoped(*scopes))


def require_fresh(*, max_age: int, clock: Callable[[], float] = time.time) -> Guard:
    """Let in who has authenticated in the last ``max_age`` seconds (RFC 9470, 4).

    A refresh does not count, only a login or a step-up does. A token that does not say when (claim ``auth_time``) is
    not fresh.

    Raises:
        StepUpRequired: from the endpoint, with ``max_age``.
        TokenMissing, TokenInvalid, RuntimeError, TypeError: as :func:`require_scopes`.
        ValueError: ``max_age`` under one second: nobody would ever be fresh enough.
    """
    return _guard(fresh(max_age, clock))


def require_acr(*values: str) -> Guard:
    """Let in who has reached one of these authentication contexts, claim ``acr`` (RFC 9470, 4).

    Raises:
        StepUpRequired: from the endpoint, with ``acr_values``.
        TokenMissing, TokenInvalid, RuntimeError, TypeError: as :func:`require_scopes`.
        ValueError: no value, or one that cannot stand in the list of the challenge.
    """
    return _guard(reaching(*values))


def _guard(demand: Demand) -> Guard:
    def decorate(endpoint: Endpoint) -> Endpoint:
        find = _finder(endpoint)

        @wraps(endpoint)
        async def guarded(*args: Any, **named: Any) -> Any:
            demand(token_of(find(args, named)))
            return await endpoint(*args, **named)

        @wraps(endpoint)
        def guarded_in_a_thread(*args: Any, **named: Any) -> Any:
            demand(token_of(find(args, named)))
            return endpoint(*args, **named)

        return cast("Endpoint", guarded if iscoroutinefunction(endpoint) else guarded_in_a_thread)

    return decorate


def _finder(endpoint: Callable[..., Any]) -> Callable[[Sequence[Any], Mapping[str, Any]], HTTPConnection]:
    """What finds the request or socket among the arguments of ``endpoint``, by its name or its position."""
    parameters = list(signature(endpoint).parameters)
    name = next((name for name in parameters if name in _NAMES), None)
    if name is None:
        raise TypeError(f"a guarded endpoint has a parameter named request or websocket, unlike {endpoint!r}")
    position = parameters.index(name)

    def find(args: Sequence[Any], named: Mapping[str, Any]) -> HTTPConnection:
        found = named[name] if name in named else args[position]
        if not isinstance(found, HTTPConnection):
            raise TypeError(f"{name} of a guarded endpoint is a Request or WebSocket, not {type(found).__name__}")
        return found

    return find
