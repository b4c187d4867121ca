"""A client that speaks ASGI itself: headers byte for byte, bodies chunk by chunk, nothing tidied up on the way."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

Text = str | bytes
HeaderList = Mapping[str, Text] | Sequence[tuple[Text, Text]]

CLIENT = ("203.0.113.7", 50_000)
HOST = "testserver"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass(frozen=True)
class Reply:
    """One response as the server would get it."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value.decode("latin-1") for key, value in self.headers if key.decode("latin-1").lower() == name]

    def one(self, name: str) -> str | None:
        """The value of a header that may come once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """What happened, of a problem; None of anything else."""
        return self.json()["code"] if self.one("content-type") == "application/problem+json" else None


def _bytes(text: Text) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def raw_headers(headers: HeaderList, *defaults: tuple[str, Text]) -> list[tuple[bytes, bytes]]:
    """Headers as they stand in a scope; a default is left out where the header is given."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    raw = [(_bytes(name).lower(), _bytes(value)) for name, value in pairs]
    given = {name for name, _ in raw}
    return raw + [(_bytes(name), _bytes(value)) for name, value in defaults if _bytes(name) not in given]


def http_scope(method: str, path: str, headers: list[tuple[bytes, bytes]], **more: Any) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogateescape"),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": CLIENT,
        "server": (HOST, 443),
    } | more


async def ask(
    app: Any,
    method: str,
    path: str,
    *,
    headers: HeaderList = (),
    body: bytes | Iterable[bytes] = b"",
    json_body: Any = None,
    form: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    **scope: Any,
) -> Reply:
    """Make one request and return the whole response; what the app raises is raised."""
    defaults: list[tuple[str, Text]] = [("host", HOST), ("user-agent", AGENT)]
    if json_body is not None:
        body = json.dumps(json_body).encode()
        defaults.append(("content-type", "application/json"))
    if form is not None:
        body = urlencode(form).encode()
        defaults.append(("content-type", "application/x-www-form-urlencoded"))
    chunks = [body] if isinstance(body, bytes) else list(body)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if chunks:
            chunk = chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(http_scope(method, path, raw_headers(headers, *defaults), **scope), receive, send)
    assert [message["type"] for message in sent[:1]] == ["http.response.start"]
    assert all(message["type"] == "http.response.body" for message in sent[1:])
    whole = b"".join(message.get("body", b"") for message in sent[1:])
    return Reply(sent[0]["status"], tuple(sent[0]["headers"]), whole)


async def handshake(
    app: Any, path: str, *, headers: HeaderList = (), extensions: Mapping[str, Any] | None = None, **scope: Any
) -> list[dict[str, Any]]:
    """Offer a WebSocket, leave at once, and return everything that the app sent."""
    coming = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = raw_headers(headers, ("host", HOST), ("user-agent", AGENT))
    made = http_scope("GET", path, raw, **scope) | {"type": "websocket", "scheme": "wss", "subprotocols": []}
    del made["method"]
    if extensions is not None:
        made["extensions"] = dict(extensions)
    await app(made, receive, send)
    return sent


class LifespanRun:
    """The server's side of the lifespan protocol."""

    def __init__(self, app: Any) -> None:
        self._coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._going: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.task = asyncio.ensure_future(
            app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._coming.get, self._going.put)
        )

    async def tell(self, kind: str) -> dict[str, Any]:
        """Send ``lifespan.<kind>`` and return the answer, or raise what the app raised instead of one."""
        await self._coming.put({"type": f"lifespan.{kind}"})
        answer = asyncio.ensure_future(self._going.get())
        await asyncio.wait([answer, self.task], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            await self.task
            raise AssertionError(f"the app ended without an answer to {kind}")
        return answer.result()
