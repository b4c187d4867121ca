"""How tokens travel: request headers, the cookie, and bodies in their dialects."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

from ..access import BEARER
from ..encoding import json_object
from ..errors import (
    InvalidRequest,
    TokenMalformed,
    UnsupportedGrantType,
)

RawHeaders = Sequence[tuple[bytes, bytes]]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_MAX_FIELDS = 100
_SPACE, _COMMA, _TAB = b" ,\t"  # as numbers: looked for in bytes, a number is found much faster


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

    def read(self, cookies: bytes | None) -> str | None:
        """The value in a ``Cookie`` header, as it stands: never unquoted; None if it is absent or empty.

        Raises:
            InvalidRequest: it came twice; which of them is ours cannot be known (RFC 6265bis, 8.6).
        """
        if cookies is None or self.wire_name not in cookies:
            return None
        named, end = self.wire_name + b"=", 0
        found: list[bytes] = []
        # Looked for, and not split: in a megabyte of semicolons there are a million cookies.
        while len(found) < 2 and (at := cookies.find(named, end)) >= 0:
            before = cookies[end:at].rstrip(b" \t")
            if before.endswith(b";") or (not before and not end):  # else it is within another name or value
                found.append(cookies[at + len(named) :].partition(b";")[0].strip(b" \t"))
            end = at + len(named)
        if len(found) > 1:
            raise InvalidRequest
        return found[0].decode("latin-1") if found and found[0] else None

    def came_along(self, headers: RawHeaders) -> bool:
        """Whether the request carries the cookie at all."""
        try:
            return self.read(single(headers).get(b"cookie")) is not None
        except InvalidRequest:
            return True


def single(headers: RawHeaders) -> dict[bytes, bytes]:
    """The value of each header; empty, which nothing accepts, for one that came twice.

    Only cookies may come in several headers, over HTTP/2: they are put together (RFC 9113, 8.2.3).
    """
    found = dict(headers)
    if len(found) != len(headers):
        seen: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            seen.setdefault(name, []).append(value)
        for name, values in seen.items():
            if len(values) > 1:
                found[name] = b"; ".join(values) if name == b"cookie" else b""
    return found


def bearer(authorization: bytes | None) -> bytes | None:
    """The one spelling of an ``Authorization`` header: ``BEARER`` and the token. None without one or of another scheme.

    The scheme may come in any case, and blanks around the token are dropped: servers differ in stripping them.

    Raises:
        TokenMalformed: no token, or several, separated by blanks or commas (RFC 6750, 2.1); an empty header, as which
            two headers count.
    """
    if authorization is None:
        return None
    scheme = authorization[:7]
    if scheme != BEARER and scheme.lower() != b"bearer ":
        is_near = scheme[:6].lower() == b"bearer" and (scheme[6:] == b"\t" or _SPACE not in authorization)
        if is_near or not authorization.strip(b" \t"):
            raise TokenMalformed
        return None
    token = authorization[7:].strip(b" \t")
    if not token or _SPACE in token or _COMMA in token or _TAB in token:
        raise TokenMalformed
    return authorization if scheme == BEARER and len(token) + 7 == len(authorization) else BEARER + token


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
