"""Which paths are public. What is not canonical is protected, since routers and guards read it differently."""

import re
from collections.abc import Iterable

from starlette.types import Scope

# Empty and dot segments; C0, DEL and C1; U+FFFD, semicolon, percent sign, backslash.
_ODD = re.compile("//|/\\.\\.?(?:/|$)|[\x00-\x1f\x7f-\x9f\ufffd;%\\\\]")


def app_path(scope: Scope) -> str:
    """``scope["path"]`` less the ``root_path`` (ASGI: the path includes it; Starlette routes on the rest)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path


def _is_misplaced(scope: Scope) -> bool:
    """Whether the ``root_path`` stands in the path, but not at its beginning.

    Some servers leave it out of the path, and some routers then take it out wherever they find it: with ``/api``,
    Litestar serves ``/me`` to who asks for ``/static/api/me``.
    """
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    if not root or root not in path:
        return False
    return not (path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"))


class PublicPaths:
    """Exact paths, and paths ending in ``/*`` for everything below them, by whole segments.

    Attributes:
        patterns: as they were given.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """``patterns``: as in ``public=``. Raises ValueError for one that could never match, TypeError for a str."""
        if isinstance(patterns, str):
            raise TypeError('public is a list of paths: ["/"], not "/"')
        self.patterns = tuple(patterns)
        exact, below = set(), []
        for pattern in self.patterns:
            path = pattern[:-1] if pattern.endswith("/*") else pattern
            if not path.startswith("/") or "*" in path or _ODD.search(path):
                raise ValueError(f"{pattern!r} is not a path: /exact, or /below/* for everything below it")
            if pattern.endswith("/*"):
                below.append(path)
            else:
                exact.add(path)
        self._exact = frozenset(exact)
        self._below = tuple(below)

    def cover(self, scope: Scope) -> bool:
        """Whether a request needs no token, because of its path."""
        return app_path(scope) in self and not _is_misplaced(scope)

    def __contains__(self, path: str) -> bool:
        return (path in self._exact or path.startswith(self._below)) and not _ODD.search(path)
