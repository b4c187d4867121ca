"""Browsers as people use them: a device with tabs, and everything that went through the page's client."""

import json
import os
import time
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.client.browser.serving import Server, until

AUTH = "POST /auth/"
PATIENCE = float(os.environ.get("BROWSER_PATIENCE", "20")) * 1000


class Tab:
    """A page with a client in it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address

    def go(self, path: str = "/") -> "Tab":
        self.page.goto(self.address + path)
        return self.ready()

    def ready(self) -> "Tab":
        self.page.wait_for_function("window.ready === true")
        return self

    def run(self, program: str, argument: Any = None) -> Any:
        return self.page.evaluate(program, argument)

    def begin(self, program: str) -> None:
        """Start something without waiting for it; :meth:`outcome` does."""
        self.page.evaluate(f"() => {{ window.begun = Promise.resolve({program}).catch((error) => `${{error}}`); }}")

    def outcome(self) -> Any:
        late = f"new Promise((done) => setTimeout(done, {3 * PATIENCE}, 'it never came to an end'))"
        return self.page.evaluate(f"Promise.race([window.begun, {late}])")

    def log_in(self, name: str = "ann") -> "Tab":
        self.run("(name) => enter(name).then(() => {})", name)
        return self

    def ask(self, path: str = "/api") -> Any:
        return self.run("(path) => ask(path)", path)

    def subject(self) -> str:
        return self.run("() => auth.fetch('/api').then((answer) => answer.json()).then(({ subject }) => subject)")

    def is_in(self) -> bool:
        return self.run("() => auth.isAuthenticated()")

    def token(self) -> str | None:
        return self.run("() => auth.getAccessToken()")

    def waits_for(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def reload(self) -> "Tab":
        self.page.reload()
        return self.ready()


class Device:
    """One browser with cookies of its own."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self.address = context, address
        self.told: list[tuple[str, str | None]] = []
        self.console: list[str] = []
        self.wrong: list[str] = []
        self.urls: list[str] = []
        context.expose_function("tell", lambda name, reason: self.told.append((name, reason)))
        context.on("console", lambda message: self.console.append(message.text))
        context.on("weberror", lambda error: self.wrong.append(str(error.error)))
        context.on("request", lambda request: self.urls.append(request.url))

    def page(self) -> Tab:
        return Tab(self.context.new_page(), self.address)

    def tab(self, path: str = "/") -> Tab:
        return self.page().go(path)

    def cookies(self) -> list[Any]:
        return self.context.cookies()

    def reasons(self) -> list[str | None]:
        return [reason for name, reason in self.told if name == "signedout"]


class World:
    """The server and the devices of one test, and what it counts in the end."""

    def __init__(self, server: Server, browser: Browser) -> None:
        self.server, self.browser = server, browser
        self.devices: list[Device] = []
        self.logouts = 0

    def device(self, options: str = "{}", script: str = "", address: str = "") -> Device:
        """``options`` of the client as JavaScript, ``script`` for every page of this device to begin with."""
        context = self.browser.new_context()
        context.set_default_timeout(PATIENCE)
        context.add_init_script(f"window.options = () => ({options}); {script}")
        self.devices.append(Device(context, address or self.server.address))
        return self.devices[-1]

    def requests(self, line: str = "") -> list[dict[str, Any]]:
        return [request for request in self.server.told()["requests"] if request["line"].startswith(line)]

    def refreshes(self, status: int = 200) -> int:
        return len([request for request in self.requests(AUTH + "refresh") if request["status"] == status])

    def asked(self) -> int:
        return len(self.requests(AUTH + "refresh"))

    def reuse(self) -> int:
        return self.server.told()["events"].get("reuse_detected", 0)

    def holding(self, number: int = 1) -> None:
        """Wait until so many refreshes are committed and not yet answered."""
        until(lambda: self.server.told()["holding"] >= number, f"{number} refreshes are held")

    def expire(self, *tabs: Tab) -> None:
        """Wait until the access token of these tabs is over; the next one lives for a quarter of an hour."""
        self.server.control(set_up={"access_ttl": 900})
        ends = [tab.run("(key) => JSON.parse(atob(key.split('.')[1])).exp", tab.token()) for tab in tabs]
        until(lambda: time.time() > max(ends) + 0.05, "the token expires")

    def numbers(self) -> dict[str, int]:
        reasons = [reason for device in self.devices for reason in device.reasons()]
        asked = {"refreshes": self.refreshes(), "asked": self.asked(), "reuse": self.reuse()}
        return asked | {"logouts": len([reason for reason in reasons if reason == "expired"])}

    def close(self) -> None:
        for device in self.devices:
            device.context.close()

    def went_wrong(self) -> list[str]:
        return [text for device in self.devices for text in device.wrong]


def kept(tab: Tab) -> str:
    """Everything that a script of the page could find besides the memory of a module, as text."""
    return json.dumps(
        tab.run("""async () => [
            document.cookie, location.href, { ...localStorage }, { ...sessionStorage },
            await indexedDB.databases(), await caches.keys(), history.state, window.name,
            performance.getEntriesByType("resource").map(({ name }) => name),
        ]""")
    )
