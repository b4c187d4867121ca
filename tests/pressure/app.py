"""The service under pressure, in a process of its own: an echo behind the middleware.

``GET /vitals`` is answered before the middleware: what reached the app, the store and the log so far, how many tasks
there are, and which process it is. ``PRESSURE_LEEWAY``: seconds in which a refresh may be repeated, if not the default.
"""

import asyncio
import json
import logging
import os
import random
from collections import Counter
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from jwt_refresh_middleware import Identity, Issuer, JWTRefreshMiddleware
from tests.web.support import PASSWORD, SECRET, CountingStore

_current: ContextVar[str] = ContextVar("current")
_within = Counter[str]()
"""``now``: echoes under way; ``most``: at the same time; ``calls``: of the app."""


class _Records(logging.Handler):
    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


async def authenticate(credentials: dict[str, Any]) -> Identity | None:
    """Whoever knows the password."""
    name = credentials.get("username")
    if credentials.get("password") != PASSWORD or not isinstance(name, str):
        return None
    return Identity(name, [f"scope-of-{name}"], {"nick": f"nick-of-{name}"})


def _who(scope: Any) -> list[str]:
    """Who is asking, by everything that says so."""
    user, auth = scope["user"], scope["auth"]
    return [user.identity, user.token.subject, user.token.claims["nick"][8:], auth.scopes[-1][9:]]


async def _later() -> str:
    await asyncio.sleep(random.random() * 0.004)
    return _current.get()


async def echo(scope: Any, _receive: Any, send: Any) -> None:
    """``GET /me``: who is asking, before and after others had their turn, and in a task of its own."""
    _within["calls"] += 1
    if scope["path"] == "/open":
        await Response("open")(scope, _receive, send)
        return
    _within["now"] += 1
    _within["most"] = max(_within["most"], _within["now"])
    _current.set(scope["user"].identity)
    told = _who(scope)
    task = asyncio.create_task(_later())
    await asyncio.sleep(random.random() * 0.004)
    told += [*_who(scope), _current.get(), await task, await _later()]
    _within["now"] -= 1
    await Response(json.dumps(told))(scope, _receive, send)


def _issuer() -> Issuer:
    leeway = os.environ.get("PRESSURE_LEEWAY")
    options = {} if leeway is None else {"reuse_leeway": timedelta(seconds=float(leeway))}
    return Issuer(SECRET, store, **options)  # type: ignore[arg-type]


store = CountingStore()
_records = _Records(logging.DEBUG)
logging.getLogger("jwt_refresh_middleware").addHandler(_records)
logging.getLogger("jwt_refresh_middleware").setLevel(logging.INFO)
_inner = JWTRefreshMiddleware(echo, issuer=_issuer(), authenticate=authenticate, public=["/open"])


def _vitals() -> str:
    calls = Counter(store.calls)
    for upkeep in ("revocations", "acknowledge", "purge"):
        calls.pop(upkeep, None)  # each second, in the background
    told = {"pid": os.getpid(), "tasks": len(asyncio.all_tasks()), "records": _records.count}
    return json.dumps(told | {"store": calls, "calls": _within["calls"], "most": _within["most"]})


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http" and scope["path"] == "/vitals":
        await Response(_vitals())(scope, receive, send)
    else:
        await _inner(scope, receive, send)
