"""Guards: dependencies that let a token through, or say what more is needed."""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Security

from ..access import AccessToken
from ..errors import StepUpRequired
from .dependencies import CurrentToken, current_token

Guard = Callable[..., Awaitable[AccessToken]]


def require_scopes(*scopes: str) -> Guard:
    """A dependency that needs all of ``scopes``: ``Depends(require_scopes("notes:read"))``.

    It is short for ``Security(current_token, scopes=[...])``, and raises what that raises.
    """

    async def scoped(token: Annotated[AccessToken, Security(current_token, scopes=[*scopes])]) -> AccessToken:
        return token

    return scoped


def require_fresh(*, max_age: int, clock: Callable[[], float] = time.time) -> Guard:
    """A dependency that needs somebody who has authenticated in the last ``max_age`` seconds (RFC 9470, 4).

    A refresh does not count, only a login or a step-up does. A token that does not say when (claim ``auth_time``) is
    not fresh.

    Raises:
        StepUpRequired: from the dependency, with ``max_age``.
        ValueError: ``max_age`` under one second: nobody would ever be fresh enough.
    """
    if max_age < 1:
        raise ValueError(f"max_age must be at least 1 s, not {max_age} s")

    async def fresh(token: CurrentToken) -> AccessToken:
        if token.auth_time is None or clock() - token.auth_time > max_age:
            raise StepUpRequired(max_age=max_age)
        return token

    return fresh


def require_acr(*values: str) -> Guard:
    """A dependency that needs one of these authentication contexts as claim ``acr`` (RFC 9470, 4).

    Raises:
        StepUpRequired: from the dependency, with ``acr_values``.
        ValueError: no value, or one that cannot stand in the list of the challenge.
    """
    if not values or not all(_is_listable(value) for value in values):
        raise ValueError("an acr is printable ASCII without blanks, quotes and backslashes; at least one is needed")

    async def strong(token: CurrentToken) -> AccessToken:
        if token.claims.get("acr") not in values:
            raise StepUpRequired(acr_values=" ".join(values))
        return token

    return strong


def _is_listable(value: str) -> bool:
    return bool(value) and all("!" <= character <= "~" and character not in '"\\' for character in value)
