"""The hard cases, clicked through in a real Chromium: what the visitor sees, and what the server counted."""

import re

from playwright.sync_api import Page, expect

from tests.example.visitor import FIREFOX, PASSWORD, ServerLog, Visitor, drawn, newest

RENEWED = "1 refresh, and the answer came all the same. You would not have noticed."
SHARED = "1 refresh for 2 tabs and 10 requests. Nobody was logged out."
LOST = "1 refresh, and its answer was given a second time. Nobody was logged out."
POLICIES = "Let through, refused, or asked for a proof: as the policy says. Whatever it says, at home it goes on."
PROVEN = "Who knows the password goes on, with a new token. The one that was used elsewhere is spent."
CAUGHT = "The theft was noticed: the session is over, for the thief and for you."


def test_the_hard_cases_of_tokens(browser, address, tmp_path):
    visitor = Visitor(browser, address)
    visitor.register()
    server = ServerLog(tmp_path)
    server.lines()
    for _ in range(2):
        the_access_token_expires(visitor, server)
        an_answer_gets_lost(visitor, server)
        two_tabs_refresh_once(visitor, server)
    a_thief_is_caught(visitor, server)
    log_out_everywhere(visitor, server, Visitor(browser, address, user_agent=FIREFOX))
    visitor.nothing_went_wrong()


def the_access_token_expires(visitor: Visitor, server: ServerLog) -> None:
    visitor.play("Expire it now", RENEWED)
    assert server.counts() == {"refreshes": 1, "reuse": 0, "mismatch": 0, "refused": 1, "errors": 0}


def an_answer_gets_lost(visitor: Visitor, server: ServerLog) -> None:
    visitor.play("Lose the answer", LOST)
    assert drawn(newest(visitor.page))[2:8] == [
        "This tab to Issuer: refresh POST /auth/refresh",
        "Issuer to This tab: answer lost",
        "This tab to Issuer: refresh POST /auth/refresh",
        "Issuer to This tab: 200 new token",
        "This tab to API: retry GET /api/me",
        "API to This tab: 200",
    ]
    expect(visitor.page.locator("#banner")).to_be_hidden()
    assert server.counts() == {"refreshes": 2, "reuse": 0, "mismatch": 0, "refused": 1, "errors": 0}


def two_tabs_refresh_once(visitor: Visitor, server: ServerLog) -> None:
    if len(visitor.context.pages) == 1:
        with visitor.context.expect_page() as opened:
            visitor.press("Open a second tab")
        second = opened.value
        expect(second.locator("#second-tab")).to_be_visible()
        expect(visitor.page.locator(".result:not(:empty)")).to_have_text(SHARED)
        counted = server.counts()
        counted["refreshes"] -= 1  # the second tab, when it was opened
    else:
        second = visitor.context.pages[1]
        visitor.page.bring_to_front()
        visitor.play("Open a second tab", SHARED)
        counted = server.counts()
    assert len(visitor.context.pages) == 2
    assert counted == {"refreshes": 1, "reuse": 0, "mismatch": 0, "refused": 10, "errors": 0}
    for page in (visitor.page, second):
        expect(newest(page).locator(".verdict")).to_have_text(SHARED)
        five_asked_from_each_side(page)


def five_asked_from_each_side(page: Page) -> None:
    diagram = newest(page)
    arrows = drawn(diagram)
    for side in ("This tab", "Other tab"):
        assert f"{side} to API: GET /api/me x5" in arrows
        assert f"API to {side}: 401 token_expired x5" in arrows
    assert len([arrow for arrow in arrows if "refresh POST" in arrow]) == 1
    assert len([arrow for arrow in arrows if "200 x5" in arrow]) == 2
    expect(page.locator("#token-state")).to_have_text("valid")


def a_thief_is_caught(visitor: Visitor, server: ServerLog) -> None:
    visitor.page.get_by_label("New note").fill("private")
    visitor.press("Add")
    expect(visitor.page.locator("#notes .text")).to_have_text("private")
    server.lines()
    visitor.play("Steal it", CAUGHT)
    assert drawn(newest(visitor.page)) == [
        "Thief to Issuer: theft POST /auth/refresh",
        "Issuer to Thief: 401 device_mismatch",
        "This tab to Issuer: refresh POST /auth/refresh",
        "Issuer to This tab: 200 new token",
        "This tab to API: GET /api/me",
        "API to This tab: 200",
        "Thief to Issuer: theft POST /auth/refresh",
        "Issuer to Thief: 401 refresh_invalid",
        "This tab to API: GET /api/me",
        "API to This tab: 401 token_revoked",
    ]
    assert server.counts() == {"refreshes": 1, "reuse": 1, "mismatch": 1, "refused": 1, "errors": 0}
    expect(visitor.page.get_by_role("alert")).to_contain_text(CAUGHT)
    expect(visitor.page.get_by_text("private")).to_have_count(0)
    expect(visitor.page.locator("#token-state")).to_have_text("none")
    second = visitor.context.pages[1]
    expect(second.get_by_role("status")).to_have_text("Your session was ended in another tab.")
    second.close()
    visitor.page.get_by_role("link", name="Go to the login").click()
    visitor.is_at_login(re.compile("Somebody used a copy of your refresh token. It was noticed at once"))
    visitor.enter("ada")
    visitor.is_in("ada")
    expect(visitor.page.locator("#notes .text")).to_have_text("private")
    visitor.holds_no_token()


def log_out_everywhere(visitor: Visitor, server: ServerLog, phone: Visitor) -> None:
    phone.enter("ada")
    phone.is_in("ada")
    second = visitor.tab()
    expect(second.locator("#main")).to_have_attribute("aria-busy", "false")
    visitor.play("Log out everywhere", "3 logins ended at once: this one, and 2 on other devices.")
    visitor.page.get_by_role("link", name="Go to the login").click()
    visitor.is_at_login("You are logged out, on all your devices.")
    expect(second.get_by_role("status")).to_have_text("Your session was ended in another tab.")
    phone.press("Ask the API")
    phone.is_at_login("Your session has ended. Log in again.")
    assert visitor.context.cookies() == []
    phone.nothing_went_wrong()
    visitor.enter("ada")
    visitor.is_in("ada")
    expect(visitor.page.locator("#devices > li")).to_have_count(1)


def test_one_play_at_a_time(browser, address):
    """Whatever else is pressed meanwhile; and in any order afterwards."""
    visitor = Visitor(browser, address)
    visitor.register()
    press = """names => names.forEach(name => [...document.querySelectorAll("button")]
        .find(button => button.textContent === name).click())"""
    visitor.page.evaluate(press, ["Lose the answer", "Steal it", "Lose the answer", "Ask the API", "Expire it now"])
    expect(visitor.page.locator(".result:not(:empty)")).to_have_text(LOST)
    visitor.page.evaluate(press, ["Expire it now", "Ask 5 times at once", "Log out everywhere"])
    expect(visitor.page.locator(".result.good:not(:empty)")).to_have_text(re.compile("^1 refresh"))
    visitor.page.evaluate(press, ["Steal it", "Log out"])
    # Which of them is answered first cannot be known.
    visitor.is_at_login(re.compile("You are logged out|Your session has ended"))
    visitor.nothing_went_wrong()


def test_a_browser_that_allows_no_second_tab(browser, address):
    visitor = Visitor(browser, address)
    visitor.register()
    visitor.page.evaluate("window.open = () => null")
    visitor.play("Open a second tab", "The browser did not allow a second tab. Open one yourself, and play this again.")
    other = visitor.tab()
    expect(other.locator("#main")).to_have_attribute("aria-busy", "false")
    visitor.play("Open a second tab", SHARED)
    visitor.nothing_went_wrong()


def test_everything_can_be_done_with_the_keyboard(browser, address):
    visitor = Visitor(browser, address, reduced_motion="no-preference")
    page, keyboard = visitor.page, visitor.page.keyboard
    expect(page.get_by_label("User name")).to_be_focused()
    tab_to(page, "Create an account")
    keyboard.press("Enter")
    page.get_by_label("User name").focus()
    keyboard.type("ada")
    keyboard.press("Tab")
    keyboard.type("correct horse battery")
    keyboard.press("Enter")
    visitor.is_in("ada")

    tab_to(page, "Expire it now")
    keyboard.press("Space")
    expect(page.locator(".result.good:not(:empty)")).to_have_text(RENEWED)
    expect(page.get_by_role("button", name="Expire it now")).to_be_focused()

    page.get_by_label("New note").focus()
    keyboard.type("by hand")
    keyboard.press("Enter")
    expect(page.locator("#notes .text")).to_have_text("by hand")
    expect(page.get_by_label("New note")).to_be_focused()
    tab_to(page, "Delete the note: by hand")
    keyboard.press("Enter")
    expect(page.locator("#notes > li")).to_have_count(0)
    expect(page.get_by_label("New note")).to_be_focused()

    tab_to(page, "Delete account")
    keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete account")).to_be_focused()

    page.get_by_role("button", name="Be in two places").focus()
    keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Password")).to_be_focused()
    tab_to(page, "Cancel")
    tab_to(page, "Go on")
    keyboard.press("Shift+Tab")
    keyboard.press("Shift+Tab")
    keyboard.type("correct horse battery")
    keyboard.press("Enter")
    expect(page.locator(".result.good:not(:empty)")).to_have_text(PROVEN)
    expect(page.get_by_role("button", name="Be in two places")).to_be_focused()

    page.get_by_role("button", name="Steal it").focus()
    keyboard.press("Enter")
    expect(page.get_by_role("link", name="Go to the login")).to_be_focused()
    keyboard.press("Enter")
    visitor.is_at_login(re.compile("copy of your refresh token"))
    expect(page.get_by_label("User name")).to_be_focused()
    visitor.nothing_went_wrong()


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the button is reached; on the way the focus can always be seen."""
    target = page.get_by_role("button", name=name, exact=True)
    for _ in range(40):
        page.keyboard.press("Tab")
        outline = "element => getComputedStyle(element).outlineStyle"
        assert page.locator(":focus").count() == 0 or page.locator(":focus").evaluate(outline) != "none"
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{name} is not reached")


def test_a_phone(browser, address):
    """Nothing is wider than the screen, and the diagram comes into view."""
    visitor = Visitor(browser, address, viewport={"width": 390, "height": 844}, has_touch=True)
    nothing_is_too_wide(visitor.page)
    visitor.register()
    visitor.page.get_by_label("New note").fill("x" * 300)
    visitor.press("Add")
    expect(visitor.page.locator("#notes > li")).to_have_count(1)
    nothing_is_too_wide(visitor.page)
    visitor.play("Lose the answer", LOST)
    expect(newest(visitor.page).locator(".verdict")).to_be_in_viewport()
    nothing_is_too_wide(visitor.page)
    visitor.play("Change networks", POLICIES)
    nothing_is_too_wide(visitor.page)
    visitor.press("Be in two places")
    expect(visitor.page.get_by_role("dialog")).to_be_in_viewport(ratio=1)
    nothing_is_too_wide(visitor.page)
    visitor.page.get_by_role("dialog").get_by_label("Password").fill(PASSWORD)
    visitor.press("Go on")
    expect(visitor.page.locator(".result:not(:empty)")).to_have_text(PROVEN)
    nothing_is_too_wide(visitor.page)
    visitor.play("Steal it", CAUGHT)
    nothing_is_too_wide(visitor.page)
    visitor.page.get_by_role("link", name="Go to the login").click()
    visitor.is_at_login(re.compile("copy of your refresh token"))
    nothing_is_too_wide(visitor.page)
    visitor.nothing_went_wrong()


def nothing_is_too_wide(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    beyond = """() => [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility()
        && element.getBoundingClientRect().right > 391 && !element.closest(".visually-hidden"))
        .map((element) => element.outerHTML.slice(0, 99))"""
    assert page.evaluate(beyond) == []


CONTRAST = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color) => rgba(color).slice(0, 3).map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const behind = (element) => {
        const color = getComputedStyle(element).backgroundColor;
        return rgba(color)[3] === 255 ? color : behind(element.parentElement);
    };
    const texts = [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility()
        && !element.closest("[inert], .visually-hidden, [aria-disabled=true], option")
        && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    return texts.map((element) => {
        const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 80)];
    }).filter(([ratio]) => ratio < 4.5);
}"""


def test_everything_can_be_read_in_the_light_and_in_the_dark(browser, address):
    """WCAG 2.2, 1.4.3: a contrast of 4.5 for every text."""
    visitor = Visitor(browser, address)
    visitor.press("Create an account")
    visitor.enter("ada")
    visitor.is_in("ada")
    visitor.play("Lose the answer", LOST)
    visitor.play("Change networks", POLICIES)
    visitor.press("Be in two places")
    visitor.page.get_by_role("dialog").get_by_label("Password").fill("a wrong password")
    visitor.press("Go on")
    expect(visitor.page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    everything_can_be_read(visitor.page)
    visitor.page.get_by_role("dialog").get_by_label("Password").fill(PASSWORD)
    visitor.press("Go on")
    expect(visitor.page.locator(".result:not(:empty)")).to_have_text(PROVEN)
    visitor.play("Steal it", CAUGHT)
    everything_can_be_read(visitor.page)
    visitor.page.get_by_role("link", name="Go to the login").click()
    visitor.is_at_login(re.compile("copy of your refresh token"))
    for _ in range(6):
        with visitor.page.expect_response("**/auth/login"):
            visitor.enter("ada", "a wrong password")
    expect(visitor.page.locator("#submit")).to_have_text(re.compile("Wait"))
    everything_can_be_read(visitor.page)


def everything_can_be_read(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(CONTRAST) == []
