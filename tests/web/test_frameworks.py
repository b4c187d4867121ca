"""Around FastAPI, Starlette and bare apps: users, guards, errors that handlers raise, whole flows with a cookie jar."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore
from jwt_refresh_middleware.errors import AuthError, InsufficientScope, StepUpRequired

from .asgi import Reply, ask
from .problems import assert_problem
from .support import NEVER, PASSWORD, SECRET, Clock, check_password

BASE = "https://testserver"


def options() -> dict[str, Any]:
    issuer = Issuer(SECRET, MemoryStore(), clock=Clock(), sync_interval=NEVER)
    return {"issuer": issuer, "authenticate": check_password, "public": ["/open", "/docs", "/openapi.json"]}


async def who(request: Request) -> Response:
    return JSONResponse({"who": request.user.identity, "scopes": list(request.auth.scopes)})


async def open_to_all(request: Request) -> Response:
    return PlainTextResponse("in" if request.user.is_authenticated else "out")


async def fails(request: Request) -> Response:
    errors: dict[str, AuthError] = {"scope": InsufficientScope("admin"), "step": StepUpRequired(max_age=60)}
    raise errors[request.path_params["how"]]


@requires("admin")
async def admins(request: Request) -> Response:
    return PlainTextResponse("never reached")


@requires(["authenticated", "write"])
async def writers(request: Request) -> Response:
    return PlainTextResponse("written")


ROUTES = [
    Route("/me", who),
    Route("/open", open_to_all),
    Route("/fails/{how}", fails),
    Route("/admins", admins),
    Route("/writers", writers),
]


def fastapi_inside() -> Any:
    app = FastAPI(routes=ROUTES)
    app.add_middleware(JWTRefreshMiddleware, **options())
    return app


def starlette_inside() -> Any:
    return Starlette(routes=ROUTES, middleware=[Middleware(JWTRefreshMiddleware, **options())])


def starlette_outside() -> Any:
    return JWTRefreshMiddleware(Starlette(routes=ROUTES), **options())


def fastapi_outside() -> Any:
    return JWTRefreshMiddleware(FastAPI(routes=ROUTES), **options())


def mounted() -> Any:
    return JWTRefreshMiddleware(Starlette(routes=[Mount("/", Starlette(routes=ROUTES))]), **options())


APPS = [fastapi_inside, starlette_inside, starlette_outside, fastapi_outside, mounted]
Made = Callable[[], Any]


@contextmanager
def browser(app: Any) -> Iterator[TestClient]:
    with TestClient(app, base_url=BASE) as client:
        yield client


def log_in(client: TestClient, username: str = "alice") -> dict[str, str]:
    reply = client.post("/auth/login", json={"username": username, "password": PASSWORD})
    assert reply.status_code == 200
    return {"Authorization": reply.headers["authorization"]}


def as_reply(response: Any) -> Reply:
    raw = tuple((name.lower(), value) for name, value in response.headers.raw)
    return Reply(response.status_code, raw, response.content)


@pytest.mark.parametrize("make", APPS)
def test_the_whole_flow_with_a_cookie_jar(make: Made) -> None:
    with browser(make()) as client:
        assert client.get("/open").text == "out"
        assert_problem(as_reply(client.get("/me")), "token_missing")
        token = log_in(client)
        assert client.get("/open", headers=token).text == "in"
        assert client.get("/me", headers=token).json() == {
            "who": "alice",
            "scopes": ["authenticated", "read", "write"],
        }
        assert_problem(as_reply(client.get("/me")), "token_missing", action="refresh")
        before = client.cookies["__Host-refresh_token"]
        token = {"Authorization": client.post("/auth/refresh").headers["authorization"]}
        assert client.cookies["__Host-refresh_token"] != before
        assert client.get("/me", headers=token).status_code == 200
        assert client.post("/auth/logout").json() == {"status": "logged_out"}
        assert "__Host-refresh_token" not in client.cookies
        assert_problem(as_reply(client.get("/me", headers=token)), "token_revoked")
        assert_problem(as_reply(client.post("/auth/refresh")), "refresh_missing")


@pytest.mark.parametrize("make", APPS)
def test_errors_that_handlers_raise_become_answers(make: Made) -> None:
    with browser(make()) as client:
        token = log_in(client)
        assert_problem(as_reply(client.get("/fails/scope", headers=token)), "insufficient_scope")
        assert_problem(as_reply(client.get("/fails/step", headers=token)), "step_up_required")


@pytest.mark.parametrize("make", APPS)
def test_starlettes_own_guards(make: Made) -> None:
    with browser(make()) as client:
        assert client.get("/writers", headers=log_in(client)).text == "written"
        assert client.get("/writers", headers=log_in(client, "bob")).status_code == 403
        assert client.get("/admins", headers=log_in(client)).status_code == 403


def test_the_documentation_is_not_blocked() -> None:
    with browser(fastapi_inside()) as client:
        assert client.get("/docs").status_code == 200
        assert client.get("/openapi.json").status_code == 200


def test_a_handler_of_the_app_for_these_errors_goes_first() -> None:
    async def teapot(_request: Request, error: Exception) -> Response:
        assert isinstance(error, AuthError)
        return PlainTextResponse(error.code, 418)

    for wrap in (True, False):
        app = Starlette(routes=ROUTES, exception_handlers={AuthError: teapot})
        wrapped: Any = JWTRefreshMiddleware(app, **options()) if wrap else app
        if not wrap:
            app.add_middleware(JWTRefreshMiddleware, **options())
        with browser(wrapped) as client:
            reply = client.get("/fails/scope", headers=log_in(client))
            assert (reply.status_code, reply.text) == (418, "insufficient_scope")


def test_the_lifespan_of_the_app_runs() -> None:
    log: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[dict[str, str]]:
        log.append("up")
        yield {"greeting": "hello"}
        log.append("down")

    async def greet(request: Request) -> Response:
        return PlainTextResponse(request.state.greeting)

    app = FastAPI(routes=[Route("/open", greet)], lifespan=lifespan)
    app.add_middleware(JWTRefreshMiddleware, **options())
    with browser(app) as client:
        assert client.get("/open").text == "hello"
        assert log == ["up"]
    assert log == ["up", "down"]


def test_one_after_the_other_in_several_event_loops() -> None:
    app = starlette_outside()
    for _ in range(2):
        with browser(app) as client:
            assert client.get("/me", headers=log_in(client)).status_code == 200


class _Bare:
    """A bare app that raises, before or after it began to answer."""

    def __init__(self, error: Exception, *, started: bool) -> None:
        self.error = error
        self.started = started

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        if self.started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise self.error


async def test_a_bare_app_that_raises_gets_its_error_answered() -> None:
    app = JWTRefreshMiddleware(_Bare(InsufficientScope("x"), started=False), **options())
    assert_problem(await ask(app, "GET", "/open"), "insufficient_scope")


async def test_an_error_after_the_answer_began_is_raised() -> None:
    sent: list[str] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    error = InsufficientScope("x")
    app = JWTRefreshMiddleware(_Bare(error, started=True), **options())
    scope = {"type": "http", "method": "GET", "path": "/open", "headers": []}
    with pytest.raises(InsufficientScope) as caught:
        await app(scope, receive, send)
    assert caught.value is error
    assert sent == ["http.response.start"]


async def test_other_exceptions_are_none_of_our_business() -> None:
    app = JWTRefreshMiddleware(_Bare(LookupError("theirs"), started=False), **options())
    with pytest.raises(LookupError, match="theirs"):
        await ask(app, "GET", "/open")


@pytest.mark.parametrize("chunks", [[b"whole"], [b"a", b"b", b"c"], [b""]])
@pytest.mark.parametrize("then", [None, LookupError("theirs")])
async def test_a_500_of_the_apps_own_goes_out_as_it_is(chunks: list[bytes], then: Exception | None) -> None:
    """It is held back until the app is done, in case that it stands for one of our errors."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": [(b"x-mine", b"1")]})
        for number, chunk in enumerate(chunks, start=1):
            await send({"type": "http.response.body", "body": chunk, "more_body": number < len(chunks)})
            assert len(sent) == (number + 1 if len(chunks) > 1 else 0)  # a stream is not held back
        if then is not None:
            raise then

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/open", "headers": []}
    wrapped = JWTRefreshMiddleware(app, **options())
    if then is None:
        await wrapped(scope, receive, send)
    else:
        with pytest.raises(LookupError, match="theirs"):
            await wrapped(scope, receive, send)
    assert sent[0] == {"type": "http.response.start", "status": 500, "headers": [(b"x-mine", b"1")]}
    assert [message["body"] for message in sent[1:]] == chunks


async def test_an_app_that_answers_nothing_is_not_answered_for() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        return None

    async def never(*_: Any) -> Any:
        raise AssertionError("nothing is sent or received")

    scope = {"type": "http", "method": "GET", "path": "/open", "headers": []}
    await JWTRefreshMiddleware(app, **options())(scope, never, never)
