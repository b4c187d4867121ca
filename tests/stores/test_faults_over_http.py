"""A store that fails at any of its operations, as a browser sees it: 503, the cookie stays, and is still good."""

from typing import Any

import pytest

from jwt_refresh_middleware import DevicePolicy, SessionStore
from jwt_refresh_middleware.testing import FaultyStore

from ..kinds import KINDS
from ..web.asgi import Reply
from ..web.problems import assert_problem
from ..web.support import PASSWORD, Service, Tokens


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Browser:
    """Asks for what it wants; on 503 it looks at what it was answered, keeps its cookie and asks again."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.refused = 0

    async def post(self, route: str, **request: Any) -> Reply:
        reply = await self.service.post(route, **request)
        if reply.status != 503:
            return reply
        self.refused += 1
        assert_problem(reply, "store_unavailable")
        assert int(reply.one("retry-after") or 0) >= 1
        assert reply.all("set-cookie") == [], "the cookie stays"
        return await self.service.post(route, **request)

    async def login(self, name: str) -> Tokens:
        return Tokens(await self.post("login", json_body={"username": name, "password": PASSWORD}))

    async def refresh(self, held: Tokens) -> Tokens:
        return Tokens(await self.post("refresh", headers=held.by_cookie))


async def visit(browser: Browser, name: str) -> None:
    """From the login to the logout: the same token twice at once, an answer that was lost for long, every device."""
    service = browser.service
    first = await browser.login(name)
    second = await browser.refresh(first)
    assert (await browser.refresh(first)).refresh == second.refresh, "a second successor"
    service.clock.advance(60)
    third = await browser.refresh(second)
    service.clock.advance(60)
    assert (await browser.refresh(second)).refresh == third.refresh, "a second successor"
    assert (await service.get_in(third)).status == 200, "an access token needs no store"
    other = await browser.login(name)
    out = await browser.post("logout", headers=third.by_cookie)
    assert out.status == 200
    assert "Max-Age=0" in (out.one("set-cookie") or "")
    everywhere = await browser.post("logout", headers=other.by_cookie, json_body={"all": True})
    assert everywhere.status == 200
    for held in (third, other):
        assert_problem(await service.get_in(held), "token_revoked")
        assert_problem(await browser.post("refresh", headers=held.by_cookie), "refresh_invalid")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.case("G10", "H19", "H20")
async def test_a_failure_at_any_operation_keeps_the_cookie(store: SessionStore, after: bool) -> None:
    await store.open()
    fail_at, failed = 0, True
    while failed:
        fail_at += 1
        faulty = FaultyStore(store, fail_at=fail_at, after=after)
        # Nobody listens: then nobody asks whose session a logout has ended, which may fail and costs nothing.
        options = {"store": faulty, "device_policy": DevicePolicy(refresh_rate=None), "on_event": None}
        service = Service(issuer=options)
        browser = Browser(service)
        await visit(browser, ("alice", "bob", "carol")[fail_at % 3])
        failed = faulty.operations >= fail_at
        assert browser.refused == failed, "one failure is one 503, and none without one"
        assert "reuse_detected" not in await service.event_names()
        await service.issuer.aclose()
    assert fail_at > 10, "that many operations there are at least"
