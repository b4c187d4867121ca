"""What the worst inputs cost, at one length and at sixteen times of it: a parser that is linear takes sixteen times."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from jwt_refresh_middleware.encoding import b64url_decode, json_object
from jwt_refresh_middleware.errors import AuthError
from jwt_refresh_middleware.web.transport import bearer, read_fields, single

from . import properties as p
from .forging import b64, compact, keys

LONGER = 16
NAME = p.COOKIE.wire_name


def _signed(payload: bytes) -> bytes:
    key = keys()["secret-1"]
    message = b64(compact({"alg": "HS256", "typ": "at+jwt"})) + b"." + b64(payload)
    return message + b"." + b64(key.sign(message))


def _path(path: str) -> None:
    p.PUBLIC.cover({"type": "http", "path": path, "root_path": "/a"})


def _forwarded(value: bytes) -> None:
    p.ADDRESSES.of({"type": "http", "client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", value)]})


def _subprotocols(value: bytes) -> None:
    offer = p.offer_of({"type": "websocket", "headers": [], "subprotocols": value.decode().split(",")})
    assert offer is not None


Worst = tuple[Callable[[bytes], object], Callable[[int], bytes]]
WORST: dict[str, Worst] = {
    "base64": (b64url_decode, lambda n: b"A" * (4 * n)),
    "JSON, many names": (json_object, lambda n: compact({str(i): {} for i in range(n // 4)})),
    "JSON, one name many times": (json_object, lambda n: b"{" + b'"a":{},' * (n // 4) + b'"a":1}'),
    "JSON, commas in a text": (json_object, lambda n: b'{"a":"' + b"," * (4 * n) + b'"}'),
    "JSON, escapes": (json_object, lambda n: b'{"a":"' + b"\\u00e9" * n + b'"}'),
    "JSON, a long number": (json_object, lambda n: b'{"a":' + b"9" * n + b".5e-9}"),
    "JSON, brackets that stay open": (json_object, lambda n: b'{"a":' + b"[" * n),
    "access token, dots": (p.verifier().verify, lambda n: b"." * n),
    "access token, signed": (p.verifier().verify, lambda n: _signed(b'{"a":"' + b"x" * (n // 2) + b'"}')),
    "Authorization, blanks": (bearer, lambda n: b"Bearer " + b" " * (8 * n) + b"x"),
    "Authorization, many": (
        lambda value: single([(b"authorization", one) for one in value.split(b",")]),
        lambda n: b"Bearer x," * (n // 4),
    ),
    "Cookie, pairs": (p.COOKIE.read, lambda n: b"a=b; " * n + NAME + b"=x"),
    "Cookie, the name without a value": (p.COOKIE.read, lambda n: (NAME + b"; ") * (n // 4)),
    "Cookie, blanks": (p.COOKIE.read, lambda n: NAME + b"=" + b" " * (8 * n) + b"x"),
    "refresh token": (lambda value: p.signer().read(value.decode()), lambda n: b"A" * n),
    "form, fields": (lambda value: read_fields("form", value), lambda n: b"&" * n),
    "form, escapes": (lambda value: read_fields("form", value), lambda n: b"a=" + b"%C3%A9" * (n // 4)),
    "X-Forwarded-For": (_forwarded, lambda n: b"10.0.0.1," * n),
    "Accept-Encoding": (p.takes_gzip, lambda n: b",".join(b"x%d;q=0.5" % i for i in range(n // 16))),
    "Accept-Encoding, blanks": (p.takes_gzip, lambda n: b"gzip;" + b" " * n + b"x"),
    "If-None-Match": (lambda value: p.names(value, b'"0123456789abcdef"'), lambda n: b'"0123456789abcde' * n),
    "path, segments": (lambda value: _path(value.decode()), lambda n: b"/a" * n),
    "path, dots": (lambda value: _path(value.decode()), lambda n: b"/" + b"." * n),
    "sub-protocols": (_subprotocols, lambda n: b"chat," * n + b"bearer,x"),
    "message of a socket": (lambda value: p.credentials_in(value.decode()), lambda n: b'{"access_token":' + b"[" * n),
    "JWK, a long number": (p.keys_of_set, lambda n: {"kty": "RSA", "n": "A" * (4 * n), "e": "AQAB"}),  # type: ignore[dict-item,return-value]
}


class Cost(NamedTuple):
    """Seconds at one length, and how many times as long it takes at sixteen times the length."""

    seconds: float
    ratio: float


def cost(name: str, length: int = 4096) -> Cost:
    """The best of several tries, in processor time: what else runs on the machine does not count."""
    parser, make = WORST[name]
    short, long = _best(parser, make(length), 7), _best(parser, make(length * LONGER), 5)
    return Cost(short, long / max(short, 20e-6))  # what is as quick as that would be all noise


def _best(parser: Callable[[bytes], object], data: bytes, tries: int) -> float:
    times = []
    for _ in range(tries):
        began = time.thread_time()
        with suppress(AuthError, ValueError):
            parser(data)
        times.append(time.thread_time() - began)
    return min(times)


def table() -> str:
    """Every parser in Markdown."""
    lines = [f"| input | at 4096 | at {LONGER} times that | ratio |", "|---|---:|---:|---:|"]
    for name in WORST:
        found = cost(name)
        longer = found.seconds * 1e6, found.ratio * max(found.seconds, 20e-6) * 1e6
        lines.append(f"| {name} | {longer[0]:,.1f} us | {longer[1]:,.1f} us | {found.ratio:.1f} |")
    return "\n".join(lines)
