"""Django, wrapped from outside: it knows no lifespan, and its own middleware is not ASGI."""

import asyncio
import sys
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_POST, require_safe
from django.views.defaults import server_error

from jwt_refresh_middleware import JWTRefreshMiddleware
from jwt_refresh_middleware.errors import AuthError, InsufficientScope

from . import stage

settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="not used here", ALLOWED_HOSTS=["*"], MIDDLEWARE=[])

_tasks: set[asyncio.Task[None]] = set()


@require_safe
async def open_to_all(request: Any) -> HttpResponse:
    return HttpResponse(stage.visitor(request.scope["user"]))


@require_safe
def me(request: Any) -> HttpResponse:
    return JsonResponse(stage.who(request.scope))


@require_POST
async def upload(request: HttpRequest) -> HttpResponse:
    measure = stage.Measure()
    while chunk := request.read(65_536):
        measure.add(chunk)
    return JsonResponse(measure.result())


@require_safe
async def stream(_: HttpRequest, name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(stage.pieces(name))


@require_safe
async def endless(_: HttpRequest, name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(stage.endless(name))


@require_safe
async def broken(_: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(stage.broken())


@require_safe
async def background(_: HttpRequest, name: str) -> HttpResponse:
    task = asyncio.create_task(stage.later(name))  # Django has none of its own that runs in the process
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return HttpResponse("soon")


@require_safe
async def boom(_: HttpRequest) -> HttpResponse:
    raise LookupError("boom")


@require_safe
def fails(_: HttpRequest) -> HttpResponse:
    raise InsufficientScope("admin")


@require_POST
async def gates(_: HttpRequest, name: str) -> HttpResponse:
    stage.open_gate(name)
    return HttpResponse("open")


@require_safe
async def told(_: HttpRequest) -> HttpResponse:
    return JsonResponse(stage.told, safe=False)


def handler500(request: HttpRequest) -> HttpResponse:
    error = sys.exception()
    if isinstance(error, AuthError):
        request.close()
        raise error
    return server_error(request)


urlpatterns = [
    path("open", open_to_all),
    path("me", me),
    path("upload", upload),
    path("stream/<name>", stream),
    path("endless/<name>", endless),
    path("broken", broken),
    path("background/<name>", background),
    path("boom", boom),
    path("fails", fails),
    path("gates/<name>", gates),
    path("told", told),
]

app = JWTRefreshMiddleware(get_asgi_application(), **stage.options())
