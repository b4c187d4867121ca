"""How tokens travel: request headers, the cookie, bodies in their dialects, and the check against other origins."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from ..encoding import json_object
from ..errors import (
    CrossOrigin,
    InvalidRequest,
    PayloadTooLarge,
    TokenMalformed,
    UnsupportedGrantType,
    UnsupportedMediaType,
)
from ..sessions import Device

RawHeaders = Iterable[tuple[bytes, bytes]]

MAX_BODY = 64 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_MAX_FIELDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """The cookie that carries the refresh token. It is always ``HttpOnly``.

    Attributes:
        name: without prefix; ``__Host-`` or ``__Secure-`` is put before it where the attributes allow.
        secure: default True. Chromium and Firefox treat ``http://localhost`` as secure; False is for development
            without TLS elsewhere, and with Safari.
        samesite: ``strict`` (default), ``lax`` or ``none`` (needs ``secure``).
        path: default ``/``, which ``__Host-`` needs.
        domain: default None: this host only, which ``__Host-`` needs.

    Raises:
        ValueError: a name or value that cannot stand in a cookie, or ``none`` without ``secure``.
    """

    name: str = "refresh_token"
    secure: bool = True
    samesite: Literal["strict", "lax", "none"] = "strict"
    path: str = "/"
    domain: str | None = None
    wire_name: bytes = field(init=False, repr=False)
    _attributes: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot be the name of a cookie")
        if self.samesite not in ("strict", "lax", "none") or (self.samesite == "none" and not self.secure):
            raise ValueError("samesite is strict, lax, or none together with secure")
        for value in (self.path, self.domain or ""):
            if not value.isascii() or not value.isprintable() or ";" in value or "," in value:
                raise ValueError(f"{value!r} cannot stand in a cookie")
        if not self.path.startswith("/"):
            raise ValueError("the path of a cookie begins with /")
        prefix = "" if not self.secure else "__Host-" if self.path == "/" and self.domain is None else "__Secure-"
        attributes = "; HttpOnly" + ("; Secure" if self.secure else "")
        attributes += f"; SameSite={self.samesite.capitalize()}; Path={self.path}"
        attributes += f"; Domain={self.domain}" if self.domain else ""
        object.__setattr__(self, "wire_name", (prefix + self.name).encode("ascii"))
        object.__setattr__(self, "_attributes", attributes)

    def set(self, token: str, max_age: int) -> tuple[bytes, bytes]:
        """The header that stores ``token`` for ``max_age`` seconds (RFC 6265bis, 4.1)."""
        value = f"{self.wire_name.decode()}={token}{self._attributes}; Max-Age={max_age}"
        return (b"set-cookie", value.encode("ascii"))

    def delete(self) -> tuple[bytes, bytes]:
        """The header that deletes it: same name, path and attributes."""
        value = f"{self.wire_name.decode()}={self._attributes}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        return (b"set-cookie", value.encode("ascii"))

    def read(self, headers: RawHeaders) -> str | None:
        """The cookie's value, as it stands: never unquoted; None if it is absent or empty.

        Raises:
            InvalidRequest: it came twice; which of them is ours cannot be known (RFC 6265bis, 8.6).
        """
        found = []
        for name, value in headers:
            if name == b"cookie" and self.wire_name in value:
                for pair in value.split(b";"):
                    key, equals, content = pair.lstrip(b" \t").partition(b"=")
                    if equals and key == self.wire_name:
                        found.append(content.strip(b" \t"))
        if len(found) > 1:
            raise InvalidRequest
        return found[0].decode("latin-1") if found and found[0] else None

    def came_along(self, headers: RawHeaders) -> bool:
        """Whether the request carries the cookie at all."""
        try:
            return self.read(headers) is not None
        except InvalidRequest:
            return True


def bearer(headers: RawHeaders) -> bytes | None:
    """What stands behind ``Bearer`` in the ``Authorization`` header; None without one, or with another scheme.

    Raises:
        TokenMalformed: two headers, or no token (RFC 6750, 2.1).
    """
    value = None
    for name, content in headers:
        if name == b"authorization":
            if value is not None:
                raise TokenMalformed
            value = content
    if value is None:
        return None
    if value[:7] != b"Bearer " and value[:7].lower() != b"bearer ":
        if not value.strip(b" \t") or (value[:6].lower() == b"bearer" and b" " not in value):
            raise TokenMalformed
        return None
    return value[7:]


def one_token(credentials: bytes) -> bytes:
    """The token in what :func:`bearer` found, without the blanks around it (servers differ in stripping them).

    Raises:
        TokenMalformed: none, or several, separated by blanks or commas.
    """
    token = credentials.strip(b" \t")
    if not token or b" " in token or b"," in token or b"\t" in token:
        raise TokenMalformed
    return token


def one(headers: RawHeaders, wanted: bytes) -> str | None:
    """The value of a header that may come once; None without it; empty, which nothing accepts, if it came twice."""
    found = None
    for name, value in headers:
        if name == wanted:
            if found is not None:
                return ""
            found = value
    return None if found is None else found.decode("latin-1")


def device_of(scope: Scope) -> Device:
    """Where a request came from: the server's own view of the client, and the ``User-Agent``."""
    client = scope.get("client")
    return Device(ip=client[0] if client else None, user_agent=one(scope["headers"], b"user-agent") or None)


def own_origin(scope: Scope) -> str | None:
    """The origin of the request itself, from the scheme and the one Host header; never from a URL made of them."""
    host = one(scope["headers"], b"host")
    if not host:
        return None
    scheme = scope.get("scheme", "http")
    default = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{host.removesuffix(default) if default else host}".lower()


def check_origin(scope: Scope, allowed: frozenset[str]) -> None:
    """Let through what comes from our own pages, from ``allowed`` ones, or from no browser.

    Raises:
        CrossOrigin: it is from another origin (OWASP: Fetch Metadata first, then ``Origin``).
    """
    headers = scope["headers"]
    site = one(headers, b"sec-fetch-site")
    if site in ("same-origin", "none"):
        return
    origin = one(headers, b"origin")
    if origin is None and site is None:
        return
    if origin and (origin in allowed or origin.lower() == own_origin(scope)):
        return
    raise CrossOrigin


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises PayloadTooLarge over 64 KiB, whatever its length was said to be."""
    announced = one(scope["headers"], b"content-length")
    if announced is not None and announced.isdecimal() and len(announced) < 20 and int(announced) > MAX_BODY:
        raise PayloadTooLarge
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > MAX_BODY:
            raise PayloadTooLarge
        if not message.get("more_body", False):
            return body


def body_kind(scope: Scope, body: bytes) -> Literal["json", "form", "none"]:
    """How the body is to be read. Raises UnsupportedMediaType for anything but JSON and form."""
    if not body:
        return "none"
    kind = (one(scope["headers"], b"content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return "json"
    if kind == "application/x-www-form-urlencoded":
        return "form"
    raise UnsupportedMediaType


def read_fields(kind: Literal["json", "form", "none"], body: bytes) -> dict[str, Any]:
    """The members of a JSON object, or the fields of a form. Raises InvalidRequest for anything else."""
    if kind == "none":
        return {}
    try:
        if kind == "json":
            return json_object(body)
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise InvalidRequest from None
    fields = dict(pairs)
    if len(fields) != len(pairs):  # RFC 6749, 3.2: parameters are not repeated
        raise InvalidRequest
    return fields


def token_of(fields: Mapping[str, Any]) -> str | None:
    """The refresh token among the members of a JSON body, in either spelling of its name; None without one."""
    snake, camel = fields.get("refresh_token"), fields.get("refreshToken")
    token = camel if snake is None else snake
    if token is None:
        return None
    if not isinstance(token, str) or (camel is not None and camel != token):
        raise InvalidRequest
    return token or None


def token_of_form(fields: Mapping[str, Any]) -> str:
    """The refresh token of a form (RFC 6749, 6). Raises UnsupportedGrantType or InvalidRequest."""
    grant = fields.get("grant_type")
    if grant is not None and grant != "refresh_token":
        raise UnsupportedGrantType
    token = fields.get("refresh_token")
    if grant is None or not token:
        raise InvalidRequest
    return str(token)
