"""WebSocket handshakes: identified like requests, refused before they are accepted."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from .asgi import HeaderList, Reply, handshake
from .problems import assert_problem
from .support import COOKIE, Service

RESPONSE = {"websocket.http.response": {}}
CLOSED = [{"type": "websocket.close", "code": 4401}]


class Chat:
    """A WebSocket app that says who came."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        user = scope["user"]
        await send({"type": "websocket.send", "text": user.identity if user.is_authenticated else "anonymous"})
        await send({"type": "websocket.close", "code": 1000})


@pytest.fixture
def chat() -> Chat:
    return Chat()


@pytest.fixture
async def talking(make_service: Callable[..., Service], chat: Chat) -> Service:
    return make_service(app=chat, public=["/lobby"])


def problem(sent: list[dict[str, Any]]) -> Reply:
    start, body = sent
    assert start["type"] == "websocket.http.response.start"
    assert body["type"] == "websocket.http.response.body"
    return Reply(start["status"], tuple(start["headers"]), body["body"])


REFUSED: list[tuple[HeaderList, str, str | None]] = [
    ({}, "token_missing", None),
    ({"cookie": f"{COOKIE}=x"}, "token_missing", "refresh"),
    ({"authorization": "Basic eDp5"}, "token_missing", None),
    ({"authorization": "Bearer"}, "token_malformed", None),
    ([("authorization", "Bearer a"), ("authorization", "Bearer b")], "token_malformed", None),
    ({"authorization": "Bearer made.up.token"}, "token_invalid", None),
]


@pytest.mark.parametrize(("headers", "code", "action"), REFUSED)
async def test_refused_before_accept(
    talking: Service, chat: Chat, headers: HeaderList, code: str, action: str | None
) -> None:
    assert await handshake(talking.app, "/chat", headers=headers) == CLOSED
    sent = await handshake(talking.app, "/chat", headers=headers, extensions=RESPONSE)
    assert_problem(problem(sent), code, action=action)
    assert chat.scopes == []


@pytest.mark.parametrize("state", ["expired", "revoked"])
async def test_dead_tokens_are_refused(talking: Service, chat: Chat, state: str) -> None:
    tokens = await talking.login()
    if state == "expired":
        talking.clock.advance(900)
    else:
        await talking.issuer.logout(tokens.refresh)
    assert await handshake(talking.app, "/chat", headers=tokens.bearer) == CLOSED
    sent = await handshake(talking.app, "/chat", headers=tokens.bearer, extensions=RESPONSE)
    assert_problem(problem(sent), f"token_{state}")
    assert chat.scopes == []


async def test_a_token_in_the_url_does_not_count(talking: Service, chat: Chat) -> None:
    tokens = await talking.login()
    for name in ("token", "access_token", "authorization"):
        assert await handshake(talking.app, f"/chat?{name}={tokens.access}") == CLOSED
    assert chat.scopes == []


async def test_accepted_with_a_token(talking: Service, chat: Chat) -> None:
    sent = await handshake(talking.app, "/chat", headers=(await talking.login()).bearer)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert sent[1]["text"] == "alice"
    assert list(chat.scopes[0]["auth"].scopes) == ["authenticated", "read", "write"]
    assert chat.scopes[0]["user"].token.claims["plan"] == "pro"


async def test_a_public_path_is_open_to_everybody(talking: Service) -> None:
    for headers in ({}, {"authorization": "Bearer made.up.token"}):
        sent = await handshake(talking.app, "/lobby", headers=headers)
        assert sent[1]["text"] == "anonymous"
    sent = await handshake(talking.app, "/lobby", headers=(await talking.login()).bearer)
    assert sent[1]["text"] == "alice"
    assert await handshake(talking.app, "/lobby/") == CLOSED


async def test_optional(make_service: Callable[..., Service], chat: Chat) -> None:
    service = make_service(app=chat, required=False)
    assert (await handshake(service.app, "/chat"))[1]["text"] == "anonymous"
    assert await handshake(service.app, "/chat", headers={"authorization": "Bearer x"}) == CLOSED


async def test_the_mounted_routes_are_no_sockets(talking: Service, chat: Chat) -> None:
    for path in ("/auth/refresh", "/auth/login", "/auth/jwks.json"):
        assert await handshake(talking.app, path) == CLOSED
    assert chat.scopes == []


async def test_a_store_that_cannot_be_opened(talking: Service, chat: Chat) -> None:
    talking.store.failure = OSError()
    sent = await handshake(talking.app, "/lobby", extensions=RESPONSE)
    assert_problem(problem(sent), "store_unavailable")
    assert (await handshake(talking.app, "/lobby"))[0]["type"] == "websocket.close"
    assert chat.scopes == []


async def test_the_answer_names_no_token(talking: Service) -> None:
    tokens = await talking.login()
    forged = tokens.access[:-6] + "AAAAAA"
    sent = await handshake(talking.app, "/c", headers={"authorization": f"Bearer {forged}"}, extensions=RESPONSE)
    assert forged[-40:] not in str(sent)
    assert json.loads(problem(sent).body)["detail"] == "The access token is not valid here; refresh it."
