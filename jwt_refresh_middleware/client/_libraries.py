"""httpx and httpx2: whichever is installed, or both. An ``Auth`` of the one is refused by a client of the other."""

import importlib
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any


def _installed() -> tuple[ModuleType, ...]:
    found: list[ModuleType] = []
    for name in ("httpx2", "httpx"):
        try:
            library = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
        else:
            if all(library.Auth is not other.Auth for other in found):  # httpx2 can take the name httpx
                found.append(library)
    if not found:
        raise ImportError("this client needs httpx2 or httpx: pip install 'jwt-refresh-middleware[client]'")
    return tuple(found)


LIBRARIES = _installed()
"""httpx2 first: what makes URLs here, and refreshes where the request does not say."""

URL: Any = LIBRARIES[0].URL
InvalidURL: type[Exception] = LIBRARIES[0].InvalidURL
RequestErrors: tuple[type[Exception], ...] = tuple(library.RequestError for library in LIBRARIES)

if TYPE_CHECKING:
    import httpx
    import httpx2

    class BaseAuth(httpx.Auth, httpx2.Auth):  # type: ignore[misc]  # each returns requests of its own library
        """What clients of both libraries take."""

else:
    BaseAuth = type("BaseAuth", tuple(library.Auth for library in LIBRARIES), {})


@cache
def tls_of(library: ModuleType) -> Any:
    """Its usual TLS context. To read the authorities takes 30 ms, in which an event loop would stand still."""
    return library.create_ssl_context()


def library_of(request: Any) -> ModuleType:
    """The library that ``request`` belongs to: its refresh goes the same way."""
    return next((library for library in LIBRARIES if isinstance(request, library.Request)), LIBRARIES[0])
