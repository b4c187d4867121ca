"""Pictures of the example app, taken from the running one: ``python -m tests.example.screenshot docs/images``.

``example.png``, ``example-dark.png`` and ``example-phone.png`` in a realistic state, and ``theft.png`` while the
refresh token is being stolen. Another directory gets more of them, to look at: the end of a session, the login, other
networks, the password that is asked for again, two tabs.
"""

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.example.serving import BROWSER_ARGUMENTS, chromium_path, serving
from tests.example.visitor import FIREFOX, PASSWORD, Visitor, newest

NOTES = (
    "Return the library books before Friday",
    "Ask Priya about the train to Lisbon",
    "Tomatoes, basil, olive oil, bread",
    "Water the ferns - the big one twice",
    "Call the plumber about the kitchen tap",
)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
DESKTOP = {"width": 1280, "height": 880}
PHONE = {"width": 390, "height": 844}


def with_notes_and_devices(browser: Browser, address: str) -> Visitor:
    visitor = Visitor(browser, address, viewport=DESKTOP, reduced_motion="no-preference", user_agent=CHROME)
    visitor.register()
    for note in NOTES:
        visitor.page.get_by_label("New note").fill(note)
        visitor.press("Add")
        expect(visitor.page.locator("#notes > li").first).to_contain_text(note)
    laptop = Visitor(browser, address, user_agent=FIREFOX, extra_http_headers={"X-Forwarded-For": "198.51.100.7"})
    log_in_from_another_network(laptop)
    laptop.context.close()
    visitor.press("Reload")
    expect(visitor.page.locator("#devices > li")).to_have_count(2)
    return visitor


def log_in_from_another_network(visitor: Visitor) -> None:
    """From a second one at once, so that the password is asked for again."""
    visitor.enter("ada")
    proof = visitor.page.get_by_role("dialog")
    proof.get_by_label("User name").fill("ada")
    proof.get_by_label("Password").fill(PASSWORD)
    proof.get_by_role("button", name="Go on").click()
    visitor.is_in("ada")


def into_a_realistic_state(visitor: Visitor) -> None:
    visitor.press("Clear")
    visitor.play("Expire it now", "1 refresh, and the answer came all the same. You would not have noticed.")
    visitor.play("Lose the answer", "1 refresh, and its answer was given a second time. Nobody was logged out.")
    at_rest(visitor.page)
    expect(visitor.page.locator("#token-left")).to_have_text("24 s", timeout=30_000)


def at_rest(page: Page) -> None:
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")


def everyday(visitor: Visitor, target: Path) -> None:
    page = visitor.page
    into_a_realistic_state(visitor)
    page.screenshot(path=target / "example.png")
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=target / "example-dark.png")
    page.emulate_media(color_scheme="light")


def phone(visitor: Visitor, target: Path) -> None:
    page = visitor.page
    page.set_viewport_size(PHONE)
    page.locator("#flow-card").evaluate("card => card.scrollIntoView()")
    page.screenshot(path=target / "example-phone.png")
    page.set_viewport_size(DESKTOP)


def theft(visitor: Visitor, target: Path) -> None:
    """At the moment when the thief has used the old token, and the owner asks again."""
    page = visitor.page
    visitor.press("Clear")
    visitor.press("Steal it")
    at_rest(page)
    expect(newest(page).get_by_text("401 refresh_invalid")).to_be_visible()
    page.screenshot(path=target / "theft.png")
    expect(page.locator("#finale")).to_be_visible()


def the_rest(visitor: Visitor, target: Path) -> None:
    page = visitor.page
    page.screenshot(path=target / "finale.png")
    page.get_by_role("link", name="Go to the login").click()
    expect(page.locator("#notice")).to_be_visible()
    page.screenshot(path=target / "login.png")
    for _ in range(6):
        with page.expect_response("**/auth/login"):
            visitor.enter("bob", "a wrong password")
    expect(page.locator("#submit")).to_have_text(re.compile("Wait"))
    page.screenshot(path=target / "throttled.png")
    log_in_from_another_network(visitor)
    networks(visitor, target)
    with visitor.context.expect_page() as opened:
        visitor.press("Open a second tab")
    expect(newest(opened.value).locator(".verdict")).to_be_visible()
    opened.value.screenshot(path=target / "tabs.png")


def networks(visitor: Visitor, target: Path) -> None:
    page = visitor.page
    visitor.press("Change networks")
    expect(newest(page).locator(".verdict")).to_be_visible()
    page.screenshot(path=target / "networks.png")
    visitor.press("Be in two places")
    expect(page.get_by_role("dialog")).to_be_visible()
    for scheme, size in (("light", DESKTOP), ("dark", PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        page.screenshot(path=target / f"proof-{scheme}.png")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESKTOP)
    page.get_by_role("dialog").get_by_label("Password").fill(PASSWORD)
    visitor.press("Go on")
    expect(newest(page).locator(".verdict")).to_be_visible()
    page.screenshot(path=target / "two-places.png")


def main(target: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), ACCESS_TTL="30") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=BROWSER_ARGUMENTS)
        visitor = with_notes_and_devices(browser, address)
        everyday(visitor, target)
        phone(visitor, target)
        theft(visitor, target)
        if target.name != "images":
            the_rest(visitor, target)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
