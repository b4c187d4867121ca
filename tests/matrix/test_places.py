"""Where the middleware stands: beside CORSMiddleware in both orders, inside and around mounts (E16, E17, F06)."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ..web.asgi import Reply
from ..web.problems import assert_problem
from ..web.support import PASSWORD, Tokens
from .serving import SERVERS, Running

ORIGIN = "https://app.example.com"
CREDENTIALS = {"username": "alice", "password": PASSWORD}


@pytest.fixture(scope="session", params=SERVERS)
def started_places(request: pytest.FixtureRequest) -> Iterator[Running]:
    running = Running("places", request.param)
    yield running
    running.close()


class Place:
    """One of the apps in the process."""

    def __init__(self, running: Running, name: str) -> None:
        self.name = name
        self._running = running
        self._host = {"host": name}

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **content: Any) -> Reply:
        return self._running.ask(method, path, self._host | dict(headers or {}), **content)


@pytest.fixture
def place(started_places: Running, request: pytest.FixtureRequest) -> Place:
    return Place(started_places.ready(), request.param)


def preflight(place: Place, method: str, path: str, headers: str = "authorization") -> Reply:
    """The question of a browser before the request itself: without credentials, by its nature."""
    asked = {"access-control-request-method": method, "access-control-request-headers": headers}
    return place.ask("OPTIONS", path, {"origin": ORIGIN} | asked)


def readable(reply: Reply) -> bool:
    """Whether a page of the other origin may see the answer, sent with credentials."""
    allowed = (reply.one("access-control-allow-origin"), reply.one("access-control-allow-credentials"))
    assert allowed in ((ORIGIN, "true"), (None, None))
    return allowed[0] is not None


OUTSIDE = ["cors-outside-starlette", "cors-outside-fastapi"]
INSIDE = ["cors-inside-starlette", "cors-inside-fastapi"]


@pytest.mark.parametrize("place", OUTSIDE, indirect=True)
def test_with_cors_outside_a_page_can_read_everything(place: Place) -> None:
    for method, path in (("GET", "/me"), ("POST", "/auth/login"), ("POST", "/auth/refresh")):
        reply = preflight(place, method, path)
        assert (reply.status, readable(reply)) == (200, True)
    login = place.ask("POST", "/auth/login", {"origin": ORIGIN}, json_body=CREDENTIALS)
    tokens = Tokens(login)
    refreshed = place.ask("POST", "/auth/refresh", tokens.by_cookie | {"origin": ORIGIN})
    answer = place.ask("GET", "/me", tokens.bearer | {"origin": ORIGIN})
    assert (answer.status, answer.json()) == (200, {"who": "alice"})
    refused = place.ask("GET", "/me", {"origin": ORIGIN})
    assert_problem(refused, "token_missing")
    invalid = place.ask("GET", "/me", {"origin": ORIGIN, "authorization": "Bearer made.up.token"})
    assert_problem(invalid, "token_invalid")
    for reply in (login, refreshed, answer, refused, invalid):
        assert readable(reply)
        assert "www-authenticate" in (reply.one("access-control-expose-headers") or "").lower()


@pytest.mark.parametrize("place", INSIDE, indirect=True)
def test_with_cors_inside_a_page_cannot_read_what_the_middleware_answers(place: Place) -> None:
    """The preflight passes and the answers of the app are fine, so that it looks right until a token expires."""
    assert readable(preflight(place, "GET", "/me"))
    login = place.ask("POST", "/auth/login", {"origin": ORIGIN}, json_body=CREDENTIALS)
    tokens = Tokens(login)
    assert readable(place.ask("GET", "/me", tokens.bearer | {"origin": ORIGIN}))
    refused = place.ask("GET", "/me", {"origin": ORIGIN})
    assert_problem(refused, "token_missing")
    assert not readable(refused)
    assert not readable(login)
    assert not readable(place.ask("POST", "/auth/refresh", tokens.by_cookie | {"origin": ORIGIN}))


@pytest.mark.parametrize("place", OUTSIDE + INSIDE, indirect=True)
def test_another_origin_is_refused_in_both_orders(place: Place) -> None:
    evil = {"origin": "https://evil.example"}
    reply = place.ask("POST", "/auth/login", evil, json_body=CREDENTIALS)
    assert_problem(reply, "cross_origin")
    assert reply.one("access-control-allow-origin") is None
    asked = evil | {"access-control-request-method": "GET"}
    assert place.ask("OPTIONS", "/me", asked).one("access-control-allow-origin") is None


MOUNTED = {
    "inside-a-mount": "/api",
    "around-a-mounted-app": "/api",
    "two-mounts-deep": "/v1/api",
    "in-a-sub-application": "/api",
    "a-bare-app-in-a-mount": "/api",
    "litestar-in-a-mount": "/api",
    "quart-in-a-mount": "/api",
    "django-in-a-mount": "/api",
}


@pytest.mark.parametrize(("place", "base"), MOUNTED.items(), indirect=["place"])
def test_inside_a_mount_everything_is_relative_to_it(place: Place, base: str) -> None:
    tokens = Tokens(place.ask("POST", f"{base}/auth/login", json_body=CREDENTIALS))
    assert place.ask("GET", f"{base}/me", tokens.bearer).json()["who"] == "alice"
    assert place.ask("GET", f"{base}/open").status == 200
    for path in ("/me", "/nothing", "//open", "/open/", f"{base}/open", "/../open"):
        assert_problem(place.ask("GET", base + path), "token_missing")
    assert place.ask("GET", f"{base}/open%0A").status in (401, 404)  # two mounts deep, Starlette finds nothing there
    assert Tokens(place.ask("POST", f"{base}/auth/refresh", tokens.by_cookie)).refresh != tokens.refresh
    assert place.ask("POST", f"{base}/auth/logout", tokens.by_cookie).status == 200
    assert_problem(place.ask("GET", f"{base}/me", tokens.bearer), "token_revoked")


@pytest.mark.parametrize("place", MOUNTED, indirect=True)
def test_inside_a_mount_the_rest_of_the_app_is_not_ours(place: Place) -> None:
    assert place.ask("GET", "/open").json() == {"who": "nobody asked"}
    assert place.ask("POST", "/auth/login", json_body=CREDENTIALS).status == 404


@pytest.mark.parametrize("place", ["around-mounts"], indirect=True)
def test_around_mounts_paths_are_whole(place: Place) -> None:
    tokens = Tokens(place.ask("POST", "/auth/login", json_body=CREDENTIALS))
    for base in ("", "/api"):
        assert place.ask("GET", f"{base}/me", tokens.bearer).json() == {"who": "alice"}
        assert place.ask("GET", f"{base}/open").json() == {"who": "anonymous"}
        assert place.ask("GET", f"{base}/open", tokens.bearer).json() == {"who": "alice"}
        assert_problem(place.ask("GET", f"{base}/me"), "token_missing")
        assert_problem(place.ask("GET", f"{base}//open"), "token_missing")
    assert_problem(place.ask("POST", "/api/auth/login", json_body=CREDENTIALS), "token_missing")


@pytest.mark.parametrize("place", ["with-a-root-path-of-its-own"], indirect=True)
def test_a_prefix_that_the_app_names_itself_may_be_there_or_not(place: Place) -> None:
    for base in ("", "/api"):
        tokens = Tokens(place.ask("POST", f"{base}/auth/login", json_body=CREDENTIALS))
        assert place.ask("GET", f"{base}/me", tokens.bearer).json() == {"who": "alice"}
        assert place.ask("GET", f"{base}/open").json() == {"who": "anonymous"}
        assert_problem(place.ask("GET", f"{base}/me"), "token_missing")
    assert_problem(place.ask("GET", "/api/api/open"), "token_missing")


@pytest.mark.parametrize("place", ["around-mounts", "around-a-mounted-app"], indirect=True)
def test_an_error_of_ours_passes_by_the_500_of_an_app_that_is_wrapped_or_mounted(place: Place) -> None:
    """Starlette answers 500 before it raises an exception further."""
    base = "" if place.name == "around-mounts" else "/api"
    tokens = Tokens(place.ask("POST", f"{base}/auth/login", json_body=CREDENTIALS))
    assert_problem(place.ask("GET", "/api/fails", tokens.bearer), "insufficient_scope")
