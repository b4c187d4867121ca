"""Somebody in front of the example's page, and what can be seen of what they do."""

import re
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
PASSWORD = "correct horse battery"
# What a browser itself says about answers that are no success.
NOISE = re.compile(r"Failed to load resource: (the server responded with a status of (401|429|503) |net::ERR_)")

expect.set_options(timeout=10_000)


class Visitor:
    """One browser profile with a page, and what went wrong in it."""

    def __init__(self, browser: Browser, address: str, **options: object) -> None:
        settings: dict[str, object] = {"reduced_motion": "reduce", **options}
        self.context: BrowserContext = browser.new_context(**settings)  # type: ignore[arg-type]
        self.address = address
        self.wrong: list[str] = []
        self.requested: list[str] = []
        self.context.on("console", lambda message: self._note(message.type, message.text))
        self.context.on("weberror", lambda error: self.wrong.append(str(error.error)))
        self.context.on("request", lambda request: self.requested.append(request.url))
        self.page = self.tab()

    def tab(self) -> Page:
        page = self.context.new_page()
        page.goto(self.address)
        return page

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not NOISE.match(text):
            self.wrong.append(text)

    def nothing_went_wrong(self) -> None:
        assert self.wrong == []
        assert [url for url in self.requested if not url.startswith(self.address)] == []

    def register(self, name: str = "ada") -> None:
        self.press("Create an account")
        self.enter(name)
        self.is_in(name)

    def enter(self, name: str, password: str = PASSWORD) -> None:
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.locator("#submit").click()

    def is_in(self, name: str) -> None:
        expect(self.page.locator("#who")).to_have_text(name)
        expect(self.page.locator("#main")).to_have_attribute("aria-busy", "false")

    def is_at_login(self, saying: str | re.Pattern[str]) -> None:
        expect(self.page).to_have_url(re.compile(r"/login\?"))
        expect(self.page.get_by_role("status")).to_have_text(saying)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def play(self, button: str, result: str, page: Page | None = None) -> None:
        """Press the button of a hard case, and see how it ends."""
        page = page or self.page
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator(".result:not(:empty)")).to_have_text(result)
        expect(newest(page).locator(".verdict")).to_have_text(result)

    def holds_no_token(self) -> None:
        """Looks where scripts can look, besides the memory of a module. That there is a session is no secret."""
        kept = "JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}, location.href, window.name])"
        assert not re.search(r"[\w-]{30,}", self.page.evaluate(kept))
        assert self.page.evaluate("indexedDB.databases().then(all => all.length)") == 0
        assert self.page.evaluate("caches.keys().then(all => all.length)") == 0


def newest(page: Page) -> Locator:
    """The diagram of what was done last."""
    return page.locator("#flow > .diagram").first


def drawn(diagram: Locator) -> list[str]:
    """The arrows of a diagram as they are read out: from whom to whom, and what; "x5" for five of the same."""
    return [" ".join(text.replace("\u00d7", "x").split()) for text in diagram.locator(".arrow").all_text_contents()]


class ServerLog:
    """What the server counted since the last look."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "server.log"
        self._seen = 0

    def lines(self) -> list[str]:
        lines = self._path.read_text().splitlines()
        fresh, self._seen = lines[self._seen :], len(lines)
        return fresh

    def counts(self) -> dict[str, int]:
        lines = self.lines()
        patterns = {"refreshes": '"POST /auth/refresh ', "reuse": "reuse_detected", "mismatch": "device_mismatch"}
        patterns |= {"refused": '" 401 ', "errors": "Traceback"}
        return {name: sum(pattern in line for line in lines) for name, pattern in patterns.items()}
