"""The service of the attack catalogue in a process of its own. It tells what reached the app and the store."""

import json
from typing import Any

from starlette.responses import Response

from tests.web.support import Service

service = Service(public=["/", "/open", "/docs", "/public/*"])


async def app(scope: Any, receive: Any, send: Any) -> None:
    """``GET /seen``, which no attack asks for, is answered before the middleware: the paths and people that came in."""
    if scope["type"] == "http" and scope["path"] == "/seen":
        await Response(_seen())(scope, receive, send)
    else:
        await service.app(scope, receive, send)


def _seen() -> str:
    """And forgets it."""
    scopes, calls = [*service.inner.scopes], [*service.store.calls]
    service.inner.scopes.clear()
    service.store.calls.clear()
    people = [scope["user"].identity if scope["user"].is_authenticated else None for scope in scopes]
    return json.dumps({"paths": [scope["path"] for scope in scopes], "people": people, "store": calls})
