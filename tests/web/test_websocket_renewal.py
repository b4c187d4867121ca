"""A fresh token over the open socket: taken by the middleware, the lease goes on, and the app sees the new user."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from jwt_refresh_middleware import Identity, JWTRefreshMiddleware, RevocationFeed, Verifier
from jwt_refresh_middleware.errors import KeysUnavailable
from jwt_refresh_middleware.web import inbox
from jwt_refresh_middleware.web.lease import credentials_in

from .sockets.talking import PATIENCE, App, Talk
from .support import SECRET, Service, Tokens
from .test_websocket_lease import LIFE, Busy, waits


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def service(make_service: Callable[..., Service], app: App) -> Service:
    return make_service(app=app, public=["/lobby"])


async def opened(service: Service, tokens: Tokens, path: str = "/chat") -> Talk:
    talk = Talk(service.app, path, tokens.bearer)
    await talk.accepted()
    return talk


async def refreshed(service: Service, tokens: Tokens) -> Tokens:
    return service.tokens(await service.post("refresh", headers=tokens.by_cookie))


async def test_the_lease_goes_on_and_the_app_sees_nothing_of_it(service: Service, app: App) -> None:
    tokens = await service.login()
    talk = await opened(service, tokens)
    for _ in range(3):
        service.clock.advance(LIFE - 1)
        tokens = await refreshed(service, tokens)
        talk.renew(tokens.access)
        assert await talk.echo() == "alice: hello"
    service.clock.advance(LIFE - 1)
    assert await talk.echo() == "alice: hello"
    assert app.texts == ["hello"] * 4
    service.clock.advance(1)
    talk.say("hello")
    await talk.closed("token_expired")
    await talk.over()


async def test_the_timer_goes_by_the_new_end(service: Service) -> None:
    tokens = await service.login()
    service.clock.advance(LIFE - 0.01)
    talk = await opened(service, tokens)
    tokens = await refreshed(service, tokens)
    talk.renew(tokens.access)
    assert await talk.echo() == "alice: hello"
    service.clock.advance(0.5)
    await asyncio.sleep(0.03)  # the timer of the old end would be over
    assert await talk.echo() == "alice: hello"
    service.clock.now = service.issuer.verifier.verify(tokens.access).expires_at - 0.02
    talk.renew(tokens.access)  # again, which sets a timer for the little that is left of it
    assert await talk.echo() == "alice: hello"
    service.clock.advance(0.02)
    await talk.closed("token_expired")
    await talk.over()


async def test_user_and_credentials_are_those_of_the_new_token(make_service: Callable[..., Service], app: App) -> None:
    async def load(subject: str) -> Identity:
        return Identity(subject, ["admin"], {"plan": "max"})

    service = make_service(app=app, issuer={"load_identity": load})
    tokens = await service.login()
    talk = await opened(service, tokens)
    assert app.scopes[0]["auth"].scopes == ["authenticated", "read", "write"]
    talk.renew((await refreshed(service, tokens)).access)
    await talk.echo()
    assert app.scopes[0]["auth"].scopes == ["authenticated", "admin"]
    assert app.scopes[0]["user"].token.claims["plan"] == "max"
    await talk.leave()


async def test_the_issuer_hears_that_the_token_arrived(service: Service) -> None:
    """As it does of a request, so that an older refresh token is a theft from now on."""
    tokens = await service.login()
    talk = await opened(service, tokens)
    session_id = service.issuer.session_id_of(tokens.refresh)
    tokens = await refreshed(service, tokens)
    assert service.issuer.backing.acknowledgements.seen == {}
    talk.renew(tokens.access)
    await talk.echo()
    assert service.issuer.backing.acknowledgements.seen == {session_id: 1}
    await talk.leave()


async def test_the_session_of_the_new_token_is_the_one_that_counts(service: Service) -> None:
    first, second = await service.login(), await service.login()
    talk = await opened(service, first)
    talk.renew(second.access)
    await talk.echo()
    await service.issuer.logout(first.refresh)
    assert await talk.echo() == "alice: hello"
    assert len(service.issuer.feed._revoked._watchers) == 1
    await service.issuer.logout(second.refresh)
    await talk.closed("token_revoked")
    await talk.over()


@pytest.mark.parametrize("code", ["token_invalid", "token_expired", "token_revoked", "another"])
async def test_a_token_that_does_not_pass_ends_it(service: Service, app: App, code: str) -> None:
    old, tokens, bob = await service.login(), await service.login(), await service.login("bob")
    if code == "token_expired":
        service.clock.advance(LIFE)
        tokens = await service.login()
    talk = await opened(service, tokens)
    if code == "token_revoked":
        await service.issuer.logout(old.refresh)
    made_up = {"token_invalid": old.access[:-4] + "AAAA", "another": bob.access}
    talk.renew(made_up.get(code, old.access))
    await talk.closed("token_invalid" if code == "another" else code)
    await talk.over()
    assert app.texts == []
    assert app.received[-1]["type"] == "websocket.disconnect"


@pytest.mark.parametrize("token", ["", " ", "a b", "made.up.token", "ü", "☃", "\u0000"])
async def test_what_is_no_token_at_all(service: Service, token: str) -> None:
    talk = await opened(service, await service.login())
    talk.renew(token)
    await talk.closed("token_invalid")
    await talk.over()


async def test_too_late_is_too_late(service: Service) -> None:
    tokens = await service.login()
    talk = await opened(service, tokens)
    service.clock.advance(LIFE)
    talk.renew((await service.login()).access)
    await talk.closed("token_expired")
    await talk.over()


async def test_a_token_that_cannot_be_judged_now_changes_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await service.login()
    talk = await opened(service, tokens)
    with monkeypatch.context() as patch:
        patch.setattr(service.issuer.verifier, "known", _fails)
        talk.renew(tokens.access)
        assert await talk.echo() == "alice: hello"
    await talk.leave()


def _fails(_credentials: bytes) -> Any:
    raise KeysUnavailable


NOT_OURS = [
    "token",
    "{}",
    '{"type": "token"}',
    '{"access_token": "x"}',
    '{"type": "token", "access_token": null}',
    '{"type": "token", "access_token": ["x"]}',
    '{"type": "tokens", "access_token": "x"}',
    '{"type": "token", "access_token": "x", "more": 1}',
    '{"type": "token", "access_token": "x", "access_token": "y"}',
    '{"type": "token", "access_token": "x"} ',
    ' {"type": "token", "access_token": "x"',
    '[{"type": "token", "access_token": "x"}]',
    '{"type": "token", "access_token": "x"}{}',
    '{"type": "token", "access_token": "\ud800"}',
    '{"type": "token", "access_token": "' + "x" * 8300 + '"}',
]


@pytest.mark.parametrize("text", NOT_OURS, ids=range(len(NOT_OURS)))
async def test_what_is_not_exactly_the_message_is_the_apps(service: Service, app: App, text: str) -> None:
    if text.endswith("} "):
        assert credentials_in(text) == b"Bearer x", "blanks around an object are part of its JSON"
        return
    talk = await opened(service, await service.login())
    assert await talk.echo(text) == f"alice: {text}"
    await talk.leave()


@pytest.mark.parametrize(
    "text", ['{"access_token":"a.b.c","type":"token"}', '{\n  "type": "token",\n  "access_token": "a.b.c"\n}']
)
def test_spellings_of_the_message(text: str) -> None:
    assert credentials_in(text) == b"Bearer a.b.c"


async def test_bytes_are_the_apps(service: Service, app: App) -> None:
    tokens = await service.login()
    app.then = waits
    talk = await opened(service, tokens)
    raw = json.dumps({"type": "token", "access_token": tokens.access}).encode()
    for message in ({"bytes": raw}, {"bytes": raw, "text": None}):
        talk.coming.put_nowait({"type": "websocket.receive", **message})
    await talk.leave()
    assert [message.get("bytes") for message in app.received[1:-1]] == [raw, raw]


@pytest.mark.parametrize("required", [True, False])
async def test_on_an_anonymous_socket_it_is_a_message_like_any_other(
    make_service: Callable[..., Service], required: bool
) -> None:
    service = make_service(app=App(), public=["/chat"] if required else [], required=required)
    tokens = await service.login()
    talk = Talk(service.app)
    await talk.accepted()
    text = json.dumps({"type": "token", "access_token": tokens.access})
    assert await talk.echo(text) == f"anonymous: {text}"
    await talk.leave()


async def test_in_a_gateway(service: Service) -> None:
    feed = RevocationFeed(service.store, clock=service.clock)
    gateway = JWTRefreshMiddleware(App(), verifier=Verifier(SECRET, clock=service.clock, feed=feed))
    tokens = await service.login()
    talk = Talk(gateway, protocols=["bearer", tokens.access])
    await talk.accepted()
    service.clock.advance(LIFE - 1)
    talk.renew((await refreshed(service, tokens)).access)
    assert await talk.echo() == "alice: hello"
    service.clock.advance(1)
    assert await talk.echo() == "alice: hello"
    await talk.leave()
    await feed.close()


class BusyFirst(Busy):
    """An app that asks for messages only after a while."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.let_go.wait()
        await waits(scope, receive, send)


async def test_it_is_found_though_the_app_does_not_ask_for_messages(service: Service, app: App) -> None:
    """Near the end the middleware reads ahead; what else it finds the app gets later, in order, nothing lost."""
    app.then = busy = BusyFirst()
    tokens = await service.login()
    service.clock.advance(LIFE - 0.04)
    talk = await opened(service, tokens)
    for text in ("one", "two"):
        talk.say(text)
    talk.renew((await refreshed(service, tokens)).access)
    talk.say("three")
    service.clock.advance(0.035)
    async with asyncio.timeout(PATIENCE):
        while not service.issuer.backing.acknowledgements.seen:
            await asyncio.sleep(0.001)
    service.clock.advance(10)
    assert app.texts == []
    busy.let_go.set()
    await talk.leave()
    assert app.texts == ["one", "two", "three"]


async def test_it_is_found_though_the_app_is_busy_with_the_message_before_it(service: Service, app: App) -> None:
    let_go = asyncio.Event()

    async def slow(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.send", "text": "working"})
        await let_go.wait()
        await waits(_scope, receive, send)

    app.then = slow
    tokens = await service.login()
    service.clock.advance(LIFE - 0.02)
    talk = await opened(service, tokens)
    fresh = await refreshed(service, tokens)
    await asyncio.sleep(0)  # it is waiting for a message now, so nothing is read ahead yet
    service.clock.advance(0.018)
    await asyncio.sleep(0.05)  # the timer has said that the end is near
    assert await talk.echo("work") == "working"
    talk.renew(fresh.access)
    async with asyncio.timeout(PATIENCE):
        while not service.issuer.backing.acknowledgements.seen:
            await asyncio.sleep(0.001)
    let_go.set()
    await talk.leave()
    assert app.texts == ["work"]


async def test_not_more_is_read_ahead_than_there_is_room_for(service: Service, app: App) -> None:
    app.then = busy = BusyFirst()
    tokens = await service.login()
    service.clock.advance(LIFE - 0.02)
    talk = await opened(service, tokens)
    for number in range(100):
        talk.say(str(number))
    service.clock.advance(0.018)
    async with asyncio.timeout(PATIENCE):
        while talk.coming.qsize() > 100 - inbox._MOST_KEPT:
            await asyncio.sleep(0.001)
    for _ in range(10):
        await asyncio.sleep(0)
    assert talk.coming.qsize() == 100 - inbox._MOST_KEPT
    busy.let_go.set()
    async with asyncio.timeout(PATIENCE):
        while len(app.texts) < 100:
            await asyncio.sleep(0.001)
    assert app.texts == [str(number) for number in range(100)]
    await talk.leave()


async def test_large_messages_leave_room_for_fewer(service: Service, app: App) -> None:
    app.then = busy = BusyFirst()
    tokens = await service.login()
    service.clock.advance(LIFE - 0.02)
    talk = await opened(service, tokens)
    for _ in range(3):
        talk.say("x" * 40_000)
    service.clock.advance(0.018)
    async with asyncio.timeout(PATIENCE):
        while talk.coming.qsize() > 1:
            await asyncio.sleep(0.001)
    for _ in range(10):
        await asyncio.sleep(0)
    assert talk.coming.qsize() == 1
    busy.let_go.set()
    await talk.leave()
    assert len(app.texts) == 3


async def test_near_the_end_an_app_with_little_patience_misses_nothing(service: Service, app: App) -> None:
    """It gives up waiting and asks again: the message that came meanwhile is there."""

    async def impatient(_scope: Any, receive: Any, send: Any) -> None:
        while True:
            try:
                async with asyncio.timeout(0.001):
                    message = await receive()
            except TimeoutError:
                continue
            if message["type"] == "websocket.disconnect":
                return
            await send({"type": "websocket.send", "text": message["text"]})

    app.then = impatient
    tokens = await service.login()
    service.clock.advance(LIFE - 0.02)
    talk = await opened(service, tokens)
    service.clock.advance(0.018)
    for number in range(30):
        assert await talk.echo(str(number)) == str(number)
        await asyncio.sleep(0.001)
    assert app.texts == [str(number) for number in range(30)]
    await talk.leave()


async def test_a_client_that_leaves_while_it_is_read_ahead(service: Service, app: App) -> None:
    app.then = busy = BusyFirst()
    tokens = await service.login()
    service.clock.advance(LIFE - 0.02)
    talk = await opened(service, tokens)
    talk.coming.put_nowait({"type": "websocket.disconnect", "code": 1001})
    service.clock.advance(0.018)
    async with asyncio.timeout(PATIENCE):
        while not talk.coming.empty():
            await asyncio.sleep(0.001)
    service.clock.advance(10)
    busy.let_go.set()
    await talk.over()
    assert app.received[-1] == {"type": "websocket.disconnect", "code": 1001}
    assert service.issuer.feed._revoked._watchers == {}


async def test_what_is_read_ahead_ends_with_the_app(service: Service, app: App) -> None:
    app.then = busy = Busy()
    tokens = await service.login()
    service.clock.advance(LIFE - 0.02)
    talk = await opened(service, tokens)
    service.clock.advance(0.018)
    async with asyncio.timeout(PATIENCE):
        while not talk.coming._getters:  # type: ignore[attr-defined]
            await asyncio.sleep(0.001)
    busy.let_go.set()
    assert (await talk.said())["text"] == "late"
    await talk.over()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(not getter.done() for getter in talk.coming._getters)  # type: ignore[attr-defined]
