"""The whole flow in a real Chromium, against the real server."""

import json
import re

from playwright.sync_api import BrowserContext, Page, Route, expect

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
PASSWORD = "correct horse battery"
EXPECTED_NOISE = re.compile(r"Failed to load resource: the server responded with a status of (401|503) ")

expect.set_options(timeout=10_000)


class Device:
    """One browser context with a page, and what went wrong in it."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self.address = context, address
        self.wrong: list[str] = []
        self.requested: list[str] = []
        self.page = self.tab()

    def tab(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: message.type in ("error", "warning") and self._note(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self.requested.append(request.url))
        page.goto(self.address)
        return page

    def _note(self, text: str) -> None:
        if not EXPECTED_NOISE.match(text):
            self.wrong.append(text)

    def enter(self, name: str, password: str = PASSWORD) -> None:
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.locator("#submit").click()

    def is_in(self, name: str) -> None:
        expect(self.page.locator("#who")).to_have_text(name)
        expect(self.page.locator("#main")).to_have_attribute("aria-busy", "false")

    def is_at_login(self, saying: str) -> None:
        expect(self.page).to_have_url(re.compile(r"/login\?"))
        expect(self.page.get_by_role("status")).to_have_text(saying)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def let_the_token_expire(self) -> None:
        expect(self.page.locator("#token-state")).to_have_text("expired")
        self.press("Clear")

    def log(self) -> list[str]:
        """The lines of the log panel: kind, method and path, outcome."""
        lines = self.page.locator("#log > li")
        parts = (".kind", ".what", ".outcome")
        return [" ".join(line.locator(part).inner_text() for part in parts).strip() for line in lines.all()]

    def holds_no_token(self) -> None:
        """What scripts can get hold of, besides the memory of a module."""
        kept = "[document.cookie, JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage})]"
        assert self.page.evaluate(kept) == ["", "{}", "{}"]
        assert self.page.evaluate("indexedDB.databases().then(all => all.length)") == 0
        assert self.page.evaluate("caches.keys().then(all => all.length)") == 0


def test_double_token_auth_in_a_browser(browser, address):
    laptop = Device(browser.new_context(), address)
    expect(laptop.page).to_have_url(f"{address}/login")
    register_and_write(laptop)
    an_expired_token_is_renewed(laptop)
    five_requests_share_one_refresh(laptop)
    a_server_that_is_away_logs_nobody_out(laptop)
    reloads_and_tabs_stay_logged_in(laptop)
    phone = Device(browser.new_context(user_agent=FIREFOX), address)
    the_other_device_is_ended(laptop, phone)
    log_out_and_in_again(laptop)
    delete_the_account(laptop)
    for device in (laptop, phone):
        assert device.wrong == []
        assert all(url.startswith(address) for url in device.requested)


def register_and_write(laptop: Device) -> None:
    laptop.press("Create an account")
    laptop.enter("ada", "short")
    assert laptop.page.locator("#password").evaluate("input => input.validity.tooShort")
    laptop.enter("ada")
    laptop.is_in("ada")
    laptop.page.get_by_label("New note").fill("<img src=x onerror=alert(1)> & milk")
    laptop.press("Add")
    expect(laptop.page.locator("#notes .text")).to_have_text("<img src=x onerror=alert(1)> & milk")
    cookie = one_cookie(laptop)
    assert cookie["name"] == "__Host-refresh_token"
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    laptop.holds_no_token()


def one_cookie(device: Device) -> dict[str, object]:
    (cookie,) = device.context.cookies()
    return dict(cookie)


def an_expired_token_is_renewed(laptop: Device) -> None:
    laptop.let_the_token_expire()
    before = one_cookie(laptop)["value"]
    laptop.press("Ask the API")
    expect(laptop.page.locator("#log > li.retry.good")).to_have_count(1)
    assert laptop.log() == [
        "request GET /api/me 401 token_expired",
        "refresh POST /auth/refresh 200 new token",
        "retry GET /api/me 200",
    ]
    assert one_cookie(laptop)["value"] != before
    laptop.holds_no_token()
    laptop.press("Forget the access token")
    laptop.press("Clear")
    laptop.press("Ask the API")
    expect(laptop.page.locator("#log > li.retry.good")).to_have_count(1)
    assert laptop.log()[0] == "request GET /api/me 401 token_missing"


def five_requests_share_one_refresh(laptop: Device) -> None:
    laptop.let_the_token_expire()
    laptop.press("Ask 5 times at once")
    expect(laptop.page.locator("#log > li.retry.good")).to_have_count(5)
    lines = laptop.log()
    assert lines.count("request GET /api/me 401 token_expired") == 5
    assert lines.count("refresh POST /auth/refresh 200 new token") == 1


def a_server_that_is_away_logs_nobody_out(laptop: Device) -> None:
    problem = {"title": "Store unavailable", "code": "store_unavailable", "action": "retry"}
    laptop.press("Forget the access token")
    laptop.page.route(
        "**/auth/refresh",
        lambda route: route.fulfill(
            status=503, headers={"Content-Type": "application/problem+json"}, body=json.dumps(problem)
        ),
    )
    laptop.press("Ask the API")
    expect(laptop.page.locator("#banner")).to_have_text(re.compile("Store unavailable. You are still logged in."))
    laptop.page.unroute("**/auth/refresh")
    laptop.press("Ask the API")
    expect(laptop.page.locator("#banner")).to_be_hidden()
    assert laptop.page.url == f"{laptop.address}/"


def reloads_and_tabs_stay_logged_in(laptop: Device) -> None:
    laptop.page.reload()
    laptop.is_in("ada")
    expect(laptop.page.locator("#notes > li")).to_have_count(1)
    second_tab = laptop.tab()
    expect(second_tab.locator("#who")).to_have_text("ada")
    expect(second_tab.locator("#devices > li")).to_have_count(1)
    laptop.let_the_token_expire()
    laptop.press("Ask the API")
    expect(laptop.page.locator("#log > li.retry.good")).to_have_count(1)
    second_tab.close()
    laptop.holds_no_token()


def the_other_device_is_ended(laptop: Device, phone: Device) -> None:
    phone.enter("ada", "a wrong password")
    expect(phone.page.get_by_role("alert")).to_have_text(re.compile("password|credentials", re.IGNORECASE))
    phone.enter("ada")
    phone.is_in("ada")
    laptop.press("Reload")
    devices = laptop.page.locator("#devices > li")
    expect(devices).to_have_count(2)
    expect(devices.nth(0)).to_have_text(re.compile("Chrome on Linux.*this device.*127.0.0.1"))
    expect(devices.nth(1)).to_have_text(re.compile("Firefox on Windows.*127.0.0.1"))
    laptop.press("End all others")
    expect(devices).to_have_count(1)
    phone.press("Ask the API")
    phone.is_at_login("Your session has ended. Log in again.")
    phone.holds_no_token()


def log_out_and_in_again(laptop: Device) -> None:
    laptop.press("Log out")
    laptop.is_at_login("You are logged out.")
    assert laptop.context.cookies() == []
    laptop.page.go_back()
    expect(laptop.page.locator("#notes > li")).to_have_count(0)
    a_stranger_sees_nothing_of_the_page(laptop)
    laptop.enter("ada")
    laptop.is_in("ada")
    expect(laptop.page.locator("#notes > li")).to_have_count(1)


def a_stranger_sees_nothing_of_the_page(laptop: Device) -> None:
    held: list[Route] = []
    laptop.page.route("**/auth/refresh", lambda route: held.append(route))  # noqa: PLW0108  a bound method of a list will not do
    with laptop.page.expect_request("**/auth/refresh"):
        laptop.page.goto(laptop.address, wait_until="commit")
    expect(laptop.page.locator(".brand")).to_be_visible()
    for part in ("main", "logout"):
        expect(laptop.page.locator(f"#{part}[hidden]")).to_have_count(1)
    held[0].continue_()
    expect(laptop.page).to_have_url(f"{laptop.address}/login")
    laptop.page.unroute("**/auth/refresh")


def delete_the_account(laptop: Device) -> None:
    laptop.press("Delete account")
    laptop.press("Keep it")
    expect(laptop.page.get_by_role("dialog")).to_be_hidden()
    laptop.press("Delete account")
    laptop.page.get_by_role("dialog").get_by_role("button", name="Delete account").click()
    laptop.is_at_login("Your account and your notes are deleted.")
    assert laptop.context.cookies() == []
    laptop.enter("ada")
    expect(laptop.page.get_by_role("alert")).to_be_visible()
    assert laptop.page.url.startswith(f"{laptop.address}/login")
