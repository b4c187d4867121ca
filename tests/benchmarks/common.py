"""What the benchmarks share: tokens, in-process ASGI calls, the physical limit, statistics and tables."""

import asyncio
import base64
import hashlib
import hmac
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from typing import Any

SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
ISSUER, AUDIENCE = "https://issuer.example", "bench"

App = Callable[..., Any]


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def token(number: int, **claims: Any) -> str:
    """A foreign but well-formed access token of about 430 bytes, as a gateway would see it."""
    now = int(time.time())
    payload = {
        "sub": f"5f0c9a52-7b1e-4c39-9d54-{number:012x}",
        "iat": now - 5,
        "exp": now + 3600,
        "aud": AUDIENCE,
        "iss": ISSUER,
        "jti": f"{number:016x}",
        "sid": f"{number:022x}",
        "gen": 0,
        "auth_time": now - 5,
        "scope": "read",
        "type": "access",
        "token_type": "access",
    } | claims
    signed = b64(b'{"alg":"HS256","typ":"at+jwt"}') + b"." + b64(json.dumps(payload, separators=(",", ":")).encode())
    return (signed + b"." + b64(hmac.digest(SECRET.encode(), signed, "sha256"))).decode()


def tampered(good: str) -> str:
    """The same token with one character of its signature changed."""
    at = len(good) - 10
    return good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]


def scope(
    access_token: str | None, path: str = "/item", method: str = "GET", *more: tuple[bytes, bytes]
) -> dict[str, Any]:
    """The scope of a browser-like request; its header bytes are new each time, as a server's are."""
    headers = [
        (b"host", b"127.0.0.1:8000"), (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) bench"),
        (b"accept", b"application/json"), (b"accept-encoding", b"gzip, deflate, br"),
        (b"accept-language", b"en-GB,en;q=0.7"), (b"connection", b"keep-alive"),
    ]  # fmt: skip
    if access_token is not None:
        headers.append((b"authorization", b"Bearer " + access_token.encode()))
    headers += [(b"x-request-id", b"5f0c9a527b1e4c399d54"), *more]
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": headers,
        "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 8000), "state": {}, "extensions": {},
    }  # fmt: skip


class Exchange:
    """``receive`` and ``send`` of one request."""

    __slots__ = ("asked", "body", "sent", "status")

    def __init__(self, body: bytes = b"") -> None:
        self.body, self.status, self.sent, self.asked = body, 0, b"", False

    async def receive(self) -> dict[str, Any]:
        if self.asked:
            await asyncio.get_running_loop().create_future()
        self.asked = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.sent += message.get("body", b"")


async def post(app: App, path: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """One JSON POST in process: the status and the JSON of the answer."""
    body = json.dumps(content).encode()
    exchange = Exchange(body)
    headers = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
    await app(scope(None, path, "POST", *headers), exchange.receive, exchange.send)
    return exchange.status, json.loads(exchange.sent)


def physical_limit(count: int) -> float:
    """Microseconds for what no verifier can avoid: one HMAC-SHA-256, base64 and JSON parse of one token."""
    good = token(0).encode()
    signed, _, signature = good.rpartition(b".")
    payload = signed.partition(b".")[2]
    payload += b"=" * (-len(payload) % 4)
    expected = base64.urlsafe_b64decode(signature + b"=")
    key, digest, equal = SECRET.encode(), hmac.digest, hmac.compare_digest
    decode, loads = base64.urlsafe_b64decode, json.loads
    assert digest(key, signed, hashlib.sha256) == expected
    started = time.perf_counter_ns()
    for _ in range(count):
        equal(digest(key, signed, "sha256"), expected)
        loads(decode(payload))
    return (time.perf_counter_ns() - started) / count / 1000


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(head) + " |\n|" + "|".join("---" if not i else "---:" for i in range(len(head))) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print(flush=True)


def banner(title: str, *packages: str) -> None:
    """Print what is measured, when and with which versions."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    print(f"## {title}\n\n{when}; Python {platform.python_version()}, {versions}\n")
