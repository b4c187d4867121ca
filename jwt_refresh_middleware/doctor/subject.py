"""What the checks look at: one middleware, and what is around it and in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..keys import HmacKey
from ..web.middleware import JWTRefreshMiddleware
from ..web.settings import Settings
from .app_routes import Route, routes_of
from .walking import Stack, stacks


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One middleware in an app.

    Attributes:
        settings: what it was told.
        mounted_at: the path at which its app is mounted; empty for the app that was named.
        outside: all layers around it, the outermost first.
        beside: of those the ones of its own app.
        inside: the layers in it, the outermost first.
        routes: of the app in it; None if they cannot be known.
    """

    settings: Settings
    mounted_at: str
    outside: tuple[Any, ...]
    beside: tuple[Any, ...]
    inside: tuple[Any, ...]
    routes: tuple[Route, ...] | None

    @property
    def where(self) -> str:
        """Which middleware it is, for a finding."""
        return f"JWTRefreshMiddleware at {self.mounted_at}" if self.mounted_at else "JWTRefreshMiddleware"

    @property
    def is_gateway(self) -> bool:
        """Whether it only verifies."""
        return self.settings.issuer is None

    @property
    def shared_secrets(self) -> list[bytes]:
        """The secrets of HS256 among its keys."""
        return [key.secret for key in self.settings.verifier.keys.keys if isinstance(key, HmacKey)]

    @property
    def root_path(self) -> str:
        """What the apps around and in it say is before their paths (FastAPI's ``root_path``)."""
        own = (getattr(layer, "root_path", "") for layer in (*self.inside, *reversed(self.outside)))
        return next((path.rstrip("/") for path in own if isinstance(path, str) and path), "")


def subjects(app: Any) -> Iterator[Subject]:
    """All of them in an app, those of mounted apps too. Raises CannotBuild."""
    for stack in stacks(app):
        yield from _in(stack)


def _in(stack: Stack) -> Iterator[Subject]:
    for position, layer in enumerate(stack.layers):
        if isinstance(layer, JWTRefreshMiddleware):
            beside, inside = stack.layers[:position], stack.layers[position + 1 :]
            yield Subject(
                settings=layer.settings,
                mounted_at=stack.path,
                outside=stack.around + beside,
                beside=beside,
                inside=inside,
                routes=routes_of(inside),
            )
