"""Under a prefix that a proxy takes off or not, which the server is told with ``--root-path`` (F06)."""

from collections.abc import Iterator

import pytest

from ..web.problems import assert_problem
from ..web.support import PASSWORD, Tokens
from .conftest import MATRIX
from .serving import Running

ROOT = "/api"
STRIPPED = ["uvicorn-h11", "uvicorn-httptools"]
"""Servers that put the prefix in front of every path, as ASGI has it: the proxy is expected to take it off. The others
leave paths as they came, so that they want a proxy that passes the prefix on; a path without it is taken as well."""


@pytest.fixture(scope="session", params=MATRIX, ids=["-on-".join(cell) for cell in MATRIX])
def started_below(request: pytest.FixtureRequest) -> Iterator[Running]:
    running = Running(*request.param, root_path=ROOT)
    yield running
    running.close()


@pytest.fixture
def below(started_below: Running) -> Running:
    return started_below.ready()


def bases(running: Running) -> list[str]:
    """What stands before a path as the server sees it."""
    if running.server in STRIPPED:
        return [""]
    return [ROOT] if running.framework == "quart" else [ROOT, ""]  # Quart serves nothing without it


def test_the_same_decisions_relative_to_the_prefix(below: Running) -> None:
    for base in bases(below):
        credentials = {"username": "alice", "password": PASSWORD}
        tokens = Tokens(below.ask("POST", f"{base}/auth/login", json_body=credentials))
        assert "Path=/;" in tokens.reply.all("set-cookie")[0] + ";"
        assert below.ask("GET", f"{base}/me", tokens.bearer).json()["who"] == "alice"
        assert below.ask("GET", f"{base}/open").body == b"anonymous"
        assert below.ask("GET", f"{base}/open", tokens.bearer).body == b"alice"
        assert below.ask("GET", f"{base}/nothing", tokens.bearer).status == 404
        for path in ("/me", "/nothing", "//open", "/open%0A", "/api/open/", "/auth/nothing"):
            assert_problem(below.ask("GET", base + path), "token_missing")
        assert Tokens(below.ask("POST", f"{base}/auth/refresh", tokens.by_cookie)).refresh != tokens.refresh
        assert below.ask("POST", f"{base}/auth/logout", tokens.by_cookie).status == 200
        assert_problem(below.ask("GET", f"{base}/me", tokens.bearer), "token_revoked")


def test_the_prefix_in_another_place_opens_nothing(below: Running) -> None:
    """``/gates/*`` is public. Litestar takes the prefix out where it finds it, and would serve ``/me``."""
    for path in ("/gates/api/me", "/gates/x/api/me"):
        reply = below.ask("GET", path)
        if below.server in STRIPPED:
            assert reply.status in (404, 405), "public, and not there"
        else:
            assert_problem(reply, "token_missing")
    assert_problem(below.ask("GET", "/apigates/me"), "token_missing")
