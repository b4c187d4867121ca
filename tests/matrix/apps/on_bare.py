"""No framework at all; it knows no lifespan either."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from jwt_refresh_middleware import JWTRefreshMiddleware
from jwt_refresh_middleware.errors import InsufficientScope

from . import stage

_GET = ["open", "me", "stream", "endless", "broken", "background", "boom", "fails", "told"]
_POST = ["upload", "gates"]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    action, _, name = scope["path"].removeprefix(scope["root_path"]).lstrip("/").partition("/")
    allowed = ("GET", "HEAD") if action in _GET else ("POST",) if action in _POST else ()
    if not allowed:
        await _answer(send, "nothing here", 404)
    elif scope["method"] not in allowed:
        await _answer(send, "not like this", 405)
    elif action == "stream":
        await _stream(send, receive, stage.pieces(name))
    elif action == "endless":
        await _stream(send, receive, stage.endless(name))
    elif action == "broken":
        await _send_all(send, stage.broken())
    elif action == "upload":
        await _answer(send, json.dumps(await _measured(receive)))
    elif action == "background":
        await _answer(send, "soon")
        await stage.later(name)
    else:
        await _answer(send, "" if scope["method"] == "HEAD" else _text(action, name, scope))


def _text(action: str, name: str, scope: Any) -> str:
    if action == "boom":
        raise LookupError("boom")
    if action == "fails":
        raise InsufficientScope("admin")
    if action == "gates":
        stage.open_gate(name)
    content = {
        "open": lambda: stage.visitor(scope["user"]),
        "me": lambda: json.dumps(stage.who(scope)),
        "told": lambda: json.dumps(stage.told),
    }
    return content[action]() if action in content else "open"


async def _answer(send: Any, text: str, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


async def _measured(receive: Any) -> dict[str, Any]:
    measure = stage.Measure()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        measure.add(message.get("body", b""))
        if not message.get("more_body"):
            return measure.result()


async def _stream(send: Any, receive: Any, pieces: AsyncIterator[bytes]) -> None:
    """Until it is over, or the client is gone."""
    sending = asyncio.ensure_future(_send_all(send, pieces))
    leaving = asyncio.ensure_future(_disconnected(receive))
    await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
    for task in (sending, leaving):
        task.cancel()
    await asyncio.wait([sending, leaving])


async def _send_all(send: Any, pieces: AsyncIterator[bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


app = JWTRefreshMiddleware(bare, **stage.options())
