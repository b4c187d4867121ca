"""Group E: what every answer looks like, E13, E14, E16 to E19; and E10 where a proxy's header vouches for an origin."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from starlette.middleware.cors import CORSMiddleware

from jwt_refresh_middleware import JWTRefreshMiddleware

from ..leakage.pieces import windows
from ..web.asgi import Reply, ask
from ..web.problems import MEMBERS, TABLE, assert_form_error, assert_problem
from ..web.support import SECRET, Service, Tokens
from ..web.test_error_table import PROVOKE
from .attack import Target
from .forge import refresh_token

PAGE = "https://app.example.com"
_QUOTED = r'"[\x20-\x21\x23-\x5b\x5d-\x7e]*"'  # RFC 6750, 3
_CHALLENGE = re.compile(rf"Bearer realm={_QUOTED}(, [a-z_]+={_QUOTED})*")
_INTERNALS = ("Traceback", 'File "', "Error:", "Exception", "jwt_refresh_middleware/", "sqlite", ".py")


@pytest.fixture
async def heard(make_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> tuple[Service, list[str]]:
    """A service, and every token that it gives out."""
    service, given = make_service(public=["/", "/static/*"]), list[str]()
    make = service.tokens

    def noting(reply: Reply) -> Tokens:
        tokens = make(reply)
        given.extend([tokens.access, tokens.refresh])
        return tokens

    async def login(username: str = "alice", **request: Any) -> Tokens:
        return noting((await Service.login(service, username, **request)).reply)

    monkeypatch.setattr(service, "login", login)
    monkeypatch.setattr(service, "tokens", noting)
    return service, given


@pytest.fixture
def service(heard: tuple[Service, list[str]]) -> Service:
    return heard[0]


@pytest.mark.parametrize("code", [pytest.param(code, id=f"E14-{code}") for code in TABLE])
async def test_every_problem_has_one_shape(heard: tuple[Service, list[str]], code: str) -> None:
    service, given = heard
    reply = await PROVOKE[code](service)
    assert_problem(reply, code)
    content = reply.json()
    more = {"acr_values", "max_age"} if code == "step_up_required" else set()
    assert set(content) == MEMBERS | more
    for member in ("type", "title", "code", "detail", "action"):
        assert type(content[member]) is str
        assert content[member]
    assert (type(content["status"]), content["status"]) == (int, reply.status)
    assert content["error"] is None or type(content["error"]) is str
    said = reply.body.decode() + repr([value for name, value in reply.headers if name != b"set-cookie"])
    assert not any(internal in said for internal in _INTERNALS)
    pieces = windows(said)
    assert not any(pieces & windows(secret) for secret in [SECRET, *given])


@pytest.mark.parametrize("code", [pytest.param(row.code, id=f"E13-{row.code}") for row in TABLE.values()])
async def test_every_challenge_is_of_the_characters_that_may_be_there(service: Service, code: str) -> None:
    reply = await PROVOKE[code](service)
    for challenge in reply.all("www-authenticate"):
        assert _CHALLENGE.fullmatch(challenge)
    for name, value in reply.headers:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9a-z-]+", name)
        assert re.fullmatch(rb"[\x20-\x7e]*", value)


REALMS = ['the "api"', "back\\slash", "ünits", 'a", error="none', "\u2028", "x" * 300]


@pytest.mark.parametrize("audience", [pytest.param(a, id=f"E13-realm-{n}") for n, a in enumerate(REALMS)])
async def test_a_name_of_our_own_breaks_out_of_no_header(make_service: Callable[..., Service], audience: str) -> None:
    reply = await make_service(issuer={"audience": audience}).ask("GET", "/private")
    assert reply.code == "token_missing"
    challenge = reply.one("www-authenticate") or ""
    assert re.fullmatch(rf"Bearer realm={_QUOTED}", challenge), "a realm, and nothing beside it"


@pytest.mark.parametrize("code", [pytest.param(code, id=f"E18-{code}") for code in TABLE])
async def test_every_refusal_says_that_it_is_nobody_elses(service: Service, code: str) -> None:
    reply = await PROVOKE[code](service)
    assert reply.one("cache-control") == "no-store"
    vary = {name.strip().lower() for name in (reply.one("vary") or "").split(",")}
    assert vary >= {"authorization", "cookie", "origin", "sec-fetch-site"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"refresh_token": "made-up"}, "invalid_grant", id="E14-made-up"),
        pytest.param({"refresh_token": refresh_token(bytes(32), 7)}, "invalid_grant", id="E14-unknown"),
        pytest.param({}, "invalid_request", id="E14-none"),
        pytest.param({"refresh_token": "x", "grant_type": "password"}, "unsupported_grant_type", id="E14-other-grant"),
    ],
)
async def test_the_errors_of_oauth_have_the_shape_of_oauth(
    service: Service, fields: dict[str, str], error: str
) -> None:
    """RFC 6749, 5.2, for whoever speaks that dialect."""
    reply = await service.post("refresh", form={"grant_type": "refresh_token"} | fields)
    assert_form_error(reply, error)
    assert set(json.loads(reply.body)) == {"error", "error_description"}
    assert not windows(reply.body.decode()) & windows(fields.get("refresh_token", ""))


VOUCHERS: dict[str, dict[str, str]] = {
    "E10-x-forwarded-host": {"x-forwarded-host": "evil.example"},
    "E10-forwarded": {"forwarded": "for=203.0.113.7;host=evil.example;proto=https"},
    "E10-x-original-host": {"x-original-host": "evil.example", "x-host": "evil.example"},
    "E10-x-forwarded-server": {"x-forwarded-server": "evil.example", "x-http-host-override": "evil.example"},
    "E10-with-prefix": {"x-forwarded-host": "evil.example", "x-forwarded-prefix": "/", "x-forwarded-proto": "https"},
}


@pytest.mark.parametrize("headers", VOUCHERS.values(), ids=VOUCHERS)
@pytest.mark.parametrize("route", ["refresh", "logout"])
async def test_no_header_of_a_proxy_vouches_for_an_origin(target: Target, headers: dict[str, str], route: str) -> None:
    foreign = target.honest.by_cookie | {"origin": "https://evil.example"} | headers
    await target.attack("cross_origin", method="POST", path=f"/auth/{route}", headers=foreign)
    own = target.honest.by_cookie | {"origin": "https://testserver"} | headers
    assert (await target.service.post(route, headers=own)).status == 200


@pytest.mark.parametrize(
    "headers",
    [pytest.param({name: "alice"}, id=f"E10-{name}") for name in ("x-forwarded-user", "remote-user", "x-user")],
)
async def test_nobody_is_somebody_by_a_header(target: Target, headers: dict[str, str]) -> None:
    """Where nobody has to be anybody, either."""
    assert (await target.service.ask("GET", "/docs", headers=headers)).body == b"hello anonymous"


PREFLIGHT = {"origin": PAGE, "access-control-request-method": "POST"}


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=f"E16-{path}") for path in ("/private", "/auth/refresh", "/auth/login", "/docs")]
)
async def test_a_preflight_reaches_the_app_as_nobody(target: Target, path: str) -> None:
    target.service.store.calls.clear()
    for more in ({}, {"authorization": "Bearer made.up.token"}, target.honest.by_cookie):
        reply = await target.service.ask("OPTIONS", path, headers=PREFLIGHT | more)
        assert reply.body == b"hello anonymous"
        scope = target.service.inner.scopes[-1]
        assert (scope["user"].is_authenticated, list(scope["auth"].scopes)) == (False, [])
    assert target.service.store.calls == []


@pytest.mark.parametrize("missing", [pytest.param(name, id=f"E16-without-{name}") for name in PREFLIGHT])
async def test_any_other_options_is_a_request_like_another(target: Target, missing: str) -> None:
    headers = {name: value for name, value in PREFLIGHT.items() if name != missing}
    await target.attack("token_missing", method="OPTIONS", headers=headers)
    await target.attack("method_not_allowed", method="OPTIONS", path="/auth/refresh", headers=headers, reference=False)


@pytest.mark.parametrize(
    "method", [pytest.param(m, id=f"E16-{m}") for m in ("GET", "POST", "HEAD", "options", "OPTIONS ")]
)
async def test_only_options_is_a_preflight(target: Target, method: str) -> None:
    before = target.service.inner.calls
    reply = await target.service.ask(method, "/private", headers=PREFLIGHT)
    assert (reply.status, target.service.inner.calls) == (401, before)


async def test_e17_only_outside_ours_does_cors_middleware_see_a_refusal() -> None:
    service = Service()
    options: dict[str, Any] = {"allow_origins": [PAGE], "allow_credentials": True}
    outside = CORSMiddleware(service.app, **options)
    inside = JWTRefreshMiddleware(CORSMiddleware(service.inner, **options), issuer=service.issuer)
    for path, code in (("/private", "token_missing"), ("/auth/sessions", "token_missing")):
        seen, unseen = [await ask(app, "GET", path, headers={"origin": PAGE}) for app in (outside, inside)]
        assert_problem(unseen, code)
        assert (seen.status, seen.body) == (unseen.status, unseen.body)
        assert seen.one("access-control-allow-origin") == PAGE
        assert seen.one("www-authenticate") == unseen.one("www-authenticate")
        assert "origin" in " ".join(seen.all("vary")).lower()
        assert unseen.all("access-control-allow-origin") == []
    await service.aclose()


async def test_e18_e19_what_is_given_out_is_kept_by_nobody(target: Target) -> None:
    service, tokens = target.service, target.honest
    newer = await service.post("refresh", headers=tokens.by_cookie)
    by_body = await service.login("bob", body=True)
    form = {"grant_type": "refresh_token", "refresh_token": by_body.refresh}
    lists = [await service.ask(method, "/auth/sessions", headers=tokens.bearer) for method in ("GET", "DELETE")]
    by_form = await service.post("refresh", form=form)
    gone = await service.post("logout", headers=service.tokens(newer).by_cookie)
    given = [tokens.reply, newer, by_body.reply, by_form, gone]
    assert [reply.status for reply in (*given, *lists)] == [200, 200, 200, 200, 200, 200, 204]
    for reply in given:
        vary = {name.strip().lower() for name in (reply.one("vary") or "").split(",")}
        assert vary >= {"authorization", "cookie", "origin", "sec-fetch-site"}
    for reply in (*given, *lists):
        assert reply.one("cache-control") == "no-store"
        assert reply.all("www-authenticate") == [], "a challenge belongs to a refusal"
