"""login(), logout() and confirm() in handlers of the app do what the routes do, with the settings of the middleware."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from jwt_refresh_middleware import Cookie, Identity, Verifier, confirm, login, logout
from jwt_refresh_middleware.web.middleware import JWTRefreshMiddleware

from .asgi import ask
from .problems import assert_problem, deletes_cookie
from .support import PASSWORD, SECRET, Service


async def social(request: Request) -> Response:
    return await login(request, "social-user")


async def second_factor(request: Request) -> Response:
    return await login(request, Identity("mfa-user", ["read"], amr=["pwd", "otp"]))


async def leave(request: Request) -> Response:
    response = await logout(request)
    response.headers["x-mine"] = "kept"
    return response


async def leave_after_stream(request: Request) -> Response:
    async for _ in request.stream():
        pass
    return await logout(request)


async def leave_after_body(request: Request) -> Response:
    await request.json()
    return await logout(request)


async def check_code(request: Request) -> Response:
    if request.query_params.get("code") != "314159":
        return PlainTextResponse("wrong", 400)
    response = await confirm(request, amr=["pwd", "otp"], acr="urn:example:mfa")
    response.headers["x-mine"] = "kept"
    return response


async def check_again(request: Request) -> Response:
    return await confirm(request)


async def plain(_request: Request) -> Response:
    return PlainTextResponse("here")


APP = Starlette(
    routes=[
        Route("/social", social, methods=["GET", "POST"]),
        Route("/mfa", second_factor, methods=["POST"]),
        Route("/leave", leave, methods=["POST", "DELETE"]),
        Route("/leave/stream", leave_after_stream, methods=["POST"]),
        Route("/leave/body", leave_after_body, methods=["POST"]),
        Route("/code", check_code, methods=["POST"]),
        Route("/again", check_again, methods=["POST"]),
        Route("/private", plain),
    ]
)
PUBLIC = ["/social", "/mfa", "/leave", "/leave/*", "/again"]


@pytest.fixture
async def site() -> AsyncIterator[Service]:
    service = Service(app=APP, public=PUBLIC, allowed_origins=["https://app.example.com"])
    yield service
    await service.aclose()


async def test_login_is_as_the_route_answers(site: Service) -> None:
    reply = await site.ask("POST", "/social")
    mounted = (await site.login()).reply
    assert [name for name, _ in reply.headers] == [name for name, _ in mounted.headers]
    assert reply.json().keys() == mounted.json().keys()
    assert reply.one("cache-control") == "no-store"
    tokens = site.tokens(reply)
    assert (await site.get_in(tokens)).body == b"here"
    assert site.issuer.verifier.verify(tokens.access).subject == "social-user"


async def test_login_with_an_identity_in_the_body_transport(site: Service) -> None:
    reply = await site.ask("POST", "/mfa", headers={"x-token-transport": "body"})
    assert reply.all("set-cookie") == []
    tokens = site.tokens(reply)
    token = site.issuer.verifier.verify(tokens.access)
    assert (token.subject, token.scopes, token.claims["amr"]) == ("mfa-user", ("read",), ["pwd", "otp"])


async def test_login_uses_the_settings_of_the_middleware() -> None:
    service = Service(app=APP, public=PUBLIC, cookie=Cookie(name="rt", path="/auth"), field_case="camel")
    reply = await service.ask("POST", "/social")
    assert reply.json()["tokenType"] == "Bearer"
    assert (reply.one("set-cookie") or "").startswith("__Secure-rt=")
    await service.aclose()


async def test_login_from_a_page_of_another_origin(site: Service) -> None:
    reply = await site.ask("POST", "/social", headers={"origin": "https://evil.example"})
    assert_problem(reply, "cross_origin")
    assert "add" not in site.store.calls
    assert (await site.ask("POST", "/social", headers={"origin": "https://app.example.com"})).status == 200


async def test_the_way_back_from_an_identity_provider_is_a_get_from_another_site(site: Service) -> None:
    """The handler's own ``state`` protects it; the mounted routes take no GET."""
    reply = await site.ask("GET", "/social", headers={"sec-fetch-site": "cross-site"})
    assert (await site.get_in(site.tokens(reply))).body == b"here"
    assert (await site.ask("HEAD", "/social", headers={"sec-fetch-site": "cross-site"})).status == 403


async def test_login_without_a_store(site: Service) -> None:
    await site.login()
    site.store.failure = OSError()
    assert_problem(await site.ask("POST", "/social"), "store_unavailable")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_logout_ends_the_session_and_deletes_the_cookie(site: Service, method: str) -> None:
    tokens = await site.login()
    reply = await site.ask(method, "/leave", headers=tokens.by_cookie)
    assert (reply.status, reply.json(), reply.one("x-mine")) == (200, {"status": "logged_out"}, "kept")
    assert deletes_cookie(reply)
    assert_problem(await site.get_in(tokens), "token_revoked")


async def test_logout_everywhere_by_the_body(site: Service) -> None:
    here, there = await site.login(), await site.login()
    await site.ask("POST", "/leave", headers=here.by_cookie, json_body={"all": True})
    assert_problem(await site.get_in(there), "token_revoked")


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/leave", {"body": b"anything", "headers": {"content-type": "text/plain"}}),
        ("/leave", {"form": {"all": "true"}}),
        ("/leave/stream", {"body": [b"a", b"b"], "headers": {"content-type": "application/json"}}),
        ("/leave/body", {"json_body": {"confirm": "yes"}}),
    ],
)
async def test_bodies_of_the_apps_own_do_not_disturb(site: Service, path: str, request_: dict[str, Any]) -> None:
    here, there = await site.login(), await site.login()
    headers = request_.pop("headers", {}) | here.by_cookie
    reply = await site.ask("POST", path, headers=headers, **request_)
    assert reply.json() == {"status": "logged_out"}
    assert_problem(await site.get_in(here), "token_revoked")
    assert (await site.get_in(there)).status == 200


async def test_logout_by_the_access_token_alone(site: Service) -> None:
    tokens = await site.login(body=True)
    assert (await site.ask("POST", "/leave", headers=tokens.bearer)).status == 200
    assert_problem(await site.get_in(tokens), "token_revoked")


async def test_logout_from_a_page_of_another_origin(site: Service) -> None:
    tokens = await site.login()
    reply = await site.ask("POST", "/leave", headers=tokens.by_cookie | {"sec-fetch-site": "cross-site"})
    assert_problem(reply, "cross_origin")
    assert (await site.get_in(tokens)).status == 200


async def test_confirm_notes_a_second_factor(site: Service) -> None:
    tokens = await site.login()
    site.clock.advance(60)
    assert (await site.ask("POST", "/code", headers=tokens.bearer)).status == 400
    mounted = await site.post("step-up", headers=tokens.bearer, json_body={"username": "alice", "password": PASSWORD})
    reply = await site.ask("POST", "/code?code=314159", headers=tokens.bearer | tokens.by_cookie)
    assert [name for name, _ in reply.headers] == [*(name for name, _ in mounted.headers), b"x-mine"]
    assert reply.json().keys() == mounted.json().keys()
    token = site.issuer.verifier.verify(reply.json()["access_token"])
    assert (token.auth_time, token.claims["amr"], token.claims["acr"]) == (
        site.clock.now, ["pwd", "otp"], "urn:example:mfa",
    )  # fmt: skip
    assert (token.subject, token.scopes, token.claims["plan"]) == ("alice", ("read", "write"), "pro")
    refreshed = site.tokens(await site.post("refresh", headers=tokens.by_cookie))
    assert site.issuer.verifier.verify(refreshed.access).claims["acr"] == "urn:example:mfa"


async def test_confirm_takes_where_the_person_is(site: Service) -> None:
    tokens = await site.login()
    await site.ask("POST", "/code?code=314159", headers=tokens.bearer, client=("198.51.100.9", 40_000))
    (session,) = await site.issuer.sessions("alice")
    assert session.device.ip == "198.51.100.9"


async def test_confirm_needs_a_session(site: Service) -> None:
    assert_problem(await site.ask("POST", "/again"), "token_missing")
    assert_problem(await site.ask("POST", "/again", headers={"authorization": "Bearer x"}), "token_invalid")
    tokens = await site.login()
    assert_problem(await site.ask("POST", "/again", headers=tokens.by_cookie), "token_missing", action="refresh")
    await site.store.revoke(site.issuer.session_id_of(tokens.refresh), now=site.clock.now, reason="elsewhere")
    assert_problem(await site.ask("POST", "/again", headers=tokens.bearer), "token_revoked")


async def test_confirm_without_a_store(site: Service) -> None:
    tokens = await site.login()
    site.store.failure = OSError()
    assert_problem(await site.ask("POST", "/again", headers=tokens.bearer), "store_unavailable")


@pytest.mark.parametrize("path", ["/social", "/leave", "/again"])
async def test_without_the_middleware(path: str) -> None:
    with pytest.raises(RuntimeError, match="JWTRefreshMiddleware"):
        await ask(APP, "POST", path)


@pytest.mark.parametrize("path", ["/social", "/leave", "/again"])
async def test_with_a_verifier_only(path: str) -> None:
    app = JWTRefreshMiddleware(Starlette(routes=APP.routes), verifier=Verifier(SECRET), public=PUBLIC)
    with pytest.raises(RuntimeError, match="issuer"):
        await ask(app, "POST", path)
