"""Step-up in a real browser, with the dialog of docs/browser-client.md: asked once, in one tab, and all goes on."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from jwt_refresh_middleware import DevicePolicy, Issuer, JWTRefreshMiddleware, MemoryStore
from jwt_refresh_middleware.starlette import require_fresh
from tests.client.browser.device import PATIENCE, Tab
from tests.client.browser.serving import ROOT, until
from tests.web.sockets.serving import Running

DOCS = Path(ROOT / "docs" / "browser-client.md").read_text()
DIALOG = re.search(r"```html\n(<dialog.*?)```", DOCS, re.S)
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Page</title>
<script type="module">
  import { createAuthClient } from "/auth/client/index.js";

  window.auth = createAuthClient();
  window.events = [];
  for (const name of ["signedin", "refreshed", "signedout", "stepup"]) auth.on(name, () => events.push(name));
  window.enter = (name) => auth.login({ name, password: "secret" });
  window.ask = (path) => auth.fetch(path).then(({ status }) => status, (error) => error.code);
</script>
"""
READY = '\n<script type="module">window.ready = true;</script>'


class World:
    """A server whose clock and whose view of the network can be moved."""

    def __init__(self) -> None:
        self.ahead, self.ip = 0.0, "192.0.2.1"
        self.seen: Counter[str] = Counter()
        self.issuer = Issuer(
            "a secret that is long enough for this",
            MemoryStore(),
            clock=self.clock,
            device_policy=DevicePolicy(ip="exact", on_ip_change="step_up"),
        )
        pay = require_fresh(max_age=300, clock=self.clock)(self.pay)
        app = Starlette(routes=[Route("/", self.page), Route("/pay", pay), Route("/api", self.pay)])
        self._app = JWTRefreshMiddleware(app, issuer=self.issuer, authenticate=self.check, public=["/", "/favicon.ico"])
        self.server = Running("uvicorn-websockets", self)
        self.address = f"http://127.0.0.1:{self.server.port}"

    def clock(self) -> float:
        return time.time() + self.ahead

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.seen[scope["path"]] += 1
            scope = {**scope, "client": (self.ip, 1)}
        await self._app(scope, receive, send)

    async def check(self, credentials: dict[str, Any]) -> str | None:
        return credentials["name"] if credentials.get("password") == "secret" else None

    async def page(self, _request: Request) -> Response:
        assert DIALOG is not None
        return HTMLResponse(PAGE + DIALOG[1] + READY)

    async def pay(self, request: Request) -> Response:
        return JSONResponse({"subject": request.user.identity})

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.server.loop).result(30)


@pytest.fixture
def served() -> Iterator[World]:
    world = World()
    world.server.start()
    yield world
    world.server.stop()


@pytest.fixture
def tabs(served: World, browser: Any) -> Iterator[list[Tab]]:
    """Two of one browser, logged in."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    one = Tab(context.new_page(), served.address).go().log_in()
    two = Tab(context.new_page(), served.address).go()
    two.token()
    served.seen.clear()
    yield [one, two]
    context.close()
    assert wrong == []


def is_open(tab: Tab) -> bool:
    return tab.run("() => document.querySelector('dialog').open")


def shown(tab: Tab) -> None:
    tab.waits_for("document.querySelector('dialog').open")


def answer(tab: Tab, password: str, name: str = "ann") -> None:
    shown(tab)
    tab.page.fill("dialog [name=name]", name)
    tab.page.fill("dialog [name=password]", password)
    tab.page.press("dialog [name=password]", "Enter")


def test_a_payment_goes_on_after_the_password(served: World, tabs: list[Tab]) -> None:
    one, two = tabs
    served.ahead += 400
    one.begin("Promise.all([ask('/pay'), ask('/pay'), ask('/pay')])")
    answer(one, "wrong")
    one.waits_for("document.querySelector('dialog output').value !== ''")
    assert one.run("() => auth.isAuthenticated()") is True
    answer(one, "secret")
    assert one.outcome() == [200] * 3
    assert (served.seen["/pay"], served.seen["/auth/step-up"], served.seen["/auth/refresh"]) == (6, 2, 0)
    assert not is_open(one)
    two.waits_for("events.includes('refreshed')")
    assert two.ask("/pay") == 200
    assert served.seen["/auth/step-up"] == 2
    assert "signedout" not in one.run("() => events")


def test_somebody_else_s_password_is_not_taken(served: World, tabs: list[Tab]) -> None:
    served.ahead += 400
    tabs[0].begin("ask('/pay')")
    answer(tabs[0], "secret", "bob")
    tabs[0].waits_for("document.querySelector('dialog output').value !== ''")
    answer(tabs[0], "secret")
    assert tabs[0].outcome() == 200
    assert tabs[0].run("() => auth.fetch('/api').then((answer) => answer.json())") == {"subject": "ann"}


@pytest.mark.parametrize("how", ["Escape", "Not now"])
def test_who_does_not_want_to_gets_the_401(served: World, tabs: list[Tab], how: str) -> None:
    served.ahead += 400
    tabs[0].begin("Promise.all([ask('/pay'), ask('/pay')])")
    shown(tabs[0])
    # Both wait for the answer: a 401 that came after it would ask again.
    tabs[0].waits_for("events.filter((name) => name === 'stepup').length === 2")
    if how == "Escape":
        tabs[0].page.keyboard.press("Escape")
    else:
        tabs[0].page.click(f"dialog >> text={how}")
    assert tabs[0].outcome() == [401, 401]
    assert tabs[0].ask("/api") == 200
    assert (served.seen["/pay"], served.seen["/auth/step-up"]) == (2, 0)


def test_two_tabs_ask_and_one_answer_is_enough(served: World, tabs: list[Tab]) -> None:
    one, two = tabs
    served.ahead += 400
    for tab in tabs:
        tab.begin("Promise.all([ask('/pay'), ask('/pay')])")
        shown(tab)
    answer(one, "secret")
    assert one.outcome() == two.outcome() == [200, 200]
    two.waits_for("!document.querySelector('dialog').open")
    assert served.seen["/auth/step-up"] == 1


def test_another_network_wants_the_password_before_the_next_token(served: World, tabs: list[Tab]) -> None:
    one, two = tabs
    served.ip = "198.51.100.7"
    served.ahead += 1000
    for tab in tabs:
        tab.begin("Promise.all([ask('/api'), ask('/api')])")
        shown(tab)
    before = one.page.context.cookies()
    answer(two, "secret")
    assert one.outcome() == two.outcome() == [200, 200]
    one.waits_for("!document.querySelector('dialog').open")
    assert served.seen["/auth/step-up"] == 1
    assert one.page.context.cookies() != before
    assert one.run("() => auth.refresh()") is not None
    assert "signedout" not in one.run("() => events") + two.run("() => events")


def test_a_page_that_is_loaded_again_from_another_network(served: World, tabs: list[Tab]) -> None:
    tabs[1].page.close()
    served.ip = "198.51.100.7"
    tabs[0].reload()
    tabs[0].begin("auth.restore()")
    answer(tabs[0], "secret")
    assert tabs[0].outcome() is True
    assert tabs[0].ask("/api") == 200


def test_a_logout_in_the_other_tab_closes_the_dialog(served: World, tabs: list[Tab]) -> None:
    served.ahead += 400
    tabs[0].begin("ask('/pay')")
    shown(tabs[0])
    tabs[1].run("() => auth.logout()")
    assert tabs[0].outcome() == 401
    until(lambda: not is_open(tabs[0]), "the dialog closes")
    assert served.seen["/pay"] == 1
