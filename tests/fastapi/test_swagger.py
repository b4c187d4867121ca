"""FastAPI's own page of Swagger in Chromium: Authorize logs in, and "Try it out" is let in then."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Security

from jwt_refresh_middleware import AccessToken, JWTRefreshMiddleware
from jwt_refresh_middleware.fastapi import current_token, document
from tests.client.node.running import MODULES, need_modules
from tests.example.serving import BROWSER_ARGUMENTS

from .serving import serving
from .support import CREDENTIALS, options

PUBLIC = ["/docs", "/openapi.json", "/sub/docs", "/sub/openapi.json"]
SWAGGER = MODULES / "swagger-ui-dist"


def notes(app: FastAPI) -> FastAPI:
    @app.get("/notes")
    async def notes(token: Annotated[AccessToken, Security(current_token, scopes=["read"])]) -> str:
        return f"notes of {token.subject}"

    return app


def alone() -> tuple[FastAPI, str]:
    app = notes(FastAPI())
    app.add_middleware(JWTRefreshMiddleware, **options(public=PUBLIC))
    document(app)
    return app, ""


def below() -> tuple[FastAPI, str]:
    """An app with a middleware of its own, at a root path."""
    parent = FastAPI()
    parent.mount("/sub", alone()[0])
    return parent, "/sub"


def part() -> tuple[FastAPI, str]:
    """A part of an app that has the middleware."""
    parent, app = FastAPI(), notes(FastAPI())
    parent.add_middleware(JWTRefreshMiddleware, **options(public=PUBLIC))
    parent.mount("/sub", app)
    document(app, around=parent, mounted_at="/sub")
    return parent, "/sub"


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """What FastAPI's page loads from elsewhere comes from the package that is installed here."""
    need_modules()

    def installed(route: Any) -> None:
        file = SWAGGER / route.request.url.rpartition("/")[2]
        route.fulfill(path=file) if file.is_file() else route.abort()

    page = browser.new_page()
    page.set_default_timeout(20_000)
    page.route(lambda url: not url.startswith("http://127.0.0.1:"), installed)
    yield page
    page.close()


@pytest.mark.parametrize("make", [alone, below, part])
def test_authorize_with_name_and_password(page, make: Callable[[], tuple[FastAPI, str]]):
    app, at = make()
    with serving(app) as address:
        page.goto(f"{address}{at}/docs")
        page.get_by_role("button", name="Authorize").click()
        login = page.locator(".auth-container", has_text="Token URL")
        login.get_by_label("username").fill(CREDENTIALS["username"])
        login.get_by_label("password").fill(CREDENTIALS["password"])
        login.get_by_role("button", name="Apply given OAuth2 credentials").click()
        login.get_by_role("button", name="Remove authorization").wait_for()
        assert tried(page) == ("200", '"notes of alice"')


def test_a_token_can_be_pasted(page):
    app, _ = alone()
    with serving(app) as address:
        page.goto(f"{address}/docs")
        page.wait_for_selector("button.authorize")
        assert tried(page)[0] == "401"
        token = page.evaluate(
            """async (form) => {
                const answer = await fetch("/auth/login", { method: "POST", body: new URLSearchParams(form) });
                return (await answer.json()).access_token;
            }""",
            CREDENTIALS,
        )
        page.get_by_role("button", name="Authorize").first.click()
        paste = page.locator(".auth-container", has_text="(http, Bearer)")
        paste.locator("input").fill(token)
        paste.get_by_role("button", name="Apply credentials").click()
        page.locator(".modal-ux .close-modal").click()
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table .response-col_status", has_text="200").wait_for()


def tried(page: Any) -> tuple[str, str]:
    """Status and body of the answer that "Try it out" shows."""
    if page.locator(".modal-ux .close-modal").is_visible():
        page.locator(".modal-ux .close-modal").click()
    operation = page.locator(".opblock", has_text="/notes")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    row = operation.locator(".live-responses-table .response").first
    row.locator(".microlight, .highlight-code code").first.wait_for()
    status = row.locator(".response-col_status").inner_text().split()[0]
    return status, row.locator(".highlight-code code").first.inner_text()
