"""Which paths need a token: exact and canonical, whole segments, under mounts; optional tokens; preflights."""

from collections.abc import Callable
from typing import Any

import pytest

from .asgi import HeaderList
from .problems import assert_problem
from .support import Service

BAD_TOKEN = {"authorization": "Bearer made.up.token"}
PREFLIGHT = {"origin": "https://app.example.com", "access-control-request-method": "POST"}

PUBLIC = ["/", "/static/", "/static/app.js", "/static/a/b/c", "/static/ü", "/static/a.b..c/...", "/static/ "]
PROTECTED = [
    "", "//", "/x", "/static", "/static2", "/Static/app.js", "/STATIC/app.js", "/static//", "//static/app.js",
    "/static//app.js", "/static/../private", "/static/./app.js", "/static/..", "/static/.", "/./", "/../",
    "/static/app.js\n", "/\n", "/static/\x00", "/static/\x7f", "/static/\x85", "/static/\x1f", "/static/a;b", "/;",
    "/static/%2e%2e/private", "/static/a%b", "/static\\app.js", "/static/..\\private", "/static/\ufffd", "/private/../",
    " /", "/ ", "/static/a/..", "static/app.js", "*", "@evil.example",
]  # fmt: skip


@pytest.mark.parametrize("path", PUBLIC)
async def test_public(service: Service, path: str) -> None:
    assert (await service.ask("GET", path)).body == b"hello anonymous"


@pytest.mark.parametrize("path", PROTECTED)
async def test_protected(service: Service, path: str) -> None:
    reply = await service.ask("GET", path)
    assert_problem(reply, "token_missing")
    assert service.inner.calls == 0


@pytest.mark.parametrize("path", PROTECTED)
async def test_a_good_token_opens_every_path(service: Service, path: str) -> None:
    tokens = await service.login()
    assert (await service.get_in(tokens, path)).body == b"hello alice"


async def test_a_good_token_is_recognised_on_a_public_path(service: Service) -> None:
    assert (await service.get_in(await service.login(), "/static/app.js")).body == b"hello alice"


@pytest.mark.parametrize(
    "headers",
    [
        BAD_TOKEN,
        {"authorization": ""},
        {"authorization": "Bearer"},
        [("authorization", "Bearer a")] * 2,
        {"authorization": "Basic x"},
    ],
)
async def test_a_bad_token_is_ignored_on_a_public_path(service: Service, headers: HeaderList) -> None:
    reply = await service.ask("GET", "/", headers=headers)
    assert (reply.status, reply.body) == (200, b"hello anonymous")


@pytest.mark.parametrize("state", ["expired", "revoked"])
async def test_a_dead_token_is_ignored_on_a_public_path(service: Service, state: str) -> None:
    tokens = await service.login()
    if state == "expired":
        service.clock.advance(900)
    else:
        await service.issuer.logout(tokens.refresh)
    assert (await service.get_in(tokens, "/")).body == b"hello anonymous"


async def test_what_the_app_sees_of_an_anonymous_request(service: Service) -> None:
    await service.ask("GET", "/")
    scope = service.inner.scopes[0]
    assert scope["user"].is_authenticated is False
    assert list(scope["auth"].scopes) == []


async def test_what_the_app_sees_of_a_token(service: Service) -> None:
    await service.get_in(await service.login())
    scope = service.inner.scopes[0]
    user, token = scope["user"], scope["user"].token
    assert (user.is_authenticated, user.identity, user.display_name) == (True, "alice", "alice")
    assert list(scope["auth"].scopes) == ["authenticated", "read", "write"]
    assert (token.subject, token.scopes, token.claims["plan"]) == ("alice", ("read", "write"), "pro")
    assert (token.issued_at, token.expires_at) == (service.clock(), service.clock() + 900)


async def test_optional(make_service: Callable[..., Service]) -> None:
    service = make_service(required=False)
    tokens = await service.login()
    assert (await service.ask("GET", "/x")).body == b"hello anonymous"
    assert (await service.ask("GET", "/x", headers={"authorization": "Basic eDp5"})).body == b"hello anonymous"
    assert (await service.get_in(tokens)).body == b"hello alice"
    assert_problem(await service.ask("GET", "/x", headers=BAD_TOKEN), "token_invalid")
    assert_problem(await service.ask("GET", "/x", headers={"authorization": "Bearer "}), "token_malformed")
    service.clock.advance(900)
    assert_problem(await service.get_in(tokens), "token_expired")
    assert_problem(await service.ask("GET", "/auth/sessions"), "token_missing")


@pytest.mark.parametrize("path", ["/private", "/auth/refresh", "/auth/login", "/auth/sessions"])
@pytest.mark.parametrize("token", [{}, BAD_TOKEN])
@pytest.mark.case("E16")
async def test_a_preflight_passes(service: Service, path: str, token: dict[str, str]) -> None:
    reply = await service.ask("OPTIONS", path, headers=PREFLIGHT | token)
    assert reply.body == b"hello anonymous"


@pytest.mark.parametrize("missing", PREFLIGHT)
@pytest.mark.case("E16")
async def test_other_options_requests_are_protected(service: Service, missing: str) -> None:
    headers = {name: value for name, value in PREFLIGHT.items() if name != missing}
    assert_problem(await service.ask("OPTIONS", "/private", headers=headers), "token_missing")


async def test_only_options_is_a_preflight(service: Service) -> None:
    assert_problem(await service.ask("POST", "/private", headers=PREFLIGHT), "token_missing")


@pytest.mark.parametrize("includes_root", [True, False])
@pytest.mark.case("F06")
async def test_behind_a_root_path(service: Service, includes_root: bool) -> None:
    """ASGI says that ``path`` includes ``root_path``; older servers leave it out."""
    root = "/api" if includes_root else ""
    tokens = await service.login()
    more: dict[str, Any] = {"root_path": "/api"}
    assert (await service.ask("GET", root + "/static/x", **more)).body == b"hello anonymous"
    assert_problem(await service.ask("GET", root + "/private", **more), "token_missing")
    assert (await service.ask("POST", root + "/auth/refresh", headers=tokens.by_cookie, **more)).status == 200
    assert_problem(await service.ask("GET", "/apistatic/x", **more), "token_missing")


async def test_another_path_that_begins_like_the_root_path(service: Service) -> None:
    assert_problem(await service.ask("GET", "/staticx/y", root_path="/static"), "token_missing")


@pytest.mark.parametrize("path", ["/static/api/private", "/static/x/api", "/static/apix", "/static/x/api/"])
async def test_a_root_path_that_stands_elsewhere_in_the_path(service: Service, path: str) -> None:
    """Litestar takes it out wherever it stands: what it serves is not what was asked for."""
    assert_problem(await service.ask("GET", path, root_path="/api"), "token_missing")
    assert service.inner.calls == 0
    assert (await service.ask("GET", "/api" + path, root_path="/api")).body == b"hello anonymous"
    assert (await service.ask("GET", path)).body == b"hello anonymous"


@pytest.mark.parametrize(
    "public",
    [["docs"], [""], ["/a*"], ["/*/x"], ["/a//b"], ["/a/../b"], ["/a;b"], ["/a%20b"], ["/a\\b"], ["*"], ["/a\n"]],
)
def test_what_cannot_be_public(public: list[str]) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        Service(public=public)


def test_public_is_a_list() -> None:
    with pytest.raises(TypeError):
        Service(public="/")


@pytest.mark.parametrize("options", [{"prefix": ""}, {"prefix": "auth"}, {"prefix": "/auth/"}, {"field_case": "kebab"}])
def test_options_that_cannot_work(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Service(**options)


async def test_everything_is_public_with_one_pattern(make_service: Callable[..., Service]) -> None:
    service = make_service(public=["/*"])
    assert (await service.ask("GET", "/any/thing")).body == b"hello anonymous"
    assert_problem(await service.ask("GET", "/any/../thing"), "token_missing")
    assert_problem(await service.ask("GET", "/auth/sessions"), "token_missing")
