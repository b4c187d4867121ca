"""Step-up as a dependency: how long ago, and how well, somebody has authenticated (RFC 9470)."""

from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, WebSocket
from starlette.testclient import WebSocketDenialResponse

from jwt_refresh_middleware import AccessToken, Issuer, JWTRefreshMiddleware, MemoryStore
from jwt_refresh_middleware.fastapi import require_acr, require_fresh
from tests.unit import tokens
from tests.web.problems import assert_problem
from tests.web.support import NEVER, PASSWORD, SECRET, Clock

from .support import as_reply, guarded, log_in, visiting


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def issuer(clock):
    long = timedelta(days=1)
    return Issuer(SECRET, MemoryStore(), access_ttl=long, clock=clock, sync_interval=NEVER)


@pytest.fixture
def client(issuer, clock):
    app = guarded(issuer=issuer)

    @app.post("/pay")
    async def pay(token: Annotated[AccessToken, Depends(require_fresh(max_age=300, clock=clock))]) -> str:
        return token.subject

    with visiting(app) as client:
        yield client


def test_fresh_until_the_very_second(client, clock):
    token = log_in(client)
    clock.advance(300)
    assert client.post("/pay", headers=token).json() == "alice"
    clock.advance(1)
    refused = client.post("/pay", headers=token)
    assert_problem(as_reply(refused), "step_up_required")
    assert refused.json()["max_age"] == 300
    assert 'max_age="300"' in refused.headers["www-authenticate"]


def test_a_refresh_makes_nobody_fresh(client, clock):
    answer = client.post("/auth/login", json={"username": "alice", "password": PASSWORD})
    assert answer.status_code == 200
    clock.advance(301)
    refreshed = client.post("/auth/refresh").json()["access_token"]
    refused = client.post("/pay", headers={"Authorization": f"Bearer {refreshed}"})
    assert_problem(as_reply(refused), "step_up_required")


@pytest.fixture
def gateway():
    app = FastAPI()
    app.add_middleware(JWTRefreshMiddleware, verifier=tokens.verifier(Clock()))

    @app.post("/sign", dependencies=[Depends(require_acr("urn:example:gold", "urn:example:silver"))])
    async def sign() -> int:
        return 1

    @app.post("/pay", dependencies=[Depends(require_fresh(max_age=10**9, clock=Clock()))])
    async def pay() -> int:
        return 2

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, token: Annotated[AccessToken, Depends(require_acr("urn:example:gold"))]):
        await websocket.accept()
        await websocket.send_text(token.subject)
        await websocket.close()

    with visiting(app) as client:
        yield client


def test_a_socket_is_refused_before_it_is_accepted(gateway):
    with gateway.websocket_connect("/socket", headers=signed(acr="urn:example:gold")) as connection:
        assert connection.receive_text() == "ann"
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        gateway.websocket_connect("/socket", headers=signed()),
    ):
        raise AssertionError("it was accepted")
    assert_problem(as_reply(refused.value), "step_up_required")
    assert refused.value.json()["acr_values"] == "urn:example:gold"


def test_one_of_several_contexts_is_enough(gateway):
    assert gateway.post("/sign", headers=signed(acr="urn:example:silver")).json() == 1


@pytest.mark.parametrize(
    "acr", [None, "urn:example:bronze", "urn:example:gold urn:example:silver", ["urn:example:gold"], 1]
)
def test_any_other_context_is_not(gateway, acr):
    refused = gateway.post("/sign", headers=signed(acr=acr))
    assert_problem(as_reply(refused), "step_up_required")
    assert refused.json()["acr_values"] == "urn:example:gold urn:example:silver"
    assert 'acr_values="urn:example:gold urn:example:silver"' in refused.headers["www-authenticate"]


def test_a_token_that_does_not_say_when_is_not_fresh(gateway):
    assert gateway.post("/pay", headers=signed()).json() == 2
    assert_problem(as_reply(gateway.post("/pay", headers=signed(auth_time=None))), "step_up_required")


def signed(**claims):
    return {"Authorization": f"Bearer {tokens.token(**claims)}"}


@pytest.mark.parametrize("max_age", [0, -1])
def test_what_nobody_could_be(max_age):
    with pytest.raises(ValueError, match="at least 1 s"):
        require_fresh(max_age=max_age)


@pytest.mark.parametrize("values", [(), ("",), ("two words",), ('a"b',), ("a\\b",), ("ü",), ("gold", "")])
def test_what_cannot_be_asked_for(values):
    with pytest.raises(ValueError, match="acr is printable ASCII"):
        require_acr(*values)
