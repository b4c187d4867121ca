"""How the middleware is built into the app."""

import inspect
from collections.abc import Iterator
from typing import Any

from starlette.middleware.base import BaseHTTPMiddleware

from ..web.handlers import login
from ..web.middleware import JWTRefreshMiddleware
from .app_routes import Route
from .circumstances import Circumstances
from .findings import Check, Finding
from .subject import Subject

TWICE = Check(
    id="wiring.twice",
    severity="error",
    what="The middleware is twice around the same app.",
    why="The inner one never sees its login or refresh, which the outer one answers; and every request pays twice.",
    advice="Add it once.",
)
SHADOWED = Check(
    id="wiring.shadowed",
    severity="error",
    what="A route of the app has a path that the middleware answers itself.",
    why="The app's own handler is never called.",
    advice="Give the route another path, or the middleware another prefix.",
)
UNGUARDED = Check(
    id="wiring.unguarded",
    severity="warning",
    what="`required=False`, and no handler has a guard.",
    why="Every request without a token gets through to every handler.",
    advice="Leave required at True and list what is public; or put guards (require_scopes, CurrentUser) on the rest.",
)
NO_LOGIN = Check(
    id="wiring.no_login",
    severity="info",
    what="There is no `authenticate`, and no handler that calls `login()`.",
    why="Nobody can log in to this app; that may be done elsewhere, with the same store.",
    advice="Give the middleware authenticate, or call login(request, subject) in a handler of yours.",
)
UNLIMITED = Check(
    id="wiring.unlimited",
    severity="info",
    what="Failed logins are not limited.",
    why="Passwords can be guessed as fast as `authenticate` answers, unless something in front of the app limits that.",
    advice="Give the middleware login_limits=LoginLimits().",
)
BASE_HTTP = Check(
    id="wiring.base_http",
    severity="info",
    what="A BaseHTTPMiddleware is outside of ours.",
    why="It runs the app in a task of its own: context variables do not come out, and a client that leaves is noticed "
    "late by streams.",
    advice="Write it as plain ASGI middleware where that matters.",
)
DEBUG = Check(
    id="wiring.debug",
    severity="warning",
    what="The app is in debug mode.",
    why="An error shows its source and variables to whoever caused it, secrets among them.",
    advice="Leave debug at False, but for development.",
)
ON_EVENT = Check(
    id="wiring.on_event",
    severity="error",
    what="`on_event` is not an async function.",
    why="What it returns is awaited, which fails: each event is lost, with an error in the log.",
    advice="Write it as async def on_event(event).",
)
REFUSED = Check(
    id="wiring.refused",
    severity="error",
    what="The middleware refuses the options that it is given.",
    why="The app fails at its start, or with the first request.",
    advice="The message says which option cannot work.",
)
CHECKS = (TWICE, SHADOWED, UNGUARDED, NO_LOGIN, UNLIMITED, BASE_HTTP, DEBUG, ON_EVENT, REFUSED)


def look(subject: Subject, _circumstances: Circumstances) -> Iterator[Finding]:
    """What is wrong with how one middleware is built in."""
    where = subject.where
    if any(isinstance(layer, JWTRefreshMiddleware) for layer in subject.beside):
        yield TWICE.found("JWTRefreshMiddleware is around the app twice", where)
    for layer in subject.outside:
        if isinstance(layer, BaseHTTPMiddleware):
            yield BASE_HTTP.found(f"{type(layer).__name__} is outside", where)
    if any(getattr(layer, "debug", None) is True for layer in (*subject.outside, *subject.inside)):
        yield DEBUG.found("debug is on", where)
    yield from _about_routes(subject)
    yield from _about_issuer(subject)


def _about_routes(subject: Subject) -> Iterator[Finding]:
    settings, routes = subject.settings, subject.routes or ()
    for route in routes:
        one_session = route.segments == (*settings.prefix.strip("/").split("/"), "sessions", "{}")
        if route.path in settings.routes or (one_session and not subject.is_gateway):
            yield SHADOWED.found(f"{route.path} is answered by the middleware", subject.where)
    known = [route for route in routes if route.endpoint is not None]
    if not settings.required and known and not any(map(_is_guarded, known)):
        yield UNGUARDED.found("required=False, and none of the handlers has a guard", subject.where)


def _about_issuer(subject: Subject) -> Iterator[Finding]:
    settings, where = subject.settings, subject.where
    if settings.issuer is None:
        return
    told = settings.issuer.settings.on_event
    if told is not None and not (inspect.iscoroutinefunction(told) or inspect.iscoroutinefunction(_call_of(told))):
        yield ON_EVENT.found("on_event is not async", "Issuer")
    if settings.logs_in and settings.login_limits is None:
        yield UNLIMITED.found("there are no login_limits", where)
    if not settings.logs_in and not any(_logs_in(route.endpoint) for route in subject.routes or ()):
        yield NO_LOGIN.found("nobody can log in here", where)


def _call_of(value: Any) -> Any:
    inner = getattr(value, "func", value)  # a partial
    return inner if inspect.isroutine(inner) else type(inner).__call__


def _is_guarded(route: Route) -> bool:
    """Whether something of this package's or Starlette's looks at who is asking before the handler runs."""
    if any(_is_guard(call) for call in _dependencies(route.dependencies)):
        return True
    return any(_is_guard(function) for function in _wrappers(route.endpoint))


def _is_guard(call: Any) -> bool:
    function = call if inspect.isroutine(call) else type(call).__call__
    code = getattr(inspect.unwrap(function, stop=lambda _: True), "__code__", None)
    place = getattr(code, "co_filename", "").replace("\\", "/")
    guards = ("jwt_refresh_middleware/fastapi/", "jwt_refresh_middleware/web/", "starlette/authentication.py")
    return any(part in place for part in guards)


def _dependencies(known: Any) -> Iterator[Any]:
    for one in getattr(known, "dependencies", ()):
        yield one.call
        yield from _dependencies(one)


def _wrappers(endpoint: Any) -> Iterator[Any]:
    """An endpoint, and what it is wrapped around: functions, and the methods of a class-based one."""
    if isinstance(endpoint, type):
        for name in ("get", "post", "put", "patch", "delete", "head", "options", "on_connect", "on_receive"):
            yield from _wrappers(getattr(endpoint, name, None))
        return
    while endpoint is not None:
        yield endpoint
        endpoint = getattr(endpoint, "__wrapped__", None)


def _logs_in(endpoint: Any) -> bool:
    """Whether a handler names our ``login``, or that cannot be known."""
    for function in _wrappers(endpoint):
        code, names = getattr(function, "__code__", None), getattr(function, "__globals__", {})
        for name in (*getattr(code, "co_names", ()), *getattr(code, "co_freevars", ())):
            if names.get(name) is login or (name == "login" and inspect.ismodule(names.get("jwt_refresh_middleware"))):
                return True
    return False
