"""The routes of an app, whatever its framework, and whether a pattern of ``public=`` meets one of them."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Host, Mount, Router

from .walking import flat

_ANY = "{}"
_REST = "{:path}"
_OF_FASTAPI = "dependant"  # codespell:ignore dependant


@dataclass(frozen=True, slots=True)
class Route:
    """A route, its path as it is written and in segments.

    Attributes:
        path: as it is written.
        segments: parameters are ``{}``, those that take the rest of a path ``{:path}``.
        endpoint: the function behind it, if that is known.
        dependencies: what FastAPI knows of them, else None.
    """

    path: str
    segments: tuple[str, ...]
    endpoint: Any = None
    dependencies: Any = None

    def meets(self, pattern: str) -> bool:
        """Whether a path that ``pattern`` makes public can be one of this route's."""
        wanted = pattern.removeprefix("/").split("/")
        if below := wanted[-1] == "*":
            wanted.pop()
        for position, segment in enumerate(wanted):
            if position == len(self.segments):
                return False
            if self.segments[position] == _REST:
                return True
            if self.segments[position] not in (_ANY, segment):
                return False
        left = self.segments[len(wanted) :]
        return bool(left) if below else not left or left == (_REST,)


def routes_of(layers: tuple[Any, ...]) -> tuple[Route, ...] | None:
    """The routes that are behind ``layers``; None if they cannot be known."""
    for layer in reversed(layers):
        if isinstance(layer, (Router, Starlette)):
            return tuple(_of_starlette(layer.router if isinstance(layer, Starlette) else layer, ""))
        found = _of_others(getattr(layer, "__self__", layer))  # Quart is wrapped by one of its methods
        if found is not None:
            return tuple(_route(path, endpoint) for path, endpoint in found)
    return None


def _route(path: str, endpoint: Any = None, dependencies: Any = None) -> Route:
    return Route(path, tuple(_segment(one) for one in path.removeprefix("/").split("/")), endpoint, dependencies)


def _segment(text: str) -> str:
    if not any(bracket in text for bracket in "{<("):
        return text
    return _REST if ":path" in text or "<path:" in text or "(" in text else _ANY


def _of_starlette(router: Router, path: str) -> Iterator[Route]:
    for route in flat(router.routes):
        if isinstance(route, (Mount, Host)):
            below = path + route.path if isinstance(route, Mount) else path
            inner = _router_in(route.app)
            yield from [_route(f"{below}/{{:path}}")] if inner is None else _of_starlette(inner, below)
        elif hasattr(route, "path"):
            yield _route(path + route.path, getattr(route, "endpoint", None), getattr(route, _OF_FASTAPI, None))
        elif hasattr(route, "routes"):
            yield from (_route(f"{path}{one.path.rstrip('/')}/{{:path}}") for one in route.routes)
    for group in getattr(router, "_low_priority_routes", ()):  # FastAPI: what is served where nothing else is
        for one in getattr(group, "routes", ()):
            yield _route(f"{path}{one.path.rstrip('/')}/{{:path}}")


def _router_in(app: Any) -> Router | None:
    for _ in range(20):
        if isinstance(app, Starlette):
            return app.router
        if isinstance(app, Router):
            return app
        app = getattr(app, "app", None)
    return None


def _of_others(layer: Any) -> list[tuple[str, Any]] | None:
    """Paths and endpoints of Litestar, Quart and Django, by what their applications have."""
    module = type(layer).__module__.partition(".")[0]
    if module == "litestar" and hasattr(layer, "routes"):
        return [(route.path, None) for route in layer.routes]
    if module == "quart" and hasattr(layer, "url_map"):
        return [(rule.rule, layer.view_functions.get(rule.endpoint)) for rule in layer.url_map.iter_rules()]
    if module == "django":
        resolver = sys.modules["django.urls"].get_resolver()
        return [*_of_django(resolver.url_patterns, "/")]
    return None


def _of_django(patterns: Any, before: str) -> Iterator[tuple[str, Any]]:
    for one in patterns:
        written = getattr(one.pattern, "_route", None)
        path = before + (str(one.pattern).lstrip("^") if written is None else str(written))
        if hasattr(one, "url_patterns"):
            yield from _of_django(one.url_patterns, path)
        else:  # of a regular expression nothing is known but that it is there
            yield (path if written is not None else before + "{:path}"), one.callback
