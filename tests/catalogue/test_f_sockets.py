"""Group F, F09: handshakes of WebSockets. The same over real servers is in ``tests/web/sockets``."""

from collections.abc import Callable
from typing import Any

import pytest

from ..leakage.pieces import windows
from ..web.asgi import HeaderList, Reply
from ..web.problems import assert_problem
from ..web.sockets.talking import RESPONSE, App, Talk
from ..web.support import Service, Tokens
from .forge import token

EVIL = {"origin": "https://evil.example"}


class Door:
    """A service with sockets, somebody honest, and what an attacker is answered at it."""

    def __init__(self, service: Service, app: App, honest: Tokens, caplog: pytest.LogCaptureFixture) -> None:
        self.service, self.app, self.honest, self.caplog = service, app, honest, caplog

    async def refused(self, code: str, *args: Any, path: str = "/chat", action: str | None = None) -> None:
        """With the answer to the handshake, and without one; nothing is reached, nothing is told."""
        self.service.store.calls.clear()
        self.caplog.clear()
        talk = Talk(self.service.app, path, *args, extensions=RESPONSE)
        start, body = await talk.said(), await talk.said()
        reply = Reply(start["status"], tuple(start["headers"]), body["body"])
        assert_problem(reply, code, action=action)
        await talk.over()
        talk = Talk(self.service.app, path, *args)
        assert await talk.said() == {"type": "websocket.close", "code": 4403 if code == "cross_origin" else 4401}
        await talk.over()
        assert self.app.scopes == []
        assert self.service.store.calls == []
        said = f"{reply.headers}{reply.body!r}{[record.getMessage() for record in self.caplog.records]}"
        assert not windows(said) & windows(self.honest.access)
        await self.let_in("/chat", self.honest.bearer)

    async def let_in(self, *args: Any, who: str = "alice") -> None:
        talk = Talk(self.service.app, *args)
        await talk.accepted()
        assert await talk.echo() == f"{who}: hello"
        await talk.leave()
        self.app.scopes.clear()


@pytest.fixture
async def door(make_service: Callable[..., Service], caplog: pytest.LogCaptureFixture) -> Door:
    caplog.set_level("DEBUG")
    app = App()
    service = make_service(app=app, public=["/open"])
    return Door(service, app, await service.login(), caplog)


BAD: dict[str, tuple[HeaderList, str]] = {
    "none": ({}, "token_missing"),
    "another_scheme": ({"authorization": "Basic eDp5"}, "token_missing"),
    "cookie_of_that_name": ({"cookie": "access_token=x; authorization=x"}, "token_missing"),
    "made_up": ({"authorization": "Bearer made.up.token"}, "token_invalid"),
    "expired": ({"authorization": "Bearer " + token(exp=1)}, "token_expired"),
    "alg_none": ({"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, "token_invalid"),
    "two": ([("authorization", "Bearer " + token()), ("authorization", "Bearer " + token())], "token_malformed"),
}


@pytest.mark.parametrize("case", BAD)
async def test_f09_without_a_token_and_with_a_bad_one(door: Door, case: str) -> None:
    headers, code = BAD[case]
    await door.refused(code, headers)


BAD_TOKENS = {
    "made_up": "made.up.token",
    "expired": token(exp=1),
    "of_another_issuer": token(iss="https://evil.example"),
    "too_long": "x" * 9000,
}


@pytest.mark.parametrize("case", BAD_TOKENS)
async def test_f09_a_bad_token_as_a_sub_protocol(door: Door, case: str) -> None:
    code = "token_expired" if case == "expired" else "token_invalid"
    await door.refused(code, {}, ["bearer", BAD_TOKENS[case]])


async def test_f09_a_token_in_another_place_of_the_list(door: Door) -> None:
    good = door.honest.access
    for protocols in (
        [good],
        [good, "chat"],
        ["Bearer", good],
        ["token", good],
        [f"bearer.{good}"],
        [f"bearer {good}"],
    ):
        await door.refused("token_missing", {}, protocols)
    for protocols in ([good, "bearer"], ["bearer"], ["bearer", good, "bearer", good]):
        await door.refused("token_malformed", {}, protocols)
    await door.refused("token_invalid", {}, ["bearer", "chat", good])


async def test_f09_with_a_good_one(door: Door) -> None:
    await door.let_in("/chat", door.honest.bearer)
    await door.let_in("/chat", {}, ["bearer", door.honest.access])
    await door.let_in("/open", who="anonymous")


async def test_f09_from_a_page_of_another_origin(door: Door) -> None:
    """Cookies come along, from a sub-domain whatever ``SameSite`` says, and no preflight asks: the origin counts."""
    good = door.honest
    for headers, protocols in (
        (EVIL, []),
        (EVIL | good.bearer, []),
        (EVIL | good.by_cookie, []),
        (EVIL, ["bearer", good.access]),
    ):
        await door.refused("cross_origin", headers, protocols)
        await door.refused("cross_origin", headers, protocols, path="/open")


async def test_f09_a_token_in_the_url(door: Door) -> None:
    for name in ("token", "access_token", "authorization", "bearer", "jwt"):
        await door.refused("token_missing", {}, path=f"/chat?{name}={door.honest.access}")


@pytest.mark.parametrize("path", ["//open", "/open/", "/./open", "/x/../open", "/open\n", "/open;x", "/OPEN"])
async def test_f09_only_what_is_canonical_is_public(door: Door, path: str) -> None:
    await door.refused("token_missing", {}, path=path)


async def test_f09_a_session_that_was_ended_cannot_be_kept_alive_by_a_token_of_its_own(door: Door) -> None:
    talk = Talk(door.service.app, "/chat", door.honest.bearer)
    await talk.accepted()
    await door.service.issuer.logout(door.honest.refresh)
    talk.renew(door.honest.access)
    await talk.closed("token_revoked")
    await talk.over()


async def test_f09_a_socket_cannot_be_handed_on_to_somebody_else(door: Door) -> None:
    talk = Talk(door.service.app, "/chat", door.honest.bearer)
    await talk.accepted()
    talk.renew((await door.service.login("bob")).access)
    await talk.closed("token_invalid")
    await talk.over()
    assert {scope["user"].identity for scope in door.app.scopes} == {"alice"}
