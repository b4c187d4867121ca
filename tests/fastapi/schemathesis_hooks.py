"""Who schemathesis is: one user, logged in again whenever it was logged out; accounts to delete are others'."""

import itertools
import json
import os
import urllib.error
import urllib.request
from typing import Any

import schemathesis

ADDRESS = os.environ["EXAMPLE_ADDRESS"]
PASSWORD = "correct horse battery"


def ask(method: str, path: str, token: str = "", content: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = None
    if content is not None:
        headers["Content-Type"], body = "application/json", json.dumps(content).encode()
    request = urllib.request.Request(ADDRESS + path, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def enter(route: str, username: str) -> str:
    return str(ask("POST", f"/auth/{route}", content={"username": username, "password": PASSWORD})["access_token"])


@schemathesis.auth(refresh_interval=None)
class Somebody:
    numbers = itertools.count()
    token = ""

    def get(self, _case: Any, context: Any) -> str:
        if context.operation.path == "/auth/account":
            return enter("register", f"doomed-{next(self.numbers)}")
        if not Somebody.token:
            Somebody.token = enter("register", "somebody")
        try:
            ask("GET", "/api/me", Somebody.token)
        except urllib.error.HTTPError:
            Somebody.token = enter("login", "somebody")
        return Somebody.token

    def set(self, case: Any, token: str, _context: Any) -> None:
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {token}"
