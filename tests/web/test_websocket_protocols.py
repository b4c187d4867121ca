"""The access token as a sub-protocol: where it is read, what the app sees of it, and what is answered."""

from collections.abc import Callable
from typing import Any

import pytest

from .asgi import Reply
from .problems import assert_problem
from .sockets.talking import RESPONSE, App, Talk
from .support import Service

HEADER = b"sec-websocket-protocol"


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def service(make_service: Callable[..., Service], app: App) -> Service:
    return make_service(app=app, public=["/lobby"])


def protocols_in(scope: dict[str, Any]) -> tuple[list[str], list[bytes]]:
    return scope["subprotocols"], [value for name, value in scope["headers"] if name == HEADER]


@pytest.mark.parametrize("listed", [True, False], ids=["in_the_headers", "not_in_the_headers"])
@pytest.mark.parametrize(
    ("before", "after"),
    [([], []), ([], ["chat"]), (["chat"], []), (["chat", "v2"], ["v3"])],
    ids=len,
)
async def test_the_member_behind_bearer_is_the_token_and_the_app_sees_neither(
    service: Service, app: App, before: list[str], after: list[str], listed: bool
) -> None:
    token = (await service.login()).access
    talk = Talk(service.app, protocols=[*before, "bearer", token, *after], listed=listed)
    server_scope = dict(talk.scope)
    assert (await talk.accepted())["subprotocol"] == "bearer"
    assert await talk.echo() == "alice: hello"
    others = [*before, *after]
    assert protocols_in(app.scopes[0]) == (others, [", ".join(others).encode()] if others else [])
    assert token not in str({**app.scopes[0], "user": None, "auth": None})
    assert talk.scope == server_scope, "the scope is the server's and stays as it was"
    await talk.leave()


async def test_several_headers_are_all_taken_away(service: Service, app: App) -> None:
    token = (await service.login()).access
    headers = [("sec-websocket-protocol", "bearer"), ("sec-websocket-protocol", f"{token}, chat")]
    talk = Talk(service.app, "/chat", headers, ["bearer", token, "chat"], listed=False)
    await talk.accepted()
    assert protocols_in(app.scopes[0]) == (["chat"], [b"chat"])
    await talk.leave()


@pytest.mark.parametrize(
    ("accept", "answer"),
    [({}, "bearer"), ({"subprotocol": None}, "bearer"), ({"subprotocol": ""}, "bearer"), ({"subprotocol": "v2"}, "v2")],
    ids=["nothing", "none", "empty", "one_of_its_own"],
)
async def test_what_is_answered(make_service: Callable[..., Service], accept: dict[str, Any], answer: str) -> None:
    service = make_service(app=App(**accept))
    talk = Talk(service.app, protocols=["bearer", (await service.login()).access, "v1", "v2"])
    assert (await talk.accepted())["subprotocol"] == answer
    await talk.leave()


async def test_a_protocol_that_the_app_answers_by_a_header_of_its_own(make_service: Callable[..., Service]) -> None:
    service = make_service(app=App(headers=[(HEADER, b"v2")]))
    talk = Talk(service.app, protocols=["bearer", (await service.login()).access, "v2"])
    assert await talk.accepted() == {"type": "websocket.accept", "headers": [(HEADER, b"v2")]}
    await talk.leave()


async def test_who_did_not_offer_bearer_is_not_answered_with_it(service: Service, app: App) -> None:
    talk = Talk(service.app, "/chat", (await service.login()).bearer, ["chat", "Bearer"])
    assert await talk.accepted() == {"type": "websocket.accept"}
    assert protocols_in(app.scopes[0]) == (["chat", "Bearer"], [b"chat, Bearer"])
    await talk.leave()


MALFORMED = [["bearer"], ["chat", "bearer"], ["bearer", "bearer"], ["bearer", "x", "bearer"], ["bearer", ""]]


async def refused(talk: Talk) -> Reply:
    start, body = await talk.said(), await talk.said()
    await talk.over()
    return Reply(start["status"], tuple(start["headers"]), body["body"])


@pytest.mark.parametrize("protocols", MALFORMED, ids=" ".join)
async def test_bearer_without_a_token_or_twice(service: Service, app: App, protocols: list[str]) -> None:
    if protocols[-1] == "bearer" and len(protocols) == 3:
        protocols = ["bearer", (await service.login()).access, "bearer"]
    assert_problem(await refused(Talk(service.app, protocols=protocols, extensions=RESPONSE)), "token_malformed")
    assert app.scopes == []
    public = Talk(service.app, "/lobby", protocols=protocols)
    assert (await public.accepted())["subprotocol"] == "bearer", "a browser hangs up on a server that chooses none"
    assert "bearer" not in str(protocols_in(app.scopes[0]))
    assert await public.echo() == "anonymous: hello"
    await public.leave()


@pytest.mark.parametrize(
    "other", ["Bearer {token}", "bearer  {token}", "Bearer made.up.token", "Bearer", "", "Bearer a b"]
)
async def test_a_header_and_a_protocol_are_one_token_too_many(service: Service, other: str) -> None:
    token = (await service.login()).access
    headers = {"authorization": other.format(token=token)}
    talk = Talk(service.app, "/chat", headers, ["bearer", token], extensions=RESPONSE)
    assert_problem(await refused(talk), "token_malformed")


async def test_a_header_of_another_scheme_is_no_token(service: Service) -> None:
    """A browser adds it by itself where a page is behind a password of the web server's."""
    token = (await service.login()).access
    talk = Talk(service.app, "/chat", {"authorization": "Basic eDp5"}, ["bearer", token])
    await talk.accepted()
    await talk.leave()


@pytest.mark.parametrize(
    ("token", "code"),
    [("made.up.token", "token_invalid"), ("ü", "token_invalid"), ("☃", "token_invalid"), ("a b", "token_malformed")],
)
async def test_a_protocol_that_is_no_token(service: Service, token: str, code: str) -> None:
    talk = Talk(service.app, protocols=["bearer", token], listed=False, extensions=RESPONSE)
    assert_problem(await refused(talk), code)


async def test_a_dead_token_on_a_public_path_is_nobody_and_is_not_shown(service: Service, app: App) -> None:
    tokens = await service.login()
    await service.issuer.logout(tokens.refresh)
    talk = Talk(service.app, "/lobby", protocols=["bearer", tokens.access])
    assert (await talk.accepted())["subprotocol"] == "bearer"
    assert await talk.echo() == "anonymous: hello"
    assert tokens.access not in str(app.scopes[0])
    await talk.leave()


async def test_never_from_the_url(service: Service, app: App) -> None:
    token = (await service.login()).access
    for query in (f"token={token}", f"access_token={token}", f"bearer={token}", token):
        talk = Talk(service.app, f"/chat?{query}", extensions=RESPONSE)
        assert_problem(await refused(talk), "token_missing")
    assert app.scopes == []
