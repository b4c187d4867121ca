"""Guards as decorators of Starlette's endpoints: scopes, a recent login and a strong one (RFC 9470)."""

import threading
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from jwt_refresh_middleware import JWTRefreshMiddleware
from jwt_refresh_middleware.starlette import require_acr, require_fresh, require_scopes
from jwt_refresh_middleware.testing import NOW, Clock

from ..unit import tokens
from .asgi import Reply, ask, handshake
from .problems import assert_problem
from .test_websocket import CLOSED, RESPONSE, problem

GOLD, SILVER = "urn:example:gold", "urn:example:silver"
CLOCK = Clock()
fresh = require_fresh(max_age=300, clock=CLOCK)
strong = require_acr(GOLD, SILVER)


@fresh
async def pay(request: Request) -> Response:
    return PlainTextResponse("paid " + request.path_params["what"])


@strong
def sign(request: Request) -> Response:
    return PlainTextResponse("the loop" if threading.current_thread() is threading.main_thread() else "a thread")


@require_scopes("read", "admin")
async def administer(request: Request) -> Response:
    return PlainTextResponse("done")


@fresh
@strong
async def both(request: Request) -> Response:
    return PlainTextResponse("both")


class Account(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return PlainTextResponse("shown")

    @fresh
    async def delete(self, request: Request) -> Response:
        return PlainTextResponse("deleted")

    @strong
    def put(self, request: Request) -> Response:
        return PlainTextResponse("put")


@strong
async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("in")
    await websocket.close()


class Socket(WebSocketEndpoint):
    @fresh
    async def on_connect(self, websocket: WebSocket) -> None:
        await websocket.accept()


@strong
async def act(websocket: WebSocket) -> None:
    await websocket.send_text("acted")


async def open_first(websocket: WebSocket) -> None:
    await websocket.accept()
    await act(websocket)
    await websocket.close()


@fresh
async def greet(name: str, *, request: Request) -> Response:
    return PlainTextResponse(f"hello {name}")


async def hello(request: Request) -> Response:
    return await greet("you", request=request)


APP = Starlette(
    routes=[
        Route("/pay/{what}", pay, methods=["POST"]),
        Route("/sign", sign),
        Route("/administer", administer),
        Route("/both", both),
        Route("/account", Account),
        Route("/hello", hello),
        WebSocketRoute("/socket", socket),
        WebSocketRoute("/endpoint", Socket),
        WebSocketRoute("/open", open_first),
    ]
)


@pytest.fixture
def clock() -> Clock:
    CLOCK.now = NOW
    return CLOCK


@pytest.fixture
def site(clock: Clock) -> Any:
    return JWTRefreshMiddleware(APP, verifier=tokens.verifier(clock), public=["/hello"])


def signed(**claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens.token(**claims)}"}


def assert_demands(reply: Reply, **asked: Any) -> None:
    """A step-up that names all of ``asked`` in body and challenge, and nothing else (RFC 9470, 3)."""
    assert_problem(reply, "step_up_required")
    content, challenge = reply.json(), reply.one("www-authenticate") or ""
    assert {"acr_values": content["acr_values"], "max_age": content["max_age"]} == {
        "acr_values": None,
        "max_age": None,
    } | asked
    assert 'error="insufficient_user_authentication"' in challenge
    for name in ("acr_values", "max_age"):
        assert (f'{name}="{asked.get(name)}"' in challenge) == (name in asked)


async def test_fresh_until_the_very_second(site: Any, clock: Clock) -> None:
    clock.advance(300)
    assert (await ask(site, "POST", "/pay/rent", headers=signed())).body == b"paid rent"
    clock.advance(1)
    assert_demands(await ask(site, "POST", "/pay/rent", headers=signed()), max_age=300)


async def test_a_token_that_does_not_say_when_is_not_fresh(site: Any) -> None:
    assert_demands(await ask(site, "POST", "/pay/rent", headers=signed(auth_time=None)), max_age=300)


@pytest.mark.parametrize("acr", [GOLD, SILVER])
async def test_one_of_several_contexts_is_enough(site: Any, acr: str) -> None:
    assert (await ask(site, "GET", "/sign", headers=signed(acr=acr))).body == b"a thread"


@pytest.mark.parametrize("acr", [None, "urn:example:bronze", f"{GOLD} {SILVER}", [GOLD], 1, True, {}])
async def test_any_other_context_is_not(site: Any, acr: Any) -> None:
    assert_demands(await ask(site, "GET", "/sign", headers=signed(acr=acr)), acr_values=f"{GOLD} {SILVER}")


async def test_scopes_that_are_missing_are_named(site: Any) -> None:
    refused = await ask(site, "GET", "/administer", headers=signed(scope="read write"))
    assert_problem(refused, "insufficient_scope")
    assert 'scope="read admin"' in (refused.one("www-authenticate") or "")
    assert (await ask(site, "GET", "/administer", headers=signed(scope="admin read"))).body == b"done"


async def test_two_guards_are_asked_one_after_the_other(site: Any, clock: Clock) -> None:
    assert (await ask(site, "GET", "/both", headers=signed(acr=GOLD))).body == b"both"
    assert_demands(await ask(site, "GET", "/both", headers=signed()), acr_values=f"{GOLD} {SILVER}")
    clock.advance(301)
    assert_demands(await ask(site, "GET", "/both", headers=signed(acr=GOLD)), max_age=300)


@pytest.mark.parametrize(
    ("method", "asked"), [("DELETE", {"max_age": 300}), ("PUT", {"acr_values": f"{GOLD} {SILVER}"})]
)
async def test_methods_of_a_class(site: Any, clock: Clock, method: str, asked: dict[str, Any]) -> None:
    assert (await ask(site, method, "/account", headers=signed(acr=GOLD))).status == 200
    clock.advance(301)
    assert_demands(await ask(site, method, "/account", headers=signed()), **asked)
    assert (await ask(site, "GET", "/account", headers=signed())).body == b"shown"


async def test_a_request_that_comes_by_name(site: Any, clock: Clock) -> None:
    assert (await ask(site, "GET", "/hello", headers=signed())).body == b"hello you"
    clock.advance(301)
    assert_demands(await ask(site, "GET", "/hello", headers=signed()), max_age=300)


async def test_who_is_anonymous_is_asked_for_a_token_first(site: Any) -> None:
    assert_problem(await ask(site, "GET", "/hello"), "token_missing")
    assert_problem(await ask(site, "GET", "/hello", headers={"authorization": "Bearer x"}), "token_invalid")


# WebSockets


async def test_a_socket_is_refused_before_it_is_accepted(site: Any) -> None:
    assert [message["type"] for message in await handshake(site, "/socket", headers=signed(acr=GOLD))] == [
        "websocket.accept",
        "websocket.send",
        "websocket.close",
    ]
    assert await handshake(site, "/socket", headers=signed()) == CLOSED
    refused = problem(await handshake(site, "/socket", headers=signed(), extensions=RESPONSE))
    assert_demands(refused, acr_values=f"{GOLD} {SILVER}")


async def test_a_method_of_a_socket_class(site: Any, clock: Clock) -> None:
    assert (await handshake(site, "/endpoint", headers=signed()))[0]["type"] == "websocket.accept"
    clock.advance(301)
    assert_demands(problem(await handshake(site, "/endpoint", headers=signed(), extensions=RESPONSE)), max_age=300)


async def test_an_open_socket_is_closed_and_told_why(site: Any) -> None:
    sent = await handshake(site, "/open", headers=signed(acr=SILVER))
    assert sent[1] == {"type": "websocket.send", "text": "acted"}
    sent = await handshake(site, "/open", headers=signed(), extensions=RESPONSE)
    assert sent[1:] == [{"type": "websocket.close", "code": 4401, "reason": "step_up_required"}]


# What is wrong with an app


async def test_without_the_middleware() -> None:
    with pytest.raises(RuntimeError, match="need JWTRefreshMiddleware"):
        await ask(APP, "POST", "/pay/rent")


def test_a_guarded_endpoint_is_still_itself() -> None:
    assert (pay.__name__, sign.__name__, Account.delete.__qualname__) == ("pay", "sign", "Account.delete")
