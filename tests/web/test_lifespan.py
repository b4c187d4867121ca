"""The lifespan protocol around every kind of app, and its absence."""

from collections.abc import Callable
from typing import Any

import pytest

from .asgi import LifespanRun, ask
from .support import Service


class Lively:
    """An app that takes part in the lifespan, and notes in which order things happen."""

    def __init__(self, *, startup: str = "complete", shutdown: str = "complete") -> None:
        self.log: list[str] = []
        self._answers = {"startup": startup, "shutdown": shutdown}
        self.state: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        self.state = scope["state"]
        for step in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{step}"
            self.log.append(step)
            await send({"type": f"lifespan.{step}.{self._answers[step]}"})


async def _raises(_scope: Any, _receive: Any, _send: Any) -> None:
    raise NotImplementedError("only http here")


async def _raises_after_reading(_scope: Any, receive: Any, _send: Any) -> None:
    await receive()
    raise KeyError("path")


async def _returns(_scope: Any, _receive: Any, _send: Any) -> None:
    return None


async def _returns_after_reading(_scope: Any, receive: Any, _send: Any) -> None:
    await receive()


async def _answers_http(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def _answers_http_to_everything(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await _answers_http(_scope, receive, send)


IGNORANT = [
    _raises,
    _raises_after_reading,
    _returns,
    _returns_after_reading,
    _answers_http,
    _answers_http_to_everything,
]


@pytest.fixture
def make(make_service: Callable[..., Service]) -> Callable[..., Service]:
    return make_service


class _Tee(list[str]):
    """A list of calls that are written into another list as well."""

    def __init__(self, other: list[str]) -> None:
        super().__init__()
        self._other = other

    def append(self, call: str) -> None:
        super().append(call)
        self._other.append(call)


async def test_the_store_opens_before_the_app_and_closes_after_it(make: Callable[..., Service]) -> None:
    app = Lively()
    service = make(app=app)
    service.store.calls = _Tee(app.log)
    run = LifespanRun(service.app)
    assert await run.tell("startup") == {"type": "lifespan.startup.complete"}
    assert app.log == ["open", "revocations", "startup"]
    assert await run.tell("shutdown") == {"type": "lifespan.shutdown.complete"}
    await run.task
    assert app.log == ["open", "revocations", "startup", "shutdown", "close"]
    assert app.state == {}


@pytest.mark.parametrize("app", IGNORANT)
async def test_an_app_that_knows_no_lifespan_is_helped_out(make: Callable[..., Service], app: Any) -> None:
    service = make(app=app)
    run = LifespanRun(service.app)
    assert await run.tell("startup") == {"type": "lifespan.startup.complete"}
    assert service.store.calls == ["open", "revocations"]
    assert await run.tell("shutdown") == {"type": "lifespan.shutdown.complete"}
    await run.task
    assert service.store.calls == ["open", "revocations", "close"]


@pytest.mark.parametrize("app", [*IGNORANT, Lively()])
async def test_a_store_that_cannot_be_opened_fails_the_startup(make: Callable[..., Service], app: Any) -> None:
    service = make(app=app)
    service.store.failure = ConnectionRefusedError("db:5432")
    run = LifespanRun(service.app)
    answer = await run.tell("startup")
    assert answer["type"] == "lifespan.startup.failed"
    assert "db:5432" in answer["message"]
    with pytest.raises(ConnectionRefusedError):
        await run.task
    assert getattr(app, "log", []) == []


async def test_a_startup_that_the_app_fails_is_passed_on(make: Callable[..., Service]) -> None:
    service = make(app=Lively(startup="failed"))
    run = LifespanRun(service.app)
    assert await run.tell("startup") == {"type": "lifespan.startup.failed"}


async def test_the_store_is_closed_before_the_server_hears_that_the_app_failed(make: Callable[..., Service]) -> None:
    """It may end the process at once."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed"})

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: dict[str, Any]) -> None:
        at_failure.append((message["type"], [*service.store.calls]))

    at_failure: list[tuple[str, list[str]]] = []
    service = make(app=app)
    await service.app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    assert at_failure == [("lifespan.startup.failed", ["open", "revocations", "close"])]


async def test_an_app_that_raises_after_its_startup_is_not_hidden(make: Callable[..., Service]) -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise RuntimeError("at shutdown")

    service = make(app=app)
    run = LifespanRun(service.app)
    await run.tell("startup")
    with pytest.raises(RuntimeError, match="at shutdown"):
        await run.tell("shutdown")
    assert service.store.calls[-1] == "close"


async def test_acknowledgements_are_written_at_shutdown(make: Callable[..., Service]) -> None:
    service = make()
    run = LifespanRun(service.app)
    await run.tell("startup")
    first = await service.login()
    second = service.tokens(await service.post("refresh", headers=first.by_cookie))
    await service.get_in(second)
    assert "acknowledge" not in service.store.calls
    await run.tell("shutdown")
    assert service.store.calls[-2:] == ["acknowledge", "close"]
    row = await service.store.get(service.issuer.session_id_of(second.refresh))
    assert row.acknowledged == 1


async def test_events_are_told_before_the_end(make: Callable[..., Service]) -> None:
    service = make()
    run = LifespanRun(service.app)
    await run.tell("startup")
    await service.login()
    await run.tell("shutdown")
    assert [event.name for event in service.events] == ["session_started"]


async def test_a_store_that_fails_at_shutdown_is_closed_nevertheless(make: Callable[..., Service]) -> None:
    service = make()
    run = LifespanRun(service.app)
    await run.tell("startup")
    await service.get_in(service.tokens(await service.post("refresh", headers=(await service.login()).by_cookie)))
    service.store.failure = OSError("gone")
    with pytest.raises(OSError, match="gone"):  # close() raises as well: the server shows it
        await run.tell("shutdown")
    assert service.store.calls[-2:] == ["acknowledge", "close"]


async def test_without_a_lifespan_it_opens_at_first_use_and_once(service: Service) -> None:
    for _ in range(3):
        assert (await ask(service.app, "GET", "/")).status == 200
    assert service.store.calls == ["open", "revocations"]


@pytest.mark.case("F10")
async def test_scopes_of_other_types_are_passed_on_unauthenticated(make: Callable[..., Service]) -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    service = make(app=app)

    async def nothing(*_: Any) -> Any:
        raise AssertionError("nobody sends or receives here")

    await service.app({"type": "foo", "path": "/", "headers": []}, nothing, nothing)
    assert seen == [{"type": "foo", "path": "/", "headers": []}]
