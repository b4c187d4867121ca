"""Who is asking, as a dependency: in handlers, routers and WebSocket endpoints, and in users' own tests."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from starlette.authentication import SimpleUser
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.testclient import WebSocketDenialResponse

from jwt_refresh_middleware import AccessToken, Issuer, JWTRefreshMiddleware, MemoryStore, Verifier
from jwt_refresh_middleware.fastapi import (
    CurrentToken,
    CurrentUser,
    OptionalToken,
    current_token,
    current_user,
    optional_token,
    require_scopes,
    verified_token,
)
from tests.web.problems import assert_problem
from tests.web.support import NEVER, PASSWORD, SECRET

from .support import as_reply, guarded, log_in, options, visiting

Anybody = Annotated[AccessToken, Security(current_token, scopes=["read"])]


def app_of(app: FastAPI) -> FastAPI:
    """Every way to ask who is asking."""

    @app.get("/token")
    async def token(token: CurrentToken) -> dict[str, Any]:
        return {"who": token.subject, "scopes": token.scopes}

    @app.get("/user")
    def user(user: CurrentUser) -> dict[str, Any]:
        return {"who": user.identity, "is": user.is_authenticated, "name": user.display_name}

    @app.get("/open")
    async def public(token: CurrentToken) -> str:
        return token.subject

    @app.get("/optional")
    def optional(token: OptionalToken) -> str:
        return token.subject if token else "nobody"

    @app.get("/reads")
    async def reads(token: Anybody) -> str:
        return token.subject

    return app


@pytest.fixture
def client():
    with visiting(guarded(app_of(FastAPI()))) as client:
        yield client


def test_handlers_are_told_who_is_asking(client):
    token = log_in(client)
    assert client.get("/token", headers=token).json() == {"who": "alice", "scopes": ["read", "write"]}
    assert client.get("/user", headers=token).json() == {"who": "alice", "is": True, "name": "alice"}
    assert client.get("/open", headers=token).json() == "alice"
    assert client.get("/optional", headers=token).json() == "alice"


def test_the_token_is_the_one_that_the_middleware_has_verified(client):
    seen = []
    app = client.app

    @app.get("/same")
    async def same(connection_token: CurrentToken, user: CurrentUser, token: OptionalToken) -> bool:
        seen.extend([connection_token, user.token, token])
        return True

    token = log_in(client)
    assert client.get("/same", headers=token).json() is True
    assert client.get("/same", headers=token).json() is True
    assert len({id(one) for one in seen}) == 1


def test_a_public_handler_that_wants_to_know_refuses_the_anonymous(client):
    assert_problem(as_reply(client.get("/open")), "token_missing")
    assert client.get("/optional").json() == "nobody"


def test_a_bad_token_on_a_public_path_is_to_be_refreshed(client):
    bad = {"Authorization": "Bearer not-a-token"}
    assert_problem(as_reply(client.get("/open", headers=bad)), "token_invalid")
    assert client.get("/optional", headers=bad).json() == "nobody"
    two = [("Authorization", "Bearer one"), ("Authorization", "Bearer two")]
    assert_problem(as_reply(client.get("/open", headers=two)), "token_malformed")


def test_with_the_refresh_cookie_the_anonymous_are_told_to_refresh(client):
    answer = client.post("/auth/login", json={"username": "bob", "password": PASSWORD})
    assert answer.status_code == 200
    assert_problem(as_reply(client.get("/open")), "token_missing", action="refresh")
    assert_problem(as_reply(client.get("/token")), "token_missing", action="refresh")


def test_without_required_only_the_dependency_refuses():
    with visiting(guarded(app_of(FastAPI()), required=False, public=())) as client:
        assert client.get("/optional").json() == "nobody"
        assert_problem(as_reply(client.get("/token")), "token_missing")
        assert_problem(as_reply(client.get("/optional", headers={"Authorization": "Bearer x"})), "token_invalid")
        assert client.get("/token", headers=log_in(client)).status_code == 200


@pytest.mark.parametrize("wrap", ["inside", "outside", "around the parent"])
def test_wherever_the_middleware_is(wrap):
    inner = app_of(FastAPI())
    if wrap == "inside":
        app: Any = guarded(inner, required=False)
    elif wrap == "outside":
        app = JWTRefreshMiddleware(inner, **options(required=False))
    else:
        app = guarded(required=False)
        app.mount("/sub", inner)
    at = "/sub" if wrap == "around the parent" else ""
    with visiting(app) as client:
        assert_problem(as_reply(client.get(at + "/token")), "token_missing")
        assert_problem(as_reply(client.get(at + "/reads", headers=log_in(client, "bob"))), "insufficient_scope")
        assert client.get(at + "/reads", headers=log_in(client)).json() == "alice"


def test_a_gateway_has_the_same_dependencies():
    issuer = Issuer(SECRET, MemoryStore(), sync_interval=NEVER)
    app = app_of(FastAPI())
    app.add_middleware(JWTRefreshMiddleware, verifier=Verifier(SECRET), public=["/open"])
    with visiting(app) as client, visiting(JWTRefreshMiddleware(FastAPI(), **options(issuer=issuer))) as centre:
        assert_problem(as_reply(client.get("/open")), "token_missing")
        assert client.get("/user", headers=log_in(centre)).json()["who"] == "alice"


@pytest.mark.parametrize("path", ["/token", "/user", "/optional", "/reads"])
def test_without_the_middleware_it_says_so(path):
    with visiting(app_of(FastAPI())) as client, pytest.raises(RuntimeError, match="need JWTRefreshMiddleware"):
        client.get(path)


def test_a_user_that_somebody_else_has_set_is_not_taken_for_ours():
    async def replace(request, call_next):
        request.scope["user"] = SimpleUser("mallory")
        return await call_next(request)

    app = app_of(FastAPI())
    app.add_middleware(BaseHTTPMiddleware, dispatch=replace)
    guarded(app)
    with visiting(app) as client, pytest.raises(RuntimeError, match=r"request\.user was replaced"):
        client.get("/user", headers=log_in(client))


# Scopes


def scoped() -> FastAPI:
    router = APIRouter(prefix="/notes", dependencies=[Security(current_token, scopes=["read"])])

    @router.get("")
    async def listed() -> int:
        return 1

    @router.post("")
    def added(user: Annotated[Any, Security(current_user, scopes=["write"])]) -> str:
        return user.identity

    async def inner(token: Annotated[AccessToken, Security(current_token, scopes=["admin"])]) -> str:
        return token.subject

    @router.delete("")
    async def deleted(who: Annotated[str, Security(inner, scopes=["write"])]) -> str:
        return who

    app = guarded()
    app.include_router(router)

    @app.get("/both", dependencies=[Depends(require_scopes("read", "write"))])
    async def both() -> int:
        return 2

    @app.get("/more")
    async def more(token: Annotated[AccessToken, Depends(require_scopes("read", "more"))]) -> str:
        return token.subject

    return app


def test_scopes_of_routers_handlers_and_dependencies_are_all_needed():
    with visiting(scoped()) as client:
        alice, bob = log_in(client), log_in(client, "bob")
        assert client.get("/notes", headers=alice).json() == 1
        assert client.post("/notes", headers=alice).json() == "alice"
        assert client.get("/both", headers=alice).json() == 2
        assert_problem(as_reply(client.get("/notes", headers=bob)), "insufficient_scope")
        assert_problem(as_reply(client.get("/notes")), "token_missing")


def test_the_challenge_names_every_scope_that_is_needed():
    with visiting(scoped()) as client:
        alice = log_in(client)
        refused = client.delete("/notes", headers=alice)
        assert_problem(as_reply(refused), "insufficient_scope")
        assert 'scope="write admin"' in refused.headers["www-authenticate"]
        assert 'scope="read more"' in client.get("/more", headers=alice).headers["www-authenticate"]


# WebSockets


def socket_app() -> FastAPI:
    app = guarded(required=False)

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, user: CurrentUser) -> None:
        await websocket.accept()
        await websocket.send_text(user.identity)
        await websocket.close()

    @app.websocket("/reads")
    async def reads(websocket: WebSocket, token: Anybody) -> None:
        await websocket.accept()
        await websocket.send_text(token.subject)
        await websocket.close()

    return app


def test_a_websocket_endpoint_is_told_too():
    with visiting(socket_app()) as client:
        alice = log_in(client)
        for path in ("/socket", "/reads"):
            with client.websocket_connect(path, headers=alice) as socket:
                assert socket.receive_text() == "alice"


def test_a_websocket_is_refused_before_it_is_accepted():
    with visiting(socket_app()) as client:
        refusals = [("/socket", {}, "token_missing"), ("/reads", log_in(client, "bob"), "insufficient_scope")]
        for path, headers, code in refusals:
            with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(path, headers=headers):
                pass
            assert refused.value.json()["code"] == code


# In users' own tests


def somebody(*scopes: str) -> AccessToken:
    return AccessToken(
        subject="test",
        session_id=None,
        scopes=scopes,
        issued_at=0,
        expires_at=1,
        token_id="1",
        auth_time=None,
        generation=None,
        claims={},
    )


def test_one_override_is_enough_and_scopes_are_still_checked():
    app = app_of(FastAPI())
    app.dependency_overrides[verified_token] = lambda: somebody("write")
    app.dependency_overrides[optional_token] = lambda: None
    with visiting(app) as client:
        assert client.get("/token").json()["who"] == "test"
        assert client.get("/user").json()["who"] == "test"
        assert client.get("/optional").json() == "nobody"
        with pytest.raises(Exception, match="insufficient_scope"):
            client.get("/reads")
        app.dependency_overrides[current_token] = lambda: somebody("other")
        assert client.get("/reads").json() == "test"
