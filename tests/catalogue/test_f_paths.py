"""Group F: paths, mounts, sockets. F01 to F03, F07 and F08 go on in ``test_servers.py``, F09 is ``test_f_sockets.py``.

What Starlette's router makes of a path is asked of Starlette: a path that it routes to a protected handler must not be
public, whatever its spelling.
"""

from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from jwt_refresh_middleware import JWTRefreshMiddleware, Verifier

from ..web.asgi import ask
from ..web.problems import assert_problem
from ..web.support import SECRET
from .attack import Target
from .forge import token

SPELLINGS = {
    "F01": [
        "/admin%0A",
        "/docs%0A",
        "/%0A",
        "/public/x%0A",
        "/docs%0D",
        "/docs%0D%0A",
        "/docs%C2%85",
        "/docs%E2%80%A8",
    ],
    "F02": [
        "//admin",
        "/./admin",
        "/x/../admin",
        "/admin;x",
        "/admin/.",
        "//docs",
        "/./docs",
        "/x/../docs",
        "/docs;x",
        "/docs/.",
        "/docs/",
        "/docs/..",
        "/public/../admin",
        "/public/./x",
        "/public//x",
        "/public/..",
        "/public/;/../admin",
    ],
    "F03": [
        "/%61dmin",
        "/admin%2f",
        "/%2e/admin",
        "/%2e/docs",
        "/%2e%2e/docs",
        "/public%2f..%2fadmin",
        "/public/%2e%2e/admin",
        "/public/%00",
        "/public/%ff",
        "/public/%5c..%5cadmin",
        "/public/%252e%252e/admin",
        "/public/%c0%ae%c0%ae/admin",
        "/docs%00",
        "/docs%20",
        "/docs%3F",
        "/docs%23",
        "/public/%7f",
        "/public/%09",
    ],
    "F04": [
        "/publicity",
        "/public",
        "/PUBLIC/x",
        "/Public/x",
        "/Docs",
        "/docs2",
        "/docsx",
        "/xpublic/x",
        "/x/public/x",
    ],
}
PUBLIC = {
    "F03-public": [
        "/%64ocs",
        "/public%2fx",
        "/public/%C3%BC",
        "/public/x%20y",
        "/public/..x",
        "/public/x..",
        "/public/...",
    ]
}


def decoded(path: str) -> str:
    """What servers make of it: percent-decoding once, then UTF-8."""
    return unquote_to_bytes(path).decode("utf-8", "replace")


def at(app: Any, path: str) -> Any:
    """``app`` with every request at ``path``, question marks and all."""

    async def moved(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"path": path}, receive, send)

    return moved


def cases(spellings: dict[str, list[str]]) -> list[Any]:
    return [pytest.param(decoded(path), id=f"{name}-{path}") for name, paths in spellings.items() for path in paths]


@pytest.mark.parametrize("path", [case for case in cases(SPELLINGS) if "?" not in case.values[0]])
async def test_protected_unless_canonical(target: Target, path: str) -> None:
    await target.attack("token_missing", path=path)


async def test_f03_a_question_mark_that_was_encoded(target: Target) -> None:
    """It belongs to the path, and the path is another one then."""
    assert_problem(await ask(at(target.service.app, "/docs?"), "GET", "/"), "token_missing")


@pytest.mark.parametrize("path", cases(PUBLIC))
async def test_public_in_its_one_decoded_spelling(target: Target, path: str) -> None:
    assert (await target.service.ask("GET", path)).body == b"hello anonymous"


async def _secret(_request: Request) -> Response:
    return PlainTextResponse("the secret page")


async def _public(_request: Request) -> Response:
    return PlainTextResponse("a public page")


ROUTES = [
    Route("/admin", _secret),
    Route("/docs", _public),
    Mount("/sub", routes=[Route("/admin", _secret)]),
    Mount("/public", routes=[Route("/x", _public)]),
    Route("/items/{name}", _secret),
]


@pytest.fixture
def routed() -> Any:
    return JWTRefreshMiddleware(Starlette(routes=ROUTES), verifier=Verifier(SECRET), public=["/docs", "/public/*"])


@pytest.mark.parametrize("path", cases(SPELLINGS | {"F03-mount": ["/sub%2Fadmin", "/sub/admin%0A", "//sub/admin"]}))
async def test_no_spelling_leads_to_a_protected_page(routed: Any, path: str) -> None:
    assert_problem(await ask(at(routed, path), "GET", "/"), "token_missing")


async def test_f05_refused_before_a_redirect(routed: Any) -> None:
    for path in ("/admin/", "/items", "/sub"):
        reply = await ask(routed, "GET", path)
        assert_problem(reply, "token_missing")
        assert reply.all("location") == []


@pytest.mark.parametrize("root", [pytest.param(r, id=f"F06-{r}") for r in ("/api", "/api/v1", "/public", "/docs")])
async def test_root_path(target: Target, root: str) -> None:
    for path, code in (
        ("/admin", "token_missing"),
        ("/publicity", "token_missing"),
        ("/docs", None),
        ("/public/x", None),
    ):
        assert (await target.service.ask("GET", root + path, root_path=root)).code == code


@pytest.mark.parametrize(
    "inside", [pytest.param(i, id=f"F06-{'inside' if i else 'outside'}-a-mount") for i in (True, False)]
)
async def test_mounts(inside: bool) -> None:
    pages = Starlette(routes=ROUTES)
    verifier = Verifier(SECRET, clock=lambda: 1_800_000_000.0)
    app: Any
    if inside:
        app = Starlette(routes=[Mount("/m", JWTRefreshMiddleware(pages, verifier=verifier, public=["/docs"]))])
    else:
        app = JWTRefreshMiddleware(Starlette(routes=[Mount("/m", pages)]), verifier=verifier, public=["/m/docs"])
    assert (await ask(app, "GET", "/m/docs")).body == b"a public page"
    assert_problem(await ask(app, "GET", "/m/admin"), "token_missing")
    good = {"authorization": f"Bearer {token()}"}
    assert (await ask(app, "GET", "/m/admin", headers=good)).body == b"the secret page"
    keys = await ask(app, "GET", "/m/auth/jwks.json" if inside else "/auth/jwks.json")
    assert keys.json() == {"keys": []}


HOSTS = ["evil/public/x?", "evil#", "evil?/docs", "user@evil", "", "evil\t", "[::1", "evil:99999", "evil/docs", "\xff"]


@pytest.mark.parametrize("host", [pytest.param(h, id=f"F08-{h!a}") for h in HOSTS])
async def test_host_poisoning(target: Target, host: str) -> None:
    await target.attack("token_missing", headers=[("host", host)])
    await target.attack("token_missing", headers=[("host", host), ("host", "testserver")])
    assert (await target.service.ask("GET", "/docs", headers=[("host", host)])).body == b"hello anonymous"


async def test_f07_a_target_that_is_no_path(target: Target) -> None:
    for path in ("http://evil/public/x", "*", "@evil.example", "public/x", "", "https://testserver/docs", "/docs#x"):
        await target.attack("token_missing", path=path)
    await target.attack("token_missing", method="OPTIONS", path="*")


@pytest.mark.parametrize("kind", [pytest.param(k, id=f"F10-{k}") for k in ("foo", "http2", "HTTP", "")])
async def test_unknown_scope_types_are_never_authenticated(target: Target, kind: str) -> None:
    seen: list[dict[str, Any]] = []

    async def inner(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    app = JWTRefreshMiddleware(inner, verifier=Verifier(SECRET))
    scope = {"type": kind, "path": "/admin", "headers": [(b"authorization", b"Bearer " + token().encode())]}
    await app(scope, lambda: None, lambda _: None)
    assert "user" not in seen[0]
    assert "auth" not in seen[0]
    await target.assert_unharmed()


METHODS = ["GET", "PUT", "PATCH", "DELETE", "TRACE", "post", "POST ", "CONNECT", "OPTIONS", "QUERY", ""]


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout", "/auth/login"])
@pytest.mark.parametrize("method", [pytest.param(m, id=f"F11-{m!r}") for m in METHODS])
async def test_only_post_changes_anything(target: Target, method: str, path: str) -> None:
    headers = target.honest.by_cookie | {"x-http-method-override": "POST", "x-method-override": "POST"}
    reply = await target.attack("method_not_allowed", method=method, path=path, headers=headers, reference=False)
    assert reply.one("allow") == "POST"
