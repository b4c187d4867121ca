"""Other networks and guessed passwords, in a real Chromium."""

import re

import pytest
from playwright.sync_api import expect

from tests.example.serving import serving
from tests.example.visitor import PASSWORD, Visitor, drawn, newest

POLICIES = "Let through, refused, or asked for a proof: as the policy says. Whatever it says, at home it goes on."
GUESSED = re.compile(r"The guesser has to wait \d+ s, whatever is tried\. You stay logged in, and can log in here\.")


def test_a_change_of_network_under_each_preset(browser, address, tmp_path):
    visitor = Visitor(browser, address)
    visitor.register()
    for _ in range(2):
        visitor.play("Change networks", POLICIES)
        rows = newest(visitor.page).locator("tbody tr").all()
        assert [" ".join(row.inner_text().split()) for row in rows] == [
            "roaming, the default 200 event device_changed 200",
            "strict 401 device_mismatch event device_mismatch 200",
            "off 200 no event 200",
            "on_ip_change: step_up 401 step_up_required event step_up_required 200",
        ]
    assert [cookie["name"] for cookie in visitor.context.cookies()] == ["__Host-refresh_token"]
    visitor.press("Ask the API")
    expect(newest(visitor.page).locator(".back.good")).to_have_text("API to This tab: 200")
    visitor.holds_no_token()
    visitor.nothing_went_wrong()
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_a_guesser_is_stopped_and_nobody_else(browser, address):
    visitor = Visitor(browser, address)
    visitor.register()
    for _ in range(2):
        visitor.play("Guess one", GUESSED)
        assert drawn(newest(visitor.page)) == [
            "Guesser to Issuer: guess POST /auth/login x5",
            "Issuer to Guesser: 401 invalid_credentials x5",
            "Guesser to Issuer: guess POST /auth/login",
            "Issuer to Guesser: 429 rate_limited",
        ]
    visitor.press("Log out")
    visitor.is_at_login("You are logged out.")
    visitor.enter("ada")
    visitor.is_in("ada")
    visitor.nothing_went_wrong()


@pytest.fixture
def strict_address(tmp_path):
    """An app that counts wrong passwords for 20 s."""
    with serving(tmp_path, ACCESS_TTL="600", LOGIN_WINDOW="20") as running:
        yield running


def test_a_login_is_throttled_for_a_while(browser, strict_address):
    visitor = Visitor(browser, strict_address)
    page, button, error = visitor.page, visitor.page.locator("#submit"), visitor.page.get_by_role("alert")
    visitor.register()
    visitor.press("Log out")
    visitor.is_at_login("You are logged out.")
    for number in range(5):
        with page.expect_response("**/auth/login") as answered:
            visitor.enter("ada", f"a wrong password {number}")
        assert answered.value.status == 401
        expect(error).to_have_text("The credentials were not accepted.")

    visitor.enter("ada")  # the right one
    expect(error).to_have_text(re.compile(r"Too many wrong attempts\. You can try again in \d+ seconds?; until then"))
    expect(button).to_have_text(re.compile(r"^Wait \d+ s$"))
    expect(button).to_have_attribute("aria-disabled", "true")
    page.reload()  # the server remembers
    visitor.enter("ada")
    expect(button).to_have_text(re.compile(r"^Wait \d+ s$"))
    page.keyboard.press("Enter")  # is not even sent
    expect(button).to_have_text(re.compile(r"^Wait \d+ s$"))
    another_account_need_not_wait(visitor)
    visitor.enter("ada")
    expect(button).to_have_text(re.compile(r"^Wait \d+ s$"))

    expect(page.locator("#again")).to_be_visible(timeout=21_000)
    expect(page.locator("#again")).to_have_text("You can try again now.")
    expect(button).to_have_text("Log in")
    expect(error).to_be_hidden()
    page.keyboard.press("Enter")  # the focus has not left the password
    visitor.is_in("ada")
    visitor.nothing_went_wrong()


def another_account_need_not_wait(visitor: Visitor) -> None:
    button = visitor.page.locator("#submit")
    visitor.page.get_by_label("User name").fill("bob")
    expect(button).to_have_text("Log in")
    expect(button).to_have_attribute("aria-disabled", "false")
    expect(visitor.page.get_by_role("alert")).to_be_hidden()
    visitor.enter("ada", PASSWORD)
    expect(button).to_have_text(re.compile(r"^Wait \d+ s$"))
    visitor.press("Create an account")
    expect(button).to_have_text("Create account")
    visitor.page.locator("#switch").click()
    expect(button).to_have_text("Log in")
