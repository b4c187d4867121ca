"""The first example of docs/browser-client.md in a real browser, and its advice on the Content-Security-Policy."""

import re
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore
from tests.example.serving import BROWSER_ARGUMENTS

from .conftest import PAGE

START = re.search(r"^```html\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)[1]
MARKUP, SCRIPT = re.fullmatch(r'(.*)<script type="module">\n(.*)</script>\n', START, re.S).groups()
POLICY = re.search(r"^Content-Security-Policy: (.*)$", PAGE.read_text("utf-8"), re.M)[1]


async def check_password(credentials: dict) -> str | None:
    return "ada" if credentials == {"name": "ada", "password": "correct horse"} else None


def app() -> JWTRefreshMiddleware:
    with_inline = HTMLResponse(f"<!doctype html><title>Start</title>{START}")
    with_file = HTMLResponse(
        f'<!doctype html><title>Start</title>{MARKUP}<script type="module" src="/start.js"></script>',
        headers={"Content-Security-Policy": POLICY},
    )
    routes = [
        Route("/", with_inline),
        Route("/strict", with_file),
        Route("/start.js", Response(SCRIPT, media_type="text/javascript")),
        Route("/me", lambda request: PlainTextResponse(f"I am {request.user.identity}")),
    ]
    issuer = Issuer("a secret of at least thirty-two bytes", MemoryStore())
    public = ["/", "/strict", "/start.js"]
    return JWTRefreshMiddleware(Starlette(routes=routes), issuer=issuer, authenticate=check_password, public=public)


@pytest.fixture
def address() -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app(), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def page(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=BROWSER_ARGUMENTS)
        yield browser.new_page()
        browser.close()


@pytest.mark.parametrize("path", ["/", "/strict"])
def test_log_in_reload_log_out(address: str, page, path: str):
    from playwright.sync_api import expect

    failures = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda message: failures.append(message.text) if "Content Security" in message.text else None)
    out = page.locator("#out")

    def submit(password: str) -> None:
        page.fill("[name=name]", "ada")
        page.fill("[name=password]", password)
        page.click("#login button")

    page.goto(address + path)
    submit("wrong")
    expect(out).to_have_text("Wrong name or password")
    submit("correct horse")
    expect(out).to_have_text("I am ada")
    ((key, ends),) = page.evaluate("Object.entries(localStorage)")
    assert key == f"{address}/auth" and time.time() < float(ends) < time.time() + 901
    assert page.evaluate("document.cookie") == ""
    page.reload()
    expect(out).to_have_text("I am ada")
    page.click("#logout")
    expect(out).to_have_text("Logged out")
    page.reload()
    expect(out).to_have_text("")
    assert failures == []
