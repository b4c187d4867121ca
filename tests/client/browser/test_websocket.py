"""WebSockets in a real browser: opened by the helper, kept open over many tokens, and ended with the session."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore
from tests.client.browser.device import PATIENCE, Tab
from tests.client.browser.serving import until
from tests.web.sockets.serving import Running

TTL = 2
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Page</title>
<script type="module">
  import { createAuthClient } from "/auth/client/index.js";
  import { openSocket } from "/auth/client/websocket.js";

  const auth = window.auth = createAuthClient(window.options?.() ?? {});
  Object.assign(window, { said: [], events: [] });
  for (const name of ["signedin", "refreshed", "signedout"]) auth.on(name, () => events.push(name));
  window.enter = (username) => auth.login({ username, password: "secret" });
  window.open_socket = (url, options) => {
    window.socket = openSocket(auth, url, {
      onopen: ({ target }) => said.push(["open", target.protocol]),
      onmessage: ({ data }) => said.push(["message", data]),
      onclose: ({ code, reason, message }, again) => said.push(["close", code ?? message, reason ?? "", again]),
      ...options,
    });
  };
  window.talk = async (text) => {
    const before = said.length;
    const given = socket.send(text);
    while (given && said.length === before) await new Promise((done) => setTimeout(done, 10));
    return given && said.at(-1);
  };
  window.ready = true;
</script>
"""


class World:
    """A server with sockets, and what it has seen of them."""

    def __init__(self) -> None:
        self.sockets: list[WebSocket] = []
        self.endings: list[tuple[int, str]] = []
        self.issuer = Issuer("a secret that is long enough for this", MemoryStore(), access_ttl=timedelta(seconds=TTL))
        app = Starlette(
            routes=[
                Route("/", self.page),
                WebSocketRoute("/chat", self.chat),
            ]
        )
        protected = JWTRefreshMiddleware(app, issuer=self.issuer, authenticate=self.check, public=["/", "/favicon.ico"])
        self.server = Running("uvicorn-websockets", protected)
        self.address = f"http://127.0.0.1:{self.server.port}"

    async def check(self, credentials: dict[str, Any]) -> str | None:
        return credentials["username"]

    async def page(self, _request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def chat(self, socket: WebSocket) -> None:
        self.sockets.append(socket)
        await socket.accept()
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            await socket.send_text(f"{socket.user.identity}: {message['text']}")
        self.endings.append((message["code"], message.get("reason") or ""))

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.server.loop).result(30)


@contextmanager
def serving() -> Iterator[World]:
    world = World()
    world.server.start()
    yield world
    world.server.stop()


@pytest.fixture
def served() -> Iterator[World]:
    with serving() as world:
        yield world


@pytest.fixture
def tab(served: World, browser: Any) -> Iterator[Tab]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    yield Tab(context.new_page(), served.address).go().log_in()
    context.close()
    assert wrong == []


def opened(tab: Tab, url: str = "/chat", options: str = "{}") -> Tab:
    tab.run(f"(url) => open_socket(url, {options})", url)
    tab.waits_for("said.some(([what]) => what === 'open')")
    return tab


def talk(tab: Tab, text: str = "hello") -> Any:
    return tab.run("(text) => talk(text)", text)


def test_it_is_opened_with_the_token_as_a_sub_protocol(tab: Tab, served: World) -> None:
    opened(tab)
    assert tab.run("() => said") == [["open", "bearer"]]
    assert talk(tab) == ["message", "ann: hello"]
    scope = served.sockets[0].scope
    assert (scope["subprotocols"], scope["query_string"]) == ([], b"")
    assert not any(name == b"sec-websocket-protocol" for name, _ in scope["headers"])
    assert dict(scope["headers"])[b"origin"] == served.address.encode()


def test_it_stays_open_over_several_tokens_and_ends_with_the_logout(tab: Tab, served: World) -> None:
    opened(tab)
    first = served.sockets[0].user.token.expires_at
    until(lambda: served.sockets[0].user.token.expires_at >= first + 2 * TTL, "two more tokens have come over it")
    assert talk(tab) == ["message", "ann: hello"]
    assert len(served.sockets) == 1
    tab.run("() => auth.logout()")
    tab.waits_for("said.at(-1)[0] === 'close' && events.at(-1) === 'signedout'")
    closes = [how for what, how, *_ in tab.run("() => said") if what == "close"]
    # The server was faster, or the page; or so much faster that the page had begun to open another when it heard.
    assert closes in ([4401], [1005], [4401, "signedout"])
    assert [what for what, *_ in tab.run("() => said")][:3] == ["open", "message", "close"]
    assert talk(tab) is False
    assert len(served.sockets) == 1


def test_where_the_client_has_no_timer(served: World, browser: Any) -> None:
    """As in a tab in the background."""
    context = browser.new_context()
    context.add_init_script("window.options = () => ({ autoRefresh: false });")
    tab = Tab(context.new_page(), served.address).go().log_in()
    opened(tab)
    first = served.sockets[0].user.token.expires_at
    until(lambda: served.sockets[0].user.token.expires_at >= first + 2 * TTL, "two more tokens have come over it")
    assert talk(tab) == ["message", "ann: hello"]
    assert len(served.sockets) == 1
    context.close()


def test_it_ends_when_the_session_is_ended_elsewhere(tab: Tab, served: World) -> None:
    opened(tab)
    served.run(served.issuer.logout_all("ann"))
    tab.waits_for("said.length >= 3")
    said = tab.run("() => said")
    assert said[1] == ["close", 4401, "token_revoked", True], "it is asked whether the session lives"
    assert said[2] == ["close", "signedout", "", False]
    assert tab.run("() => events.at(-1)") == "signedout"
    assert served.endings == [(4401, "token_revoked")]


def test_a_socket_that_was_closed_with_4401_is_opened_again_with_a_new_token(tab: Tab, served: World) -> None:
    opened(tab)
    served.run(served.sockets[0].close(4401, "token_expired"))
    until(lambda: len(served.sockets) == 2, "it is opened again")
    tab.waits_for("said.length === 3")
    assert tab.run("() => said") == [["open", "bearer"], ["close", 4401, "token_expired", True], ["open", "bearer"]]
    assert talk(tab) == ["message", "ann: hello"]


def test_a_page_of_another_origin_cannot_open_one(tab: Tab, served: World) -> None:
    """With the token even; ``localhost`` is another origin than 127.0.0.1."""
    tab.page.goto(served.address.replace("127.0.0.1", "localhost"))
    refused = tab.run(
        """(url) => new Promise((done) => {
            const socket = new WebSocket(url);
            socket.onopen = () => done("open");
            socket.onclose = ({ code }) => done(code);
        })""",
        served.address.replace("http", "ws") + "/",
    )
    assert refused == 1006
    assert served.sockets == []


def test_without_a_token_it_is_refused(tab: Tab, served: World) -> None:
    refused = tab.run(
        """(url) => new Promise((done) => {
            const socket = new WebSocket(url, ["bearer", "made.up.token"]);
            socket.onopen = () => done("open");
            socket.onclose = ({ code }) => done(code);
        })""",
        served.address.replace("http", "ws") + "/chat",
    )
    assert refused == 1006
    assert served.sockets == []
