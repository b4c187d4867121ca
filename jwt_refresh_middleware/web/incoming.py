"""A request to one of our routes: its headers and its body, each read once, and what they tell."""

from typing import Literal

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from ..errors import CrossOrigin, PayloadTooLarge, UnsupportedMediaType
from ..sessions import MAX_USER_AGENT, Device
from ..values import quick
from .transport import single

MAX_BODY = 64 * 1024

_device = quick(Device)


class Incoming:
    """A request as our routes see it.

    Attributes:
        scope: of ASGI.
        headers: the value of each, by its name in lower case, as :func:`single` has it.
    """

    __slots__ = ("headers", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.headers = single(scope["headers"])

    def text(self, name: bytes) -> str | None:
        """The value of a header; None without it; empty, which nothing accepts, if it came twice."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def device(self, ip: str | None) -> Device:
        """The device at ``ip``, with the ``User-Agent``."""
        agent = self.headers.get(b"user-agent")
        user_agent = agent[:MAX_USER_AGENT].decode("latin-1") if agent else None
        return _device(ip, user_agent)

    def own_origin(self) -> str | None:
        """The origin of the request itself, from the scheme and the one Host header; never from a URL made of them."""
        host = self.text(b"host")
        if not host:
            return None
        scheme = self.scope.get("scheme", "http")
        default = {"http": ":80", "https": ":443"}.get(scheme, "")
        return f"{scheme}://{host.removesuffix(default) if default else host}".lower()

    def check_origin(self, allowed: frozenset[str]) -> None:
        """Let through what comes from our own pages, from ``allowed`` ones, or from no browser.

        Raises:
            CrossOrigin: it is from another origin (OWASP: Fetch Metadata first, then ``Origin``).
        """
        site = self.text(b"sec-fetch-site")
        if site in ("same-origin", "none"):
            return
        origin = self.text(b"origin")
        if origin is None and site is None:
            return
        if origin and (origin in allowed or origin.lower() == self.own_origin()):
            return
        raise CrossOrigin

    async def body(self, receive: Receive) -> bytes:
        """The whole body. Raises PayloadTooLarge over 64 KiB, whatever its length was said to be."""
        announced = self.headers.get(b"content-length", b"")
        if len(announced) > 4 and announced.isdigit() and len(announced) < 20 and int(announced) > MAX_BODY:
            raise PayloadTooLarge
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                raise PayloadTooLarge
            if not message.get("more_body", False):
                return bytes(body)

    def kind_of(self, body: bytes) -> Literal["json", "form", "none"]:
        """How the body is to be read. Raises UnsupportedMediaType for anything but JSON and form."""
        if not body:
            return "none"
        named = self.headers.get(b"content-type", b"")
        kind = named if named == b"application/json" else named.partition(b";")[0].strip().lower()
        if kind == b"application/json":
            return "json"
        if kind == b"application/x-www-form-urlencoded":
            return "form"
        raise UnsupportedMediaType
