"""What a guard may ask of a token beyond its being valid: each condition once, for every framework."""

from collections.abc import Callable

from ..access import AccessToken
from ..errors import InsufficientScope, StepUpRequired
from ..sessions import checked_acr

Demand = Callable[[AccessToken], None]
"""Lets a token through, or raises what is wrong with it."""


def scoped(*scopes: str) -> Demand:
    """All of ``scopes``, or InsufficientScope, which names all that are needed (RFC 6750, 3.1)."""
    needed = frozenset(scopes)

    def demand(token: AccessToken) -> None:
        if not needed.issubset(token.scopes):
            raise InsufficientScope(*scopes)

    return demand


def fresh(max_age: int, clock: Callable[[], float]) -> Demand:
    """An authentication at most ``max_age`` seconds ago, or StepUpRequired; a token that does not say is not fresh.

    Raises:
        ValueError: ``max_age`` under one second: nobody would ever be fresh enough.
    """
    if max_age < 1:
        raise ValueError(f"max_age must be at least 1 s, not {max_age} s")

    def demand(token: AccessToken) -> None:
        if token.auth_time is None or clock() - token.auth_time > max_age:
            raise StepUpRequired(max_age=max_age)

    return demand


def reaching(*values: str) -> Demand:
    """One of these authentication contexts in the claim ``acr``, or StepUpRequired, which names them all.

    Raises:
        ValueError: no value, or one that cannot stand in the list of the challenge (RFC 9470, 3).
    """
    if not values:
        raise ValueError("an acr is printable ASCII; at least one is needed")
    listed = " ".join(map(checked_acr, values))

    def demand(token: AccessToken) -> None:
        if token.claims.get("acr") not in values:
            raise StepUpRequired(acr_values=listed)

    return demand
