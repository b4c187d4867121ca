"""The whole flow in a real Chromium, against the real server."""

import json
import re

from playwright.sync_api import expect

from tests.example.serving import free_port, serving
from tests.example.visitor import FIREFOX, Visitor, drawn, newest

RENEWED = "1 refresh, and the answer came all the same. You would not have noticed."
AWAY = "The server cannot be reached. You are still logged in."
HTML = "<img src=x onerror=alert(1)> & milk"


def test_double_token_auth_in_a_browser(browser, address):
    laptop = Visitor(browser, address)
    expect(laptop.page).to_have_url(f"{address}/login")
    register_and_write(laptop)
    an_expired_token_is_renewed(laptop)
    a_server_that_is_away_logs_nobody_out(laptop)
    reloads_and_tabs_stay_logged_in(laptop)
    phone = Visitor(browser, address, user_agent=FIREFOX)
    the_other_device_is_ended(laptop, phone)
    log_out_and_in_again(laptop)
    delete_the_account(laptop)
    for visitor in (laptop, phone):
        visitor.nothing_went_wrong()


def register_and_write(laptop: Visitor) -> None:
    laptop.press("Create an account")
    laptop.enter("ada", "short")
    assert laptop.page.locator("#password").evaluate("input => input.validity.tooShort")
    laptop.enter("ada")
    laptop.is_in("ada")
    laptop.page.get_by_label("New note").fill(HTML)
    laptop.press("Add")
    expect(laptop.page.locator("#notes .text")).to_have_text(HTML)
    expect(laptop.page.get_by_label("New note")).to_have_value("")
    cookie = one_cookie(laptop)
    assert cookie["name"] == "__Host-refresh_token"
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    laptop.holds_no_token()


def one_cookie(visitor: Visitor) -> dict[str, object]:
    (cookie,) = visitor.context.cookies()
    return dict(cookie)


def an_expired_token_is_renewed(laptop: Visitor) -> None:
    before = one_cookie(laptop)["value"]
    laptop.play("Expire it now", RENEWED)
    assert drawn(newest(laptop.page)) == [
        "This tab to API: GET /api/me",
        "API to This tab: 401 token_expired",
        "This tab to Issuer: refresh POST /auth/refresh",
        "Issuer to This tab: 200 new token",
        "This tab to API: retry GET /api/me",
        "API to This tab: 200",
    ]
    assert one_cookie(laptop)["value"] != before
    expect(laptop.page.locator("#token-state")).to_have_text("valid")
    expect(laptop.page.locator("#token-note")).to_have_text("left of 600 s · renewed once in this tab")
    laptop.holds_no_token()
    laptop.press("Ask 5 times at once")
    expect(newest(laptop.page).locator("h3")).to_have_text("Ask 5 times at once")
    expect(newest(laptop.page).locator(".back .times")).to_have_text("\u00d75")
    assert drawn(newest(laptop.page)) == ["This tab to API: GET /api/me x5", "API to This tab: 200 x5"]
    laptop.press("Clear")
    expect(laptop.page.locator("#flow > li")).to_have_count(0)


def a_server_that_is_away_logs_nobody_out(laptop: Visitor) -> None:
    banner = laptop.page.locator("#banner-text")
    laptop.page.route("**/auth/refresh", lambda route: route.abort())
    laptop.play("Expire it now", AWAY)
    laptop.page.route("**/api/me", lambda route: route.abort())
    laptop.press("Ask the API")
    expect(banner).to_have_text(AWAY)
    laptop.page.unroute("**/api/me")
    laptop.page.unroute("**/auth/refresh")
    laptop.press("Try again")
    expect(banner).to_be_hidden()

    problem = {"title": "Store unavailable", "detail": "No answer.", "code": "store_unavailable", "action": "retry"}
    answer = {"headers": {"Content-Type": "application/problem+json"}, "body": json.dumps(problem)}
    laptop.page.route("**/auth/refresh", lambda route: route.fulfill(status=503, **answer))
    laptop.play("Expire it now", "No answer. You are still logged in.")
    laptop.page.unroute("**/auth/refresh")
    laptop.press("Ask the API")
    expect(newest(laptop.page).locator(".back.good").last).to_have_text("API to This tab: 200")
    assert laptop.page.url == f"{laptop.address}/"


def reloads_and_tabs_stay_logged_in(laptop: Visitor) -> None:
    laptop.page.reload()
    laptop.is_in("ada")
    expect(laptop.page.locator("#notes > li")).to_have_count(1)
    assert drawn(newest(laptop.page))[:2] == [
        "This tab to Issuer: refresh POST /auth/refresh",
        "Issuer to This tab: 200 new token",
    ]
    second_tab = laptop.tab()
    expect(second_tab.locator("#who")).to_have_text("ada")
    expect(second_tab.locator("#devices > li")).to_have_count(1)
    laptop.play("Expire it now", RENEWED)
    second_tab.close()
    laptop.holds_no_token()


def the_other_device_is_ended(laptop: Visitor, phone: Visitor) -> None:
    phone.enter("ada", "a wrong password")
    expect(phone.page.get_by_role("alert")).to_have_text(re.compile("password|credentials", re.IGNORECASE))
    phone.enter("ada")
    phone.is_in("ada")
    laptop.press("Reload")
    devices = laptop.page.locator("#devices > li")
    expect(devices).to_have_count(2)
    expect(devices.nth(0)).to_have_text(re.compile("Chrome on Linux.*this device.*127.0.0.1"))
    expect(devices.nth(1)).to_have_text(re.compile("Firefox on Windows.*127.0.0.1"))
    laptop.press("End the session of Firefox on Windows")
    expect(devices).to_have_count(1)
    phone.press("Ask the API")
    phone.is_at_login("Your session has ended. Log in again.")
    phone.holds_no_token()
    phone.enter("ada")
    phone.is_in("ada")
    laptop.press("Reload")
    laptop.press("End all others")
    expect(devices).to_have_count(1)
    phone.page.reload()
    phone.is_at_login("Your session has ended. Log in again.")


def log_out_and_in_again(laptop: Visitor) -> None:
    laptop.press("Log out")
    laptop.is_at_login("You are logged out.")
    assert laptop.context.cookies() == []
    laptop.page.go_back()
    expect(laptop.page.locator("#notes > li")).to_have_count(0)
    a_stranger_sees_nothing_of_the_page(laptop)
    laptop.enter("ada")
    laptop.is_in("ada")
    expect(laptop.page.locator("#notes > li")).to_have_count(1)
    laptop.press("Log out of this device")
    laptop.is_at_login("You are logged out.")
    laptop.enter("ada")
    laptop.is_in("ada")


def a_stranger_sees_nothing_of_the_page(laptop: Visitor) -> None:
    shown = """
        addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
            if (!document.getElementById("main")?.hidden) { console.error("the page was shown"); }
        }).observe(document, { subtree: true, attributes: true }));
    """
    watched = laptop.context.new_page()
    watched.add_init_script(shown)
    watched.goto(laptop.address)
    expect(watched).to_have_url(f"{laptop.address}/login")
    watched.close()
    laptop.page.goto(laptop.address)
    expect(laptop.page).to_have_url(f"{laptop.address}/login")


def delete_the_account(laptop: Visitor) -> None:
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


def test_tokens_are_renewed_before_they_end(browser, quick_address):
    visitor = Visitor(browser, quick_address)
    visitor.register()
    expect(newest(visitor.page).locator("h3")).to_have_text("By itself, in the background")
    expect(newest(visitor.page).locator(".out .times")).to_have_text("\u00d72")
    expect(visitor.page.locator("#token-note")).to_have_text(re.compile("renewed 2 times"))
    assert "401" not in " ".join(drawn(newest(visitor.page)))
    visitor.nothing_went_wrong()


def test_another_person_in_another_tab(browser, address):
    """What was on the page of the first is gone at once."""
    visitor = Visitor(browser, address)
    visitor.register("ada")
    visitor.page.get_by_label("New note").fill("of Ada")
    visitor.press("Add")
    expect(visitor.page.locator("#notes .text")).to_have_text("of Ada")
    other = visitor.context.new_page()
    other.goto(f"{address}/static/favicon.svg")
    other.evaluate(
        """async () => {
            const { createAuthClient } = await import("/auth/client/index.js");
            await createAuthClient().register({ username: "bob", password: "correct horse battery" });
        }"""
    )
    visitor.is_in("bob")
    expect(visitor.page.locator("#notes > li")).to_have_count(0)
    visitor.nothing_went_wrong()


def test_a_logout_in_one_tab_is_one_in_all(browser, address):
    visitor = Visitor(browser, address)
    visitor.register()
    other = visitor.tab()
    expect(other.locator("#main")).to_have_attribute("aria-busy", "false")
    other.get_by_role("button", name="Log out", exact=True).click()
    visitor.is_at_login("Your session was ended in another tab.")
    expect(other.get_by_role("status")).to_have_text("You are logged out.")
    visitor.enter("ada")
    visitor.is_in("ada")
    expect(other.locator("#who")).to_have_text("ada")  # in one, in all
    visitor.nothing_went_wrong()


def test_a_server_that_dies_and_comes_back(browser, tmp_path):
    port = str(free_port())
    with serving(tmp_path, ACCESS_TTL="600", PORT=port) as address:
        visitor = Visitor(browser, address)
        visitor.register()
    visitor.press("Ask the API")
    expect(visitor.page.locator("#banner-text")).to_have_text(AWAY)
    visitor.play("Steal it", AWAY)
    visitor.play("Log out everywhere", AWAY)
    visitor.press("Log out")
    expect(visitor.page.locator("#banner-text")).to_have_text(AWAY)
    with serving(tmp_path, ACCESS_TTL="600", PORT=port):
        visitor.press("Try again")
        expect(visitor.page.locator("#banner")).to_be_hidden()
        visitor.play("Expire it now", RENEWED)
    visitor.nothing_went_wrong()
