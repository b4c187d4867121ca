"""Pictures of the example app in a realistic state: ``python -m tests.example.screenshot docs/images/example.png``.

With a directory instead of a file: also the login, the dark scheme, a phone and the dialog, to look at them.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.example.serving import BROWSER_ARGUMENTS, chromium_path, serving

NOTES = (
    "Return the library books before Friday",
    "Ask Priya about the train to Lisbon",
    "Tomatoes, basil, olive oil, bread",
    "Water the ferns - the big one twice",
    "Call the plumber about the tap in the kitchen",
    "Rotation idea: successor as a pure function of the token",
)
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
SIZE = {"width": 1280, "height": 880}


def register(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill("correct horse battery")
    page.locator("#submit").click()
    expect(page.locator("#who")).to_have_text("ada")
    for note in NOTES:
        page.get_by_label("New note").fill(note)
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.locator("#notes > li").first).to_contain_text(note)


def other_device(browser: Browser, address: str) -> None:
    page = browser.new_context(user_agent=FIREFOX).new_page()
    page.goto(address)
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill("correct horse battery")
    page.locator("#submit").click()
    expect(page.locator("#who")).to_have_text("ada")


def into_a_realistic_state(page: Page) -> None:
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Reload").click()
    expect(page.locator("#devices > li")).to_have_count(2)
    expect(page.locator("#token-state")).to_have_text("expired", timeout=40_000)
    page.get_by_role("button", name="Ask the API").click()
    expect(page.locator(".step.retry")).to_have_count(1)
    page.get_by_role("button", name="Forget the access token").click()
    page.get_by_role("button", name="Ask 5 times at once").click()
    expect(page.locator(".step.retry")).to_have_count(6)
    page.mouse.move(0, 0)
    expect(page.locator("#token-left")).not_to_have_text("30 s")


def look_at_everything(page: Page, browser: Browser, address: str, directory: Path) -> None:
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=directory / "dark.png")
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=directory / "phone-dark.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.screenshot(path=directory / "phone.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth")
    print(f"phone width: {wide} of 390")
    page.set_viewport_size({"width": SIZE["width"], "height": SIZE["height"]})
    page.get_by_role("button", name="Delete account").click()
    page.screenshot(path=directory / "dialog.png")
    login = browser.new_page(viewport={"width": 900, "height": 700})
    login.goto(f"{address}/login?reason=ended")
    login.get_by_label("User name").fill("ada")
    login.get_by_label("Password").fill("wrong password")
    login.locator("#submit").click()
    expect(login.get_by_role("alert")).to_be_visible()
    login.screenshot(path=directory / "login.png")


def main(target: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), ACCESS_TTL="30") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=BROWSER_ARGUMENTS)
        context = browser.new_context(viewport={"width": SIZE["width"], "height": SIZE["height"]})
        page = context.new_page()
        register(page, address)
        other_device(browser, address)
        into_a_realistic_state(page)
        page.screenshot(path=target / "light.png" if target.is_dir() else target)
        if target.is_dir():
            look_at_everything(page, browser, address, target)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
