"""A socket lives as long as its access token and its session: it is closed with 4401, whatever its app is doing."""

import asyncio
import gc
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect

from jwt_refresh_middleware import JWTRefreshMiddleware, MemoryStore, RevocationFeed, Verifier
from jwt_refresh_middleware.errors import InsufficientScope, InvalidRequest, StepUpRequired
from jwt_refresh_middleware.web.lease import Lease, SocketClosed

from ..catalogue.forge import token
from .asgi import Reply
from .problems import assert_problem
from .sockets.talking import PATIENCE, RESPONSE, App, Talk, echo
from .support import SECRET, Clock, Service

LIFE = 900
GONE = {"type": "websocket.disconnect", "code": 4401}


@pytest.fixture
def make(make_service: Callable[..., Service]) -> Callable[..., Service]:
    return make_service


async def open_talk(service: Service, *, left: float | None = None, name: str = "alice", **options: Any) -> Talk:
    """An open socket of somebody; with ``left``, so many seconds before the end of its token."""
    tokens = await service.login(name)
    if left is not None:
        service.clock.advance(LIFE - left)
    talk = Talk(service.app, "/chat", tokens.bearer, **options)
    await talk.accepted()
    return talk


async def waits(_scope: Any, receive: Any, _send: Any) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def only_sends(_scope: Any, _receive: Any, send: Any) -> None:
    """Says something whenever the test lets it."""
    while True:
        await asyncio.sleep(0.002)
        await send({"type": "websocket.send", "text": "news"})


class Busy:
    """An app that does something else until the test lets it go on."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.was_cancelled = False
        self.raised: BaseException | None = None

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        try:
            await self.let_go.wait()
            await send({"type": "websocket.send", "text": "late"})
        except BaseException as error:
            self.raised = error
            raise


async def test_expires_while_the_app_waits_for_a_message(make: Callable[..., Service]) -> None:
    app = App(waits)
    service = make(app=app)
    talk = await open_talk(service, left=0.02)
    service.clock.advance(0.02)
    await talk.closed("token_expired")
    await talk.over()
    assert app.received[-1] == GONE | {"reason": "token_expired"}


async def test_expires_while_the_app_only_sends(make: Callable[..., Service]) -> None:
    service = make(app=App(only_sends))
    talk = await open_talk(service, left=0.02)
    assert (await talk.said())["text"] == "news"
    service.clock.advance(0.02)
    while (message := await talk.said())["type"] == "websocket.send":
        pass
    assert message == {"type": "websocket.close", "code": 4401, "reason": "token_expired"}
    await talk.over()


async def test_expires_while_the_app_is_busy_with_something_else_which_is_not_interrupted(
    make: Callable[..., Service],
) -> None:
    busy = Busy()
    service = make(app=App(busy))
    talk = await open_talk(service, left=0.02)
    service.clock.advance(0.02)
    await talk.closed("token_expired")
    assert not talk.task.done()
    busy.let_go.set()
    await talk.over()
    assert isinstance(busy.raised, SocketClosed)
    assert isinstance(busy.raised, OSError), "as ASGI has it for sending on a socket that is gone"


async def test_the_timer_asks_the_clock_of_the_verifier(make: Callable[..., Service]) -> None:
    """The clock has been set back meanwhile, so when the timer fires there is time left."""
    service = make(app=App())
    talk = await open_talk(service, left=0.01)
    service.clock.advance(-100)
    await asyncio.sleep(0.05)
    assert await talk.echo() == "alice: hello"
    service.clock.advance(100)
    await talk.leave()


@pytest.mark.parametrize("then", [echo, only_sends], ids=["receiving", "sending"])
async def test_a_clock_that_jumped_is_noticed_with_the_next_message(make: Callable[..., Service], then: Any) -> None:
    """A laptop that slept: the timer stood still."""
    app = App(then)
    service = make(app=app)
    talk = await open_talk(service)
    service.clock.advance(LIFE)
    talk.say("too late")
    while (message := await talk.said())["type"] == "websocket.send":
        assert message["text"] == "news"
    assert message == {"type": "websocket.close", "code": 4401, "reason": "token_expired"}
    await talk.over()
    assert app.texts == []


@pytest.mark.parametrize("then", [echo, only_sends, None], ids=["receiving", "sending", "busy"])
@pytest.mark.parametrize("how", ["revoke", "logout_all", "route"])
async def test_ends_at_once_in_the_process_that_ends_the_session(
    make: Callable[..., Service], then: Any, how: str
) -> None:
    busy = Busy()
    service = make(app=App(then or busy))
    tokens = await service.login()
    talk = Talk(service.app, "/chat", tokens.bearer)
    await talk.accepted()
    if how == "revoke":
        await service.issuer.logout(tokens.refresh)
    elif how == "logout_all":
        await service.issuer.logout_all("alice")
    else:
        await service.post("logout", headers=tokens.by_cookie)
    while (message := await talk.said())["type"] == "websocket.send":
        pass
    assert message == {"type": "websocket.close", "code": 4401, "reason": "token_revoked"}
    busy.let_go.set()
    await talk.over()


async def test_other_sessions_go_on(make: Callable[..., Service]) -> None:
    service = make(app=App())
    first, second = await service.login(), await service.login()
    talks = [Talk(service.app, "/chat", tokens.bearer) for tokens in (first, first, second)]
    for talk in talks:
        await talk.accepted()
    await service.issuer.logout(first.refresh)
    for talk in talks[:2]:
        await talk.closed("token_revoked")
        await talk.over()
    assert await talks[2].echo() == "alice: hello"
    await talks[2].leave()


async def test_ends_with_the_feed_of_a_gateway(make: Callable[..., Service]) -> None:
    service = make(app=App())
    feed = RevocationFeed(service.store, interval=timedelta(milliseconds=10), clock=service.clock)
    gateway = JWTRefreshMiddleware(App(), verifier=Verifier(SECRET, clock=service.clock, feed=feed))
    tokens = await service.login()
    talk = Talk(gateway, "/chat", tokens.bearer)
    await talk.accepted()
    await service.issuer.logout(tokens.refresh)
    await talk.closed("token_revoked")
    await talk.over()
    await feed.close()


async def test_a_gateway_without_a_feed_ends_it_when_it_expires(make: Callable[..., Service]) -> None:
    service = make(app=App())
    clock = Clock()
    gateway = JWTRefreshMiddleware(App(), verifier=Verifier(SECRET, clock=clock))
    tokens = await service.login()
    clock.advance(LIFE - 0.02)
    talk = Talk(gateway, "/chat", tokens.bearer)
    await talk.accepted()
    await service.issuer.logout(tokens.refresh)
    assert await talk.echo() == "alice: hello"
    clock.advance(0.02)
    await talk.closed("token_expired")
    await talk.over()


async def test_ended_sessions_that_are_only_listed_end_it_with_the_next_message(make: Callable[..., Service]) -> None:
    service, listed = make(app=App()), {}
    gateway = JWTRefreshMiddleware(App(), verifier=Verifier(SECRET, clock=service.clock, revoked=listed))
    tokens = await service.login()
    talk = Talk(gateway, "/chat", tokens.bearer)
    await talk.accepted()
    listed[service.issuer.session_id_of(tokens.refresh)] = service.clock()
    talk.say("hello")
    await talk.closed("token_revoked")
    await talk.over()


async def test_leeway_counts(make: Callable[..., Service]) -> None:
    service = make(app=App())
    clock = Clock()
    gateway = JWTRefreshMiddleware(App(), verifier=Verifier(SECRET, clock=clock, leeway=timedelta(seconds=60)))
    talk = Talk(gateway, "/chat", (await service.login()).bearer)
    await talk.accepted()
    clock.advance(LIFE + 59)
    assert await talk.echo() == "alice: hello"
    clock.advance(1)
    talk.say("hello")
    await talk.closed("token_expired")
    await talk.over()


async def test_a_public_path_is_no_exception_for_who_is_known(make: Callable[..., Service]) -> None:
    service = make(app=App(), public=["/chat"])
    known, nobody = await open_talk(service, left=0.02), Talk(service.app)
    await nobody.accepted()
    service.clock.advance(0.02)
    await known.closed("token_expired")
    await known.over()
    assert await nobody.echo() == "anonymous: hello"
    await nobody.leave()


class Hesitant:
    """An app that thinks before it accepts."""

    def __init__(self, *, receives: bool) -> None:
        self.receives = receives
        self.begun, self.decided = asyncio.Event(), asyncio.Event()
        self.received: list[dict[str, Any]] = []

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        if self.receives:
            self.received.append(await receive())
        self.begun.set()
        await self.decided.wait()
        if not self.receives:
            self.received += [await receive(), await receive()]
        await send({"type": "websocket.accept"})


@pytest.mark.parametrize("receives", [True, False])
@pytest.mark.parametrize("extensions", [{}, RESPONSE], ids=["without", "with"])
async def test_ended_between_the_handshake_and_its_answer(
    make: Callable[..., Service], extensions: dict[str, Any], receives: bool
) -> None:
    app = Hesitant(receives=receives)
    service = make(app=app)
    tokens = await service.login()
    talk = Talk(service.app, "/chat", tokens.bearer, extensions=extensions)
    await app.begun.wait()
    await service.issuer.logout(tokens.refresh)
    start = await talk.said()
    if extensions:
        assert_problem(Reply(start["status"], tuple(start["headers"]), (await talk.said())["body"]), "token_revoked")
    else:
        assert start == {"type": "websocket.close", "code": 4401}
    app.decided.set()
    await talk.over()
    kinds = [message["type"] for message in app.received]
    assert kinds == ["websocket.connect", *([] if receives else ["websocket.disconnect"])]


async def test_a_starlette_app_need_not_mind(make: Callable[..., Service]) -> None:
    """What it raises for a socket that is gone is not an error of the app when it was closed from here."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        while True:
            if socket.path_params:
                raise NotImplementedError
            if scope["path"] == "/sends":
                await asyncio.sleep(0)
                await socket.send_text("news")
            else:
                await socket.receive_text()

    service = make(app=app)
    for path in ("/sends", "/receives"):
        tokens = await service.login()
        talk = Talk(service.app, path, tokens.bearer)
        await talk.accepted()
        await service.issuer.logout(tokens.refresh)
        while (message := await talk.said())["type"] == "websocket.send":
            pass
        assert message["reason"] == "token_revoked"
        await talk.over()


async def test_an_app_that_minds_that_its_client_has_left(make: Callable[..., Service]) -> None:
    """That is what its server has always heard of it."""

    async def minds(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        raise WebSocketDisconnect(1001)

    service = make(app=App(minds))
    with pytest.raises(WebSocketDisconnect):
        await (await open_talk(service)).leave()


async def test_what_an_app_raises_otherwise_is_its_own(make: Callable[..., Service]) -> None:
    async def raises(scope: Any, receive: Any, send: Any) -> None:
        await WebSocket(scope, receive, send).receive_text()

    service = make(app=App(raises))
    talk = await open_talk(service)
    with pytest.raises(RuntimeError, match="not connected"):
        await talk.said()


@pytest.mark.parametrize("error", [StepUpRequired(max_age=60), InsufficientScope("admin"), InvalidRequest()])
@pytest.mark.parametrize("known", [True, False])
async def test_an_app_may_refuse_with_our_errors(make: Callable[..., Service], error: Any, known: bool) -> None:
    async def early(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        raise error

    async def late(*_: Any) -> None:
        raise error

    service = make(app=early, public=["/chat"])
    headers = (await service.login()).bearer if known else {}
    talk = Talk(service.app, "/chat", headers, extensions=RESPONSE)
    start, body = await talk.said(), await talk.said()
    assert_problem(Reply(start["status"], tuple(start["headers"]), body["body"]), error.code)
    await talk.over()
    service.app.app = App(late)
    talk = Talk(service.app, "/chat", headers)
    await talk.accepted()
    if error.status == 400:
        with pytest.raises(InvalidRequest):
            await talk.said()
    else:
        await talk.closed(error.code, {401: 4401, 403: 4403}[error.status])
        await talk.over()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("last", ["websocket.close", "websocket.http.response.start"])
async def test_one_that_has_refused_by_itself_has_nothing_more_to_say(
    make: Callable[..., Service], last: str, known: bool
) -> None:
    async def refuses(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": last})
        raise InsufficientScope

    service = make(app=refuses, public=["/chat"])
    talk = Talk(service.app, "/chat", (await service.login()).bearer if known else {}, extensions=RESPONSE)
    assert await talk.said() == {"type": last}
    with pytest.raises(InsufficientScope):
        await talk.said()


async def test_an_app_that_has_closed_is_not_closed_again(make: Callable[..., Service]) -> None:
    async def closes(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1000})
        await receive()

    service = make(app=App(closes))
    talk = await open_talk(service, left=0.01)
    assert await talk.said() == {"type": "websocket.close", "code": 1000}
    service.clock.advance(LIFE)
    await service.issuer.logout_all("alice")
    await asyncio.sleep(0.03)
    await talk.leave()


async def test_closing_what_was_closed_from_here_is_no_error(make: Callable[..., Service]) -> None:
    async def closes(scope: Any, receive: Any, send: Any) -> None:
        await waits(scope, receive, send)
        assert await receive() == GONE | {"reason": "token_revoked"}, "as often as it is asked"
        await send({"type": "websocket.close", "code": 1000})

    service = make(app=App(closes))
    talk = await open_talk(service)
    await service.issuer.logout_all("alice")
    await talk.closed("token_revoked")
    await talk.over()


async def test_the_client_has_left_first(make: Callable[..., Service]) -> None:
    service = make(app=App())
    talk = await open_talk(service)
    await talk.leave()
    service.clock.advance(LIFE)
    await service.issuer.logout_all("alice")
    assert talk.going.empty()


async def test_two_who_wait_are_both_woken_up(make: Callable[..., Service]) -> None:
    async def both(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.gather(waits(scope, receive, send), waits(scope, receive, send))

    service = make(app=App(both))
    talk = await open_talk(service)
    await service.issuer.logout_all("alice")
    await talk.closed("token_revoked")
    await talk.over()


async def test_an_app_that_is_cancelled_at_the_same_time_is_cancelled(make: Callable[..., Service]) -> None:
    service = make(app=App(waits))
    talk = await open_talk(service)
    await asyncio.sleep(0)
    await service.issuer.logout_all("alice")
    talk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talk.task
    await talk.closed("token_revoked")


async def test_an_app_with_a_time_limit_of_its_own_keeps_it(make: Callable[..., Service]) -> None:
    limits: list[bool] = []

    async def impatient(scope: Any, receive: Any, send: Any) -> None:
        try:
            async with asyncio.timeout(0.005):
                await waits(scope, receive, send)
        except TimeoutError:
            limits.append(True)
        task = asyncio.current_task()
        assert task is not None
        await waits(scope, receive, send)
        limits.append(task.cancelling() == 0)

    service = make(app=App(impatient))
    talk = await open_talk(service)
    while not limits:
        await asyncio.sleep(0.001)
    await service.issuer.logout_all("alice")
    await talk.closed("token_revoked")
    await talk.over()
    assert limits == [True, True]


async def test_a_session_ended_in_another_thread(make: Callable[..., Service]) -> None:
    """An issuer that two event loops share: each socket is closed in its own."""
    service = make(app=App())
    talk = await open_talk(service)
    (session,) = await service.issuer.sessions("alice")
    thread = threading.Thread(target=service.issuer.feed.add, args=(session.id, service.clock()))
    thread.start()
    await talk.closed("token_revoked")
    await talk.over()
    thread.join(PATIENCE)


async def test_nothing_is_left_of_a_socket(make: Callable[..., Service]) -> None:
    """No entry in the list of watchers, and no circle of references for the garbage collector."""
    service = make(app=App())
    watchers = service.issuer.feed._revoked._watchers
    gc.collect()
    before = _leases()  # of other tests, in the tracebacks of what they raised
    gc.disable()
    try:
        talks = [await open_talk(service) for _ in range(3)]
        assert (len(watchers), len(_leases())) == (3, len(before) + 3)
        for talk in talks:
            await talk.leave()
        talks = [await open_talk(service)]
        await service.issuer.logout_all("alice")
        await talks[0].closed("token_revoked")
        await talks[0].over()
        talks = [await open_talk(service)]
        talks[0].renew("made.up.token")
        await talks[0].closed("token_invalid")
        await talks[0].over()
        assert watchers == {}
        del talks, talk
        assert len(_leases()) == len(before)
    finally:
        gc.enable()


def _leases() -> list[Lease]:
    return [one for one in gc.get_objects() if type(one) is Lease]


async def test_a_token_without_a_session_ends_when_it_expires() -> None:
    """One of another issuer."""
    clock = Clock()
    feed = RevocationFeed(MemoryStore(), clock=clock)
    gateway = JWTRefreshMiddleware(App(), verifier=Verifier(SECRET, clock=clock, feed=feed))
    made = token(sid=None, exp=clock() + 0.02)
    talk = Talk(gateway, "/chat", {"authorization": f"Bearer {made}"})
    await talk.accepted()
    assert feed._revoked._watchers == {}
    clock.advance(0.02)
    await talk.closed("token_expired")
    await talk.over()
    await feed.close()
