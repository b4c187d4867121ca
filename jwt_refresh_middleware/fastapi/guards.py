"""Guards: dependencies that let a token through, or say what more is needed."""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Security

from ..access import AccessToken
from ..web.demands import Demand, fresh, reaching
from .dependencies import CurrentToken, current_token, may_want_step_up

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
    return _guard(fresh(max_age, clock))


def require_acr(*values: str) -> Guard:
    """A dependency that needs one of these authentication contexts as claim ``acr`` (RFC 9470, 4).

    Raises:
        StepUpRequired: from the dependency, with ``acr_values``.
        ValueError: no value, or one that cannot stand in the list of the challenge.
    """
    return _guard(reaching(*values))


def _guard(demand: Demand) -> Guard:
    async def guarded(token: CurrentToken, _marked: Annotated[None, Depends(may_want_step_up)]) -> AccessToken:
        demand(token)
        return token

    return guarded
