"""Requests that are far too large: refused, by the server or by us, and not kept in memory."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from ..web.support import COOKIE
from .place import Place

_PIECE = b"x" * 65_536
_START = b"%s HTTP/1.1\r\nHost: testserver\r\n"
_LOGIN = _START % b"POST /auth/login"
_JSON, _FORM = b"Content-Type: application/json\r\n", b"Content-Type: application/x-www-form-urlencoded\r\n"
_MULTIPART = b"Content-Type: multipart/form-data; boundary=b\r\n"


@dataclass(frozen=True, slots=True)
class Large:
    """A request as bytes that come one after another, and the statuses it may be answered with.

    A server may refuse it by 400, 413 or 431, or by hanging up; ``ours`` is the status if it does not.
    """

    name: str
    head: bytes
    body: tuple[tuple[bytes, int], ...] = ()
    ours: int = 401


def _with_body(name: str, media_type: bytes, body: bytes, ours: int) -> Large:
    return Large(name, _LOGIN + media_type + b"Content-Length: %d\r\n\r\n" % len(body), ((body, 1),), ours)


def headers() -> Iterator[Large]:
    """Tokens and cookies."""
    get = _START % b"GET /me"
    for name, size in (("8 KiB and a byte", 8193), ("64 KB", 64_000), ("1 MB", 1 << 20), ("16 MB", 1 << 24)):
        yield Large(f"a token of {name}", get + b"Authorization: Bearer " + b"a" * size + b"\r\n\r\n")
    yield Large("a cookie of 64 KB", get + b"Cookie: " + COOKIE.encode() + b"=" + b"a" * 64_000 + b"\r\n\r\n")
    yield Large("a cookie of 1 MB", get + b"Cookie: " + COOKIE.encode() + b"=a" + b";" * (1 << 20) + b"\r\n\r\n")
    yield Large("1 000 cookies", get + b"Cookie: " + b"; ".join(b"c%d=x" % n for n in range(1000)) + b"\r\n\r\n")
    yield Large("1 000 cookie headers", get + b"Cookie: c=x\r\n" * 1000 + b"\r\n")


def bodies(megabytes: int) -> Iterator[Large]:
    """Logins."""
    pieces, size = megabytes * 16, megabytes << 20
    chunk = b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE)
    announced = _LOGIN + _JSON + b"Content-Length: %d\r\n\r\n"
    yield Large(f"{megabytes} MB, announced", announced % size, ((_PIECE, pieces),), 413)
    yield Large(
        f"{megabytes} MB in chunks", _LOGIN + _JSON + b"Transfer-Encoding: chunked\r\n\r\n",
        ((chunk, pieces), (b"0\r\n\r\n", 1)), 413,
    )  # fmt: skip
    yield Large("more than was announced", announced % 10, ((b"[" * 10, 1), (_PIECE, 16)), 400)
    yield Large("deep JSON", announced % 65_000, ((b"[" * 65_000, 1),), 400)
    yield _with_body("deep JSON of objects", _JSON, b'{"a":' * 13_000, 400)
    yield _with_body("100 000 fields", _FORM, b"&".join([b"a=b"] * 100_000), 413)
    yield _with_body("15 000 fields", _FORM, b"&".join([b"a=b"] * 15_000), 400)
    part = b'--b\r\nContent-Disposition: form-data; name="username"\r\n\r\nann\r\n'
    yield _with_body("multipart", _MULTIPART, part * 100 + b"--b--\r\n", 415)


def send(place: Place, large: Large) -> int:
    """Send all of it, whatever is said meanwhile; the status, or 0 for a server that hangs up without one."""
    received = b""
    with socket.create_connection(("127.0.0.1", place.port), 30) as client:
        try:
            client.sendall(large.head)
            for piece, times in large.body:
                for _ in range(times):
                    client.sendall(piece)
        except OSError:  # it has hung up; what it said may still be here
            pass
        try:
            while b"\r\n" not in received and (more := client.recv(4096)):
                received += more
        except OSError:
            pass
    return int(received.split()[1]) if received.startswith(b"HTTP/") else 0


def is_refused(large: Large, status: int) -> bool:
    return status in (large.ours, 0, 400, 413, 431)
