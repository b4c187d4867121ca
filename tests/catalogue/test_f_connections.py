"""Group F: F06, a root path that servers leave out; F10, the lifespan; F11, HEAD and methods that a header asks for."""

import asyncio
from typing import Any

import pytest

from jwt_refresh_middleware import JWTRefreshMiddleware, Verifier

from ..web.asgi import LifespanRun
from ..web.support import SECRET
from .attack import Target


@pytest.mark.parametrize("path", ["/admin", "/publicity", "/public/../admin", "/docs/", "/apidocs", "/api/../docs"])
@pytest.mark.parametrize("includes", [pytest.param(True, id="F06-in-the-path"), pytest.param(False, id="F06-left-out")])
async def test_behind_a_root_path_nothing_else_opens(target: Target, includes: bool, path: str) -> None:
    """ASGI says that the path has the root path in front; some servers leave it out."""
    root = "/api" if includes else ""
    await target.attack("token_missing", path=root + path, root_path="/api")
    for public in ("/docs", "/public/x"):
        assert (await target.service.ask("GET", root + public, root_path="/api")).body == b"hello anonymous"


class _Lives:
    """An app that goes through its lifespan and notes what it was told of it."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        for stage in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{stage}"
            await send({"type": f"lifespan.{stage}.complete"})


async def test_f10_the_lifespan_is_passed_on_and_is_nobodys() -> None:
    inner = _Lives()
    run = LifespanRun(JWTRefreshMiddleware(inner, verifier=Verifier(SECRET)))
    for stage in ("startup", "shutdown"):
        assert await run.tell(stage) == {"type": f"lifespan.{stage}.complete"}
    await asyncio.wait_for(run.task, 10)
    (scope,) = inner.scopes
    assert scope["type"] == "lifespan"
    assert not {"user", "auth"} & set(scope)


@pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout", "/auth/login", "/auth/step-up"])
async def test_f11_head_changes_nothing_and_has_the_headers_of_get(target: Target, path: str) -> None:
    service, headers = target.service, target.honest.by_cookie
    service.store.calls.clear()
    get, head = [await service.ask(method, path, headers=headers) for method in ("GET", "HEAD")]
    assert (head.status, head.headers, head.body) == (405, get.headers, b"")
    assert head.one("allow") == "POST"
    assert service.store.calls == []
    assert (await service.post("refresh", headers=headers)).status == 200


OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override", "_method")


@pytest.mark.parametrize("name", [pytest.param(name, id=f"F11-{name}") for name in OVERRIDES])
async def test_no_header_makes_another_method_of_it(target: Target, name: str) -> None:
    """Neither a GET that changes something, nor a preflight of what is none."""
    refresh = {"method": "GET", "path": f"/auth/refresh?{name}=POST", "reference": False}
    await target.attack("method_not_allowed", headers=target.honest.by_cookie | {name: "POST"}, **refresh)
    preflight = {"origin": "https://evil.example", "access-control-request-method": "GET"}
    await target.attack("token_missing", headers=preflight | {name: "OPTIONS"})
