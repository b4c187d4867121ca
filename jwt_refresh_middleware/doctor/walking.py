"""Finding the middleware in an app: through whatever is wrapped around it, without starting anything."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from inspect import iscoroutinefunction
from itertools import chain
from types import FunctionType, MethodType
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Host, Mount, Router

from ..web.middleware import JWTRefreshMiddleware

_NAMES = ("asgi_app", "asgi_handler", "app", "_app", "application", "_application", "inner", "wrapped", "__wrapped__")
"""What wrappers call what they are around."""
_DEEPEST = 100


class CannotBuild(Exception):
    """The middleware of an app cannot be made with the options it is given: the app would fail at its start.

    Attributes:
        app: the application.
        error: what was raised.
    """

    def __init__(self, app: Starlette, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.app = app
        self.error = error


@dataclass(frozen=True, slots=True)
class Stack:
    """What is wrapped around what, the outermost first, down to a router or to what cannot be looked into.

    Attributes:
        path: where it is mounted; empty for the app itself.
        around: the layers of the apps that it is mounted in.
        layers: its own.
    """

    path: str
    around: tuple[Any, ...]
    layers: tuple[Any, ...]


def stacks(app: Any) -> Iterator[Stack]:
    """The stack of an app, and those of all apps that are mounted in it. Raises CannotBuild."""
    yield from _stacks(app, "", (), set())


def _stacks(app: Any, path: str, around: tuple[Any, ...], seen: set[int]) -> Iterator[Stack]:
    layers = _line(app, seen)
    if not layers:
        return
    yield Stack(path, around, layers)
    for below, mounted in _branches(layers[-1]):
        yield from _stacks(mounted, path + below, around + layers, {*seen})  # one app may be mounted in two places


def _line(app: Any, seen: set[int]) -> tuple[Any, ...]:
    layers: list[Any] = []
    while app is not None and id(app) not in seen and len(layers) < _DEEPEST:
        seen.add(id(app))
        layers.append(app)
        app = _next(app, seen)
    return tuple(layers)


def _next(layer: Any, seen: set[int]) -> Any:
    """What ``layer`` is around; None for a router, and for what cannot be looked into."""
    if isinstance(layer, JWTRefreshMiddleware):
        return layer.app
    if isinstance(layer, Starlette):
        return _built(layer)
    if isinstance(layer, Router):
        return None
    return next((one for one in _candidates(layer) if id(one) not in seen), None)


def _built(app: Starlette) -> Any:
    """The middleware around an app's router: as it runs, or made for this. The app itself is not changed."""
    if app.middleware_stack is not None:
        return app.middleware_stack
    try:
        return app.build_middleware_stack()
    except Exception as error:  # noqa: BLE001  whatever the constructor of a middleware does
        raise CannotBuild(app, error) from None


def _candidates(layer: Any) -> Iterator[Any]:
    if isinstance(layer, partial):
        yield from filter(_is_app, (*layer.args, layer.func, *layer.keywords.values()))
    elif isinstance(layer, MethodType):
        yield layer.__self__
    elif isinstance(layer, FunctionType):
        yield from filter(_is_app, _enclosed(layer))
    else:
        own = getattr(layer, "__dict__", {})
        yield from filter(_is_app, (own.get(name, getattr(layer, name, None)) for name in _NAMES))


def _enclosed(function: FunctionType) -> list[Any]:
    """What a function has kept of where it was made: first what is named as an app is."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    names = sorted(cells, key=lambda name: name not in _NAMES)
    return [cells[name].cell_contents for name in names if _is_filled(cells[name])]


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  reading it is the question
    except ValueError:
        return False
    return True


def _is_app(value: Any) -> bool:
    """Whether it may be an ASGI app: something that is called, and gives something to await."""
    if value is None or isinstance(value, type) or not callable(value):
        return False
    if isinstance(value, (FunctionType, MethodType, partial)):
        return iscoroutinefunction(value) or isinstance(value, partial)
    return isinstance(value, JWTRefreshMiddleware) or iscoroutinefunction(type(value).__call__)


def _branches(layer: Any) -> Iterator[tuple[str, Any]]:
    """The apps that a router of Starlette or FastAPI hands requests to, and where they are."""
    if not isinstance(layer, Router):
        return
    for route in flat(layer.routes):
        if isinstance(route, Mount):
            yield route.path, route.app
        elif isinstance(route, Host):
            yield "", route.app
        else:
            app = getattr(route, "app", None)
            if app is not None and not isinstance(app, FunctionType):  # a route with middleware of its own
                yield getattr(route, "path", ""), app


def flat(routes: Any) -> Iterator[Any]:
    """Routes one by one. FastAPI keeps a router that was included as one route, which says what is in it."""
    contexts: Callable[[], Iterator[Any]] | None
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield route
        else:
            for context in chain(contexts(), route.effective_low_priority_routes()):
                yield getattr(context, "starlette_route", None) or context
