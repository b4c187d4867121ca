"""The password is asked for again, in a real Chromium: where the issuer doubts a session, and to delete an account."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.example.serving import serving
from tests.example.visitor import PASSWORD, Visitor, drawn, newest

PROVEN = "Who knows the password goes on, with a new token. The one that was used elsewhere is spent."
UNPROVEN = "Not done: it needs your password. You are still logged in."
TWO_NETWORKS = "Your session is used from two networks at once. If that is you, it goes on."


def dialog(page: Page):
    return page.get_by_role("dialog", name="Your password, please")


def give(page: Page, password: str = PASSWORD) -> None:
    dialog(page).get_by_label("Password").fill(password)
    page.keyboard.press("Enter")


def is_asked_again(page: Page) -> None:
    expect(dialog(page).get_by_role("alert")).to_have_text("That is not right. Try again.")
    expect(dialog(page).get_by_label("Password")).to_be_focused()


def test_two_places_at_once_lead_to_a_step_up(browser, address, tmp_path):
    visitor = Visitor(browser, address)
    visitor.register()
    visitor.press("Be in two places")
    expect(dialog(visitor.page)).to_have_accessible_description(TWO_NETWORKS)
    expect(dialog(visitor.page).get_by_label("User name")).to_have_value("ada")
    expect(dialog(visitor.page).get_by_label("Password")).to_be_focused()
    used_elsewhere = visitor.context.cookies()[0]["value"]
    give(visitor.page, "a wrong password")
    is_asked_again(visitor.page)
    give(visitor.page)
    expect(visitor.page.locator(".result:not(:empty)")).to_have_text(PROVEN)
    expect(dialog(visitor.page)).to_be_hidden()
    expect(visitor.page.get_by_role("button", name="Be in two places")).to_be_focused()
    assert drawn(newest(visitor.page)) == [
        "This tab to Issuer: refresh POST /auth/refresh",
        "Issuer to This tab: 200 new token",
        "Elsewhere to Issuer: elsewhere POST /auth/refresh",
        "Issuer to Elsewhere: 401 step_up_required",
        "This tab to API: GET /api/me",
        "API to This tab: 401 token_expired",
        "This tab to Issuer: refresh POST /auth/refresh",
        "Issuer to This tab: 401 step_up_required",
        "This tab to Issuer: step-up POST /auth/step-up",
        "Issuer to This tab: 401 invalid_credentials",
        "This tab to Issuer: step-up POST /auth/step-up",
        "Issuer to This tab: 200 new token",
        "This tab to API: retry GET /api/me",
        "API to This tab: 200",
    ]
    visitor.play("Expire it now", "1 refresh, and the answer came all the same. You would not have noticed.")
    visitor.holds_no_token()
    visitor.nothing_went_wrong()
    it_is_spent(visitor, used_elsewhere)
    log = (tmp_path / "server.log").read_text()
    assert "concurrent_networks subject='ada'" in log
    assert used_elsewhere not in log
    assert PASSWORD not in log


def it_is_spent(visitor: Visitor, token: str) -> None:
    """Whoever tries it once more ends the session: one of two has a copy, and nobody can know who."""
    thief = visitor.context.browser.new_context()
    headers = {"Cookie": f"__Host-refresh_token={token}", "X-Forwarded-For": "198.51.100.7"}
    answer = thief.request.post(f"{visitor.address}/auth/refresh", headers=headers)
    assert (answer.status, answer.json()["code"]) == (401, "refresh_invalid")
    thief.close()
    visitor.press("Ask the API")
    visitor.is_at_login("Your session has ended. Log in again.")


def test_who_gives_up_stays_logged_in_and_is_asked_again(browser, address):
    visitor = Visitor(browser, address)
    page, banner = visitor.page, visitor.page.locator("#banner-text")
    visitor.register()
    visitor.press("Be in two places")
    give(page, "a wrong password")
    is_asked_again(page)
    visitor.press("Cancel")
    expect(page.locator(".result:not(:empty)")).to_have_text(UNPROVEN)
    expect(newest(page).locator(".verdict.bad")).to_have_text(UNPROVEN)

    visitor.press("Ask the API")
    expect(dialog(page).get_by_label("Password")).to_have_value("")
    expect(dialog(page).get_by_role("alert")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(banner).to_have_text(UNPROVEN)
    expect(dialog(page)).to_be_hidden()
    expect(page.get_by_role("button", name="Ask the API")).to_be_focused()

    visitor.press("Try again")
    give(page)
    expect(banner).to_be_hidden()
    expect(dialog(page)).to_be_hidden()
    visitor.is_in("ada")
    visitor.nothing_went_wrong()


def test_a_page_that_is_opened_meanwhile_asks_who_it_is(browser, address):
    visitor = Visitor(browser, address)
    visitor.register()
    visitor.press("Be in two places")
    visitor.press("Cancel")
    visitor.page.reload()
    visitor.press("Cancel")
    expect(visitor.page.locator("#banner-text")).to_have_text(UNPROVEN)
    visitor.press("Try again")  # loads the page again
    dialog(visitor.page).get_by_label("User name").fill("ada")
    give(visitor.page)
    visitor.is_in("ada")
    visitor.nothing_went_wrong()


def test_one_answer_is_enough_for_all_tabs(browser, address):
    visitor = Visitor(browser, address)
    visitor.register()
    other = visitor.tab()
    expect(other.locator("#main")).to_have_attribute("aria-busy", "false")
    visitor.press("Be in two places")
    expect(dialog(visitor.page)).to_be_visible()
    other.get_by_role("button", name="Ask 5 times at once").click()
    expect(dialog(other)).to_be_visible()
    give(other)
    for page in (visitor.page, other):
        expect(dialog(page)).to_be_hidden()
        expect(page.locator("#token-state")).to_have_text("valid")
    expect(visitor.page.locator(".result:not(:empty)")).to_have_text(PROVEN)
    expect(newest(other).locator(".back.good").last).to_have_text("API to This tab: 200 \u00d75")
    visitor.nothing_went_wrong()


@pytest.fixture
def impatient_address(tmp_path):
    """An app that trusts a password for 4 s, and counts wrong ones for 20 s."""
    with serving(tmp_path, ACCESS_TTL="600", FRESH_FOR="4", LOGIN_WINDOW="20") as running:
        yield running


def test_an_account_is_deleted_by_who_knows_its_password(browser, impatient_address):
    visitor = Visitor(browser, impatient_address)
    page = visitor.page
    visitor.register()
    page.wait_for_timeout(4_100)
    delete(visitor)
    text = "For this, your password must have been given in the last 4 seconds."
    expect(dialog(page)).to_have_accessible_description(text)
    page.keyboard.press("Escape")
    expect(page.locator("#banner-text")).to_have_text(UNPROVEN)
    expect(page.get_by_role("button", name="Delete account")).to_be_focused()
    visitor.press("Ask the API")
    expect(newest(page).locator(".back.good")).to_have_text("API to This tab: 200")

    delete(visitor)
    give(page, "a wrong password")
    is_asked_again(page)
    give(page)
    visitor.is_at_login("Your account and your notes are deleted.")
    visitor.nothing_went_wrong()


def delete(visitor: Visitor) -> None:
    visitor.press("Delete account")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Delete account").click()


def test_guesses_are_limited_here_too(browser, impatient_address):
    visitor = Visitor(browser, impatient_address)
    visitor.register()
    visitor.press("Be in two places")
    go_on = dialog(visitor.page).locator("#proof-yes")
    for number in range(5):
        with visitor.page.expect_response("**/auth/step-up") as answered:
            give(visitor.page, f"a wrong password {number}")
        assert answered.value.status == 401
        is_asked_again(visitor.page)
        expect(go_on).to_have_attribute("aria-disabled", "false")
    give(visitor.page)  # the right one
    expect(dialog(visitor.page).get_by_role("alert")).to_have_text(re.compile(r"Too many wrong attempts\."))
    expect(go_on).to_have_text(re.compile(r"^Wait \d+ s$"))
    visitor.page.keyboard.press("Enter")  # is not even sent
    expect(go_on).to_have_text("Go on", timeout=21_000)
    expect(dialog(visitor.page).get_by_role("alert")).to_be_hidden()
    give(visitor.page)
    expect(visitor.page.locator(".result:not(:empty)")).to_have_text(PROVEN)
    visitor.nothing_went_wrong()
