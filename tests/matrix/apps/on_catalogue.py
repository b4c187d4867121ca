"""The service of the attack catalogue in a process of its own. It tells what reached the app and the store.

``GET /seen``, which no attack asks for, is answered before the middleware: the paths and people that came in. With
``POST /asked``, tests that are written for a service in their own process make others here: see
``tests/catalogue/served.py``.
"""

import json
import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.catalogue.served import Served
from tests.web.support import Service

logging.basicConfig(level="DEBUG")  # whatever the package says of a request stands in the log of the server
service = Service(public=["/", "/open", "/docs", "/public/*"])
served = Served(service)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http" and scope["path"] == "/seen":
        await Response(json.dumps(await served.seen()))(scope, receive, send)
    elif scope["type"] == "http" and scope["path"] == "/asked":
        await Response(await served.answer(await Request(scope, receive).body()))(scope, receive, send)
    elif scope["type"] == "http":
        await served.front.app(served.scope(scope), receive, send)
    else:
        await service.app(scope, receive, send)
