"""The middleware is found wherever it is, in and around apps of any framework."""

from functools import partial
from importlib import import_module
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore
from jwt_refresh_middleware.doctor import Circumstances, examine
from jwt_refresh_middleware.doctor.subject import Subject, subjects

from .patients import ROOT, serious

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what frameworks say of their next versions

MATRIX = ["bare", "django", "fastapi", "litestar", "quart", "starlette"]


@pytest.mark.parametrize("framework", MATRIX)
def test_the_apps_of_the_matrix(framework: str) -> None:
    """Their secret is a sentence, and sessions are in memory; that is all that is wrong with them.

    They are imported once: Django can only be set up once in a process.
    """
    target = f"tests.matrix.apps.on_{framework}:app"
    report = examine(target, Circumstances(workers=2), app_dir=str(ROOT), offline=True, twice=False)
    assert report.middlewares == ("JWTRefreshMiddleware",)
    assert serious(report) == ["secret.weak", "workers.memory_store"]


@pytest.mark.parametrize("framework", ["django", "fastapi", "litestar", "quart", "starlette"])
def test_their_routes_are_known(framework: str) -> None:
    [subject] = subjects(import_module(f"tests.matrix.apps.on_{framework}").app)
    assert subject.routes is not None
    assert any(route.meets("/open") for route in subject.routes)
    assert any(route.meets("/gates/*") for route in subject.routes)
    assert not any(route.meets("/opened") for route in subject.routes)


async def ended(_: Request) -> PlainTextResponse:
    return PlainTextResponse("the end")


def ours(app: Any, **options: Any) -> JWTRefreshMiddleware:
    return JWTRefreshMiddleware(app, issuer=Issuer("0123456789abcdef" * 2, MemoryStore()), **options)


def only(app: Any) -> Subject:
    [subject] = subjects(app)
    return subject


def in_a_function(app: Any) -> Any:
    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return wrapped


class Wrapper:
    def __init__(self, application: Any) -> None:
        self._app = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


async def with_another(app: Any, scope: Any, receive: Any, send: Any) -> None:
    await app(scope, receive, send)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda app: app,
        in_a_function,
        Wrapper,
        lambda app: Wrapper(app).handle,
        lambda app: partial(with_another, app),
        lambda app: in_a_function(Wrapper(in_a_function(app))),
    ],
    ids=["itself", "a function", "a class", "a method", "a partial", "all of it"],
)
def test_whatever_is_around_it(wrap: Any) -> None:
    subject = only(wrap(ours(Starlette(routes=[Route("/end", ended)]))))
    assert subject.routes is not None
    assert [route.path for route in subject.routes] == ["/end"]


def test_in_mounted_apps_and_below_hosts() -> None:
    inner = Starlette(routes=[Route("/end", ended)])
    app = Starlette(routes=[Mount("/a", routes=[Mount("/b", ours(inner))]), Host("api.example.com", ours(inner))])
    found = [(one.mounted_at, [route.path for route in one.routes or ()]) for one in subjects(app)]
    assert found == [("/a/b", ["/end"]), ("", ["/end"])]


def test_around_mounted_apps_their_routes_are_its_own() -> None:
    inner = Starlette(routes=[Route("/end/{number}", ended)])
    subject = only(ours(Starlette(routes=[Mount("/v1", inner), Mount("/files", in_a_function(inner))])))
    assert subject.routes is not None
    assert [route.path for route in subject.routes] == ["/v1/end/{number}", "/files/{:path}"]
    meets = [any(route.meets(pattern) for route in subject.routes) for pattern in ("/v1/end/7", "/v1/end", "/files/*")]
    assert meets == [True, False, True]


def test_an_app_that_is_wrapped_around_itself_comes_to_an_end() -> None:
    wrapper = Wrapper(None)
    wrapper._app = wrapper
    assert [*subjects(wrapper)] == []


def test_the_app_is_not_changed() -> None:
    app = Starlette()
    app.add_middleware(JWTRefreshMiddleware, issuer=Issuer("0123456789abcdef" * 2, MemoryStore()))
    only(app)
    assert app.middleware_stack is None
    app.add_middleware(Wrapper)  # which a started app refuses
