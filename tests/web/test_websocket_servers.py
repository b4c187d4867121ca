"""What servers do with a socket that is closed from here while its app waits or sends: they differ."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from jwt_refresh_middleware.web.lease import SocketClosed

from .sockets.talking import App, socket_scope
from .support import Service
from .test_websocket_lease import GONE, waits

CONNECT = {"type": "websocket.connect"}
CLOSED = {"type": "websocket.close", "code": 4401, "reason": "token_revoked"}


class Server:
    """A server that a test makes behave oddly."""

    def __init__(self) -> None:
        self.first = True
        self.sent: list[dict[str, Any]] = []
        self.opened = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self.first:
            self.first = False
            return CONNECT
        return await self.next()

    async def next(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        self.opened.set()


async def run(service: Service, server: Server) -> "tuple[asyncio.Task[None], str]":
    """An open socket, and the id of its session."""
    tokens = await service.login()
    scope = socket_scope("/chat", tokens.bearer)
    task = asyncio.ensure_future(service.app(scope, server.receive, server.send))
    await server.opened.wait()
    return task, service.issuer.session_id_of(tokens.refresh) or ""


class Swallows(Server):
    async def next(self) -> dict[str, Any]:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return {"type": "websocket.receive", "text": "late"}


class Breaks(Server):
    async def next(self) -> dict[str, Any]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError from None
        raise AssertionError


@pytest.mark.parametrize("kind", [Server, Swallows, Breaks])
async def test_what_a_cancelled_wait_ends_with_does_not_reach_the_app(
    make_service: Callable[..., Service], kind: type[Server]
) -> None:
    app = App(waits)
    service, server = make_service(app=app), kind()
    task, session_id = await run(service, server)
    await service.issuer.revoke(session_id)
    await task
    assert task.cancelling() == 0
    assert app.received[1:] == [GONE | {"reason": "token_revoked"}]
    assert server.sent[1:] == [CLOSED]


async def test_a_session_that_is_ended_by_the_task_that_waits(make_service: Callable[..., Service]) -> None:
    """Somewhere below ``receive``: it cannot be woken up, since it is awake, and must not be cancelled later."""
    app = App(waits)
    service, server = make_service(app=app), Server()
    ended: list[str] = []

    async def ends() -> dict[str, Any]:
        service.issuer.feed.add(ended[0], service.clock())
        return {"type": "websocket.receive", "text": "late"}

    let_go = asyncio.Event()

    async def patient(scope: Any, receive: Any, send: Any) -> None:
        await let_go.wait()
        await waits(scope, receive, send)

    app.then = patient
    server.next = ends  # type: ignore[method-assign]
    task, session_id = await run(service, server)
    ended.append(session_id)
    let_go.set()
    await task
    assert task.cancelling() == 0
    assert app.received[1:] == [GONE | {"reason": "token_revoked"}]
    assert server.sent[1:] == [CLOSED]


async def test_what_a_server_raises_otherwise_is_the_apps_to_see(make_service: Callable[..., Service]) -> None:
    class Fails(Server):
        async def next(self) -> dict[str, Any]:
            raise ConnectionResetError

    task, _ = await run(make_service(app=App(waits)), Fails())
    with pytest.raises(ConnectionResetError):
        await task


async def test_what_it_raises_while_it_is_read_ahead_the_app_sees_when_it_asks(
    make_service: Callable[..., Service],
) -> None:
    asked, let_go = asyncio.Event(), asyncio.Event()
    times: list[int] = []

    class Fails(Server):
        async def next(self) -> dict[str, Any]:
            asked.set()
            times.append(1)
            raise ConnectionResetError

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        await let_go.wait()
        await waits(scope, receive, send)

    service = make_service(app=App(busy))
    tokens = await service.login()
    service.clock.now = service.issuer.verifier.verify(tokens.access).expires_at - 0.02
    server = Fails()
    task = asyncio.ensure_future(service.app(socket_scope("/chat", tokens.bearer), server.receive, server.send))
    await server.opened.wait()
    service.clock.advance(0.018)
    await asked.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    assert times == [1], "a server that fails is not asked again before the app asks"
    let_go.set()
    with pytest.raises(ConnectionResetError):
        await task


async def test_a_server_that_cannot_close_since_the_client_is_gone(make_service: Callable[..., Service]) -> None:
    class Gone(Server):
        async def send(self, message: dict[str, Any]) -> None:
            await super().send(message)
            if message["type"] != "websocket.accept":
                raise ConnectionResetError

    service, server = make_service(app=App(waits)), Gone()
    task, session_id = await run(service, server)
    await service.issuer.revoke(session_id)
    await task
    assert server.sent[1:] == [CLOSED]


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("kind", ["websocket.send", "websocket.close"])
async def test_what_the_server_held_back_until_after_the_end(
    make_service: Callable[..., Service], kind: str, fails: bool
) -> None:
    """The client did not read, so a message had to wait; whatever becomes of it, the app hears that it is over."""
    raised: list[Any] = []

    async def sends(_scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            try:
                await send({"type": kind, "text": "x"})
            except OSError as error:
                raised.append(error)

    class Slow(Server):
        def __init__(self) -> None:
            super().__init__()
            self.waiting, self.let_go = asyncio.Event(), asyncio.Event()

        async def send(self, message: dict[str, Any]) -> None:
            await super().send(message)
            if message["type"] == kind and len(self.sent) == 2:
                self.waiting.set()
                await self.let_go.wait()
                if fails:
                    raise RuntimeError("after websocket.close")

    service, server = make_service(app=App(sends)), Slow()
    task, session_id = await run(service, server)
    await server.waiting.wait()
    await service.issuer.revoke(session_id)
    server.let_go.set()
    if kind == "websocket.close" and fails:  # the app has closed it by itself, and this is what the server says
        with pytest.raises(RuntimeError, match="after"):
            await task
        return
    await task
    if kind == "websocket.send":
        assert server.sent[2:] == [CLOSED]
        assert [type(error) for error in raised] == [SocketClosed] * (2 if fails else 1)
