"""What guards may ask for, whatever the framework; and how they find whom to ask. Nothing is guarded before a test."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.websockets import WebSocket

from jwt_refresh_middleware import AccessToken
from jwt_refresh_middleware.errors import InsufficientScope, StepUpRequired
from jwt_refresh_middleware.starlette import require_acr, require_fresh, require_scopes
from jwt_refresh_middleware.testing import NOW, Clock
from jwt_refresh_middleware.web.demands import fresh, reaching, scoped

from ..unit import tokens

GOLD, SILVER = "urn:example:gold", "urn:example:silver"


@pytest.fixture
def token() -> AccessToken:
    return tokens.verifier(Clock()).verify(tokens.token(auth_time=NOW, scope="read write"))


def ranked(token: AccessToken, acr: Any) -> AccessToken:
    return replace(token, claims={"acr": acr})


@pytest.mark.parametrize("needed", [(), ("read",), ("read", "write"), ("write", "read"), ("read", "read")])
def test_scopes_that_are_there(token: AccessToken, needed: tuple[str, ...]) -> None:
    scoped(*needed)(token)


@pytest.mark.parametrize("needed", [("admin",), ("read", "admin"), ("read write",), ("Read",), ("",)])
def test_scopes_that_are_not(token: AccessToken, needed: tuple[str, ...]) -> None:
    with pytest.raises(InsufficientScope) as refused:
        scoped(*needed)(token)
    assert refused.value.scopes == needed


@pytest.mark.parametrize("max_age", [1, 300, 10**9])
def test_fresh_until_the_very_second(token: AccessToken, max_age: int) -> None:
    clock = Clock()
    demand = fresh(max_age, clock)
    for age in (-60, 0, max_age):
        clock.now = NOW + age
        demand(token)
    clock.now = NOW + max_age + 0.001
    with pytest.raises(StepUpRequired) as refused:
        demand(token)
    assert (refused.value.max_age, refused.value.acr_values) == (max_age, None)


def test_a_token_that_does_not_say_when_is_not_fresh(token: AccessToken) -> None:
    with pytest.raises(StepUpRequired):
        fresh(10**9, Clock())(replace(token, auth_time=None))


def test_one_of_several_contexts_is_enough(token: AccessToken) -> None:
    for acr in (GOLD, SILVER):
        reaching(GOLD, SILVER)(ranked(token, acr))


@pytest.mark.parametrize(
    "acr", [None, "", "urn:example:bronze", GOLD.upper(), f"{GOLD} {SILVER}", [GOLD], {GOLD: 1}, 1]
)
def test_any_other_context_is_not(token: AccessToken, acr: Any) -> None:
    with pytest.raises(StepUpRequired) as refused:
        reaching(GOLD, SILVER)(ranked(token, acr))
    assert (refused.value.max_age, refused.value.acr_values) == (None, f"{GOLD} {SILVER}")


@pytest.mark.parametrize("make", [require_fresh, lambda max_age: fresh(max_age, Clock())])
@pytest.mark.parametrize("max_age", [0, -1, 0.5])
def test_what_nobody_could_be(make: Callable[..., Any], max_age: float) -> None:
    with pytest.raises(ValueError, match="at least 1 s"):
        make(max_age=max_age)


@pytest.mark.parametrize("make", [require_acr, reaching])
@pytest.mark.parametrize("values", [(), ("",), ("two words",), ('a"b',), ("a\\b",), ("ü",), ("gold", "")])
def test_what_cannot_be_asked_for(make: Callable[..., Any], values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="acr is printable ASCII"):
        make(*values)


# Whom a guard asks


async def one(request: Request) -> None: ...
async def two(self: object, websocket: WebSocket) -> None: ...
def three(name: str, *, request: Request) -> None: ...


@pytest.mark.parametrize("endpoint", [one, two, three])
def test_an_endpoint_that_has_it(endpoint: Callable[..., Any]) -> None:
    guarded = require_scopes("read")(endpoint)
    assert (guarded.__name__, guarded.__wrapped__) == (endpoint.__name__, endpoint)  # type: ignore[attr-defined]


async def socket(ws: WebSocket) -> None: ...
async def nothing() -> None: ...
async def anything(*request_: Any, **websocket_: Any) -> None: ...


@pytest.mark.parametrize("endpoint", [socket, nothing, anything])
def test_an_endpoint_without_one(endpoint: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="parameter named request or websocket"):
        require_scopes("read")(endpoint)


async def test_something_else_in_its_place() -> None:
    with pytest.raises(TypeError, match="request of a guarded endpoint is a Request or WebSocket, not str"):
        await require_scopes("read")(one)("request")  # type: ignore[arg-type]
