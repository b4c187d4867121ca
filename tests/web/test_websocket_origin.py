"""Who may open a socket from a page: our own origin and the allowed ones; no browser asks CORS before it does."""

from collections.abc import Callable
from typing import Any

import pytest

from jwt_refresh_middleware import JWTRefreshMiddleware, Verifier

from .asgi import HeaderList, Reply
from .problems import assert_problem
from .sockets.talking import RESPONSE, App, Talk
from .support import SECRET, Service

ALLOWED = "https://app.example.com"
GOOD: list[tuple[HeaderList, dict[str, Any]]] = [
    ({}, {}),
    ({"origin": "https://testserver"}, {}),
    ({"origin": "HTTPS://TestServer"}, {}),
    ({"origin": "https://testserver"}, {"scheme": "https"}),
    ({"origin": "http://testserver"}, {"scheme": "ws"}),
    ({"origin": "https://testserver", "host": "testserver:443"}, {}),
    ({"origin": "http://testserver", "host": "testserver:80"}, {"scheme": "ws"}),
    ({"origin": "http://testserver:8000", "host": "testserver:8000"}, {"scheme": "ws"}),
    ({"origin": ALLOWED}, {}),
]
BAD: list[tuple[HeaderList, dict[str, Any]]] = [
    ({"origin": "https://evil.example"}, {}),
    ({"origin": "https://testserver.evil.example"}, {}),
    ({"origin": "https://testserver:8443"}, {}),
    ({"origin": "http://testserver"}, {}),
    ({"origin": "https://testserver"}, {"scheme": "ws"}),
    ({"origin": "wss://testserver"}, {}),
    ({"origin": "null"}, {}),
    ({"origin": ""}, {}),
    ({"origin": f"{ALLOWED}/"}, {}),
    ({"origin": f"{ALLOWED}, https://evil.example"}, {}),
    ([("origin", ALLOWED), ("origin", ALLOWED)], {}),
    ([("origin", "https://testserver"), ("host", "testserver"), ("host", "testserver")], {}),
    ({"origin": "https://testserver", "host": ""}, {}),
    ({"origin": "https://evil.example", "sec-fetch-site": "same-origin"}, {}),
]


def gateway(app: App) -> Any:
    return JWTRefreshMiddleware(app, verifier=Verifier(SECRET), public=["/lobby"], allowed_origins=[ALLOWED])


@pytest.fixture(params=["issuer", "gateway"])
def make_app(request: pytest.FixtureRequest, make_service: Callable[..., Service]) -> Callable[[App], Any]:
    if request.param == "gateway":
        return gateway
    return lambda app: make_service(app=app, public=["/lobby"], allowed_origins=[ALLOWED]).app


@pytest.mark.parametrize(("headers", "scope"), GOOD)
async def test_let_in(make_app: Callable[[App], Any], headers: HeaderList, scope: dict[str, Any]) -> None:
    talk = Talk(make_app(App()), "/lobby", headers, **scope)
    await talk.accepted()
    await talk.leave()


@pytest.mark.parametrize(("headers", "scope"), BAD)
async def test_refused_also_on_a_public_path(
    make_app: Callable[[App], Any], headers: HeaderList, scope: dict[str, Any]
) -> None:
    app = App()
    talk = Talk(make_app(app), "/lobby", headers, extensions=RESPONSE, **scope)
    start, body = await talk.said(), await talk.said()
    assert_problem(Reply(start["status"], tuple(start["headers"]), body["body"]), "cross_origin")
    await talk.over()
    talk = Talk(make_app(app), "/lobby", headers, **scope)
    assert await talk.said() == {"type": "websocket.close", "code": 4403}
    await talk.over()
    assert app.scopes == []


async def test_a_good_token_does_not_make_up_for_it(make_service: Callable[..., Service]) -> None:
    app = App()
    service = make_service(app=app)
    tokens = await service.login()
    service.store.calls.clear()
    for headers, protocols in ((tokens.bearer, ()), (tokens.by_cookie, ()), ({}, ("bearer", tokens.access))):
        talk = Talk(service.app, "/chat", {**headers, "origin": "https://evil.example"}, protocols)
        assert await talk.said() == {"type": "websocket.close", "code": 4403}
        await talk.over()
    assert (app.scopes, service.store.calls) == ([], [])


def test_the_origins_of_a_gateway_are_looked_at_when_it_is_made() -> None:
    for wrong in ("https://*.example.com", "app.example.com", f"{ALLOWED}/"):
        with pytest.raises(ValueError, match="is not an origin"):
            JWTRefreshMiddleware(App(), verifier=Verifier(SECRET), allowed_origins=[wrong])
