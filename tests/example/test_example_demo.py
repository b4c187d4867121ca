"""What the buttons of the page call: only ever about the session that pressed them."""

import logging
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from example_app import demo
from example_app.app import create_app
from example_app.settings import Settings
from jwt_refresh_middleware.events import Rotated

PASSWORD = "correct horse battery"
COOKIE = "__Host-refresh_token"
BUTTONS = [("GET", "counts"), *(("POST", name) for name in ("expire", "lose-next-refresh", "steal", "thief", "phone"))]


@pytest.fixture
def client(tmp_path):
    given = {"DATABASE": str(tmp_path / "example.db"), "AUTH_SECRET": "s" * 32}
    with TestClient(create_app(Settings.from_environment(given)), base_url="https://testserver") as client:
        yield client


@pytest.fixture
def other(client):
    return TestClient(client.app, base_url="https://testserver")


def bearer(answer):
    assert answer.status_code == 200, answer.text
    return {"Authorization": answer.headers["authorization"]}


def register(client, username="ada"):
    return bearer(client.post("/auth/register", json={"username": username, "password": PASSWORD}))


def login(client, username="ada"):
    return bearer(client.post("/auth/login", json={"username": username, "password": PASSWORD}))


def refresh(client):
    return bearer(client.post("/auth/refresh"))


def code_of(answer):
    return answer.status_code, answer.json().get("code")


@pytest.mark.parametrize(("method", "name"), BUTTONS)
def test_every_button_needs_an_access_token(client, method, name):
    register(client)
    assert COOKIE in client.cookies
    assert code_of(client.request(method, f"/demo/{name}")) == (401, "token_missing")


def test_nothing_is_played_until_a_button_is_pressed(client, monkeypatch):
    begun = []
    monkeypatch.setattr(demo.Stage, "of", lambda _stage, session_id: begun.append(session_id))
    headers = register(client)
    for _ in range(3):
        headers = refresh(client)
        assert client.get("/api/me", headers=headers).status_code == 200
    login(client)
    assert client.get("/auth/sessions", headers=headers).status_code == 200
    assert client.post("/auth/logout").status_code == 200
    assert begun == []


# Expire


def test_an_expired_token_is_refused_like_any_other_and_renewed(client):
    headers = register(client)
    assert client.post("/demo/expire", headers=headers).status_code == 204
    answer = client.get("/api/me", headers=headers)
    assert code_of(answer) == (401, "token_expired")
    assert answer.json()["action"] == "refresh"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert client.get("/api/me", headers=refresh(client)).status_code == 200
    assert client.get("/api/me", headers=headers).status_code == 401


def test_no_other_session_is_expired(client, other):
    headers, phone = register(client), login(other)
    client.post("/demo/expire", headers=headers)
    assert other.get("/api/me", headers=phone).status_code == 200
    assert other.get("/api/me", headers=register(other, "bob")).status_code == 200


# Lose an answer


def test_a_lost_answer_is_lost_once_and_can_be_had_again(client):
    headers = register(client)
    assert client.post("/demo/lose-next-refresh", headers=headers).status_code == 204
    before = client.cookies[COOKIE]
    lost = client.post("/auth/refresh")
    assert (lost.content, lost.headers["content-length"]) == (b"", "1")
    assert "set-cookie" not in lost.headers
    assert "authorization" not in lost.headers
    assert client.cookies[COOKIE] == before
    headers = refresh(client)
    assert client.cookies[COOKIE] != before
    assert client.get("/api/me", headers=headers).status_code == 200
    assert client.get("/demo/counts", headers=headers).json() == {"rotated": 1, "repeated": 1}


def test_no_other_session_loses_an_answer(client, other):
    client.post("/demo/lose-next-refresh", headers=register(client))
    register(other, "bob")
    assert other.post("/auth/refresh").status_code == 200
    login(other)
    assert other.post("/auth/refresh").status_code == 200
    assert client.post("/auth/refresh").content == b""


@pytest.mark.parametrize("cookie", [None, "x", f"{COOKIE}=x", f"{COOKIE}=x; {COOKIE}=y"])
def test_a_refresh_without_a_token_of_ours_is_answered_as_ever(client, other, cookie):
    client.post("/demo/lose-next-refresh", headers=register(client))
    answer = other.post("/auth/refresh", headers={"Cookie": cookie} if cookie else {})
    assert answer.json()["code"] in ("refresh_missing", "refresh_invalid", "invalid_request")


# Steal


def test_the_thief_is_refused_then_caught(client, other):
    headers = register(client)
    bystander = login(other)
    assert client.post("/demo/steal", headers=headers).status_code == 204
    attempt = client.post("/demo/thief", headers=headers)
    assert attempt.json() == {"status": 401, "code": "device_mismatch", "session_ended": False}
    headers = refresh(client)
    assert client.get("/api/me", headers=headers).status_code == 200
    attempt = client.post("/demo/thief", headers=headers)
    assert attempt.json() == {"status": 401, "code": "refresh_invalid", "session_ended": True}
    assert code_of(client.get("/api/me", headers=headers)) == (401, "token_revoked")
    assert code_of(client.post("/auth/refresh")) == (401, "refresh_invalid")
    assert other.get("/api/me", headers=bystander).status_code == 200
    assert other.post("/auth/refresh").status_code == 200


@pytest.mark.parametrize("name", ["ada", "bob"])
def test_a_token_of_another_session_cannot_be_stolen(client, other, name):
    """Neither another person's, nor one's own on another device."""
    headers = register(client)
    register(other, "bob")
    login(other, name)
    theirs = other.cookies[COOKIE]
    client.cookies.clear()
    answer = client.post("/demo/steal", headers={**headers, "Cookie": f"{COOKIE}={theirs}"})
    assert code_of(answer) == (409, "conflict")
    assert code_of(client.post("/demo/thief", headers=headers)) == (409, "conflict")
    assert other.post("/auth/refresh").status_code == 200


def test_what_one_session_stole_no_other_can_use(client, other):
    headers = register(client)
    client.post("/demo/steal", headers=headers)
    refresh(client)
    assert code_of(other.post("/demo/thief", headers=login(other))) == (409, "conflict")
    assert code_of(other.post("/demo/thief", headers=register(other, "bob"))) == (409, "conflict")
    assert client.post("/auth/refresh").status_code == 200


@pytest.mark.parametrize("cookie", ["", f"{COOKIE}=", f"{COOKIE}=x", f"{COOKIE}=x; {COOKIE}=y"])
def test_there_may_be_nothing_to_steal(client, cookie):
    headers = register(client)
    client.cookies.clear()
    assert code_of(client.post("/demo/steal", headers={**headers, "Cookie": cookie})) == (409, "conflict")


def test_no_token_is_shown_or_logged(client, caplog):
    with caplog.at_level(logging.DEBUG):
        headers = register(client)
        stolen = client.cookies[COOKIE]
        answers = [client.post("/demo/steal", headers=headers), client.post("/demo/thief", headers=headers)]
        headers = refresh(client)
        current = client.cookies[COOKIE]
        answers.append(client.post("/demo/thief", headers=headers))
    assert "reuse_detected" in caplog.text
    said = caplog.text + "".join(answer.text + str(answer.headers) for answer in answers)
    assert stolen not in said
    assert current not in said
    assert headers["Authorization"][7:] not in said
    play = demo.Stage().of("session")
    play.stolen = "the token"
    assert "the token" not in repr(play)


# The phone


def test_the_phone_logs_in_once_and_out_with_the_rest(client):
    headers = register(client)
    for _ in range(3):
        assert client.post("/demo/phone", headers=headers).status_code == 204
    sessions = client.get("/auth/sessions", headers=headers).json()["sessions"]
    assert sorted(session["ip"] for session in sessions) == ["198.51.100.7", "testclient"]
    assert client.post("/auth/logout", json={"all": True}, headers=headers).status_code == 200
    assert code_of(client.get("/api/me", headers=headers)) == (401, "token_revoked")
    sessions = client.get("/auth/sessions", headers=login(client)).json()["sessions"]
    assert [session["ip"] for session in sessions] == ["testclient"]


# The stage


async def test_the_stage_forgets_who_played_longest_ago():
    stage = demo.Stage()
    first = stage.of("0")
    for number in range(1, 300):
        stage.of(str(number))
        assert stage.of("0") is first
    assert stage.running("1") is None
    assert stage.running("299") is not None
    for number in range(100):
        first.expired.append(str(number))
    assert len(first.expired) == 8


async def test_only_who_plays_is_counted():
    stage = demo.Stage()
    await stage.count(Rotated(at=0, session_id="a", generation=1))
    assert stage.running("a") is None
    play = stage.of("a")
    await stage.count(Rotated(at=0, session_id="a", generation=2))
    await stage.count(Rotated(at=0, session_id=None, generation=2))
    assert play.counts == {"rotated": 1}


async def test_other_connections_pass():
    seen = []

    async def app(scope, _receive, _send):
        seen.append(scope["type"])

    stage = demo.Stage()
    for wrapped in (demo.Expiring(app, stage), demo.Losing(app, stage, SimpleNamespace(), SimpleNamespace())):
        await wrapped({"type": "lifespan"}, None, None)
        await wrapped({"type": "websocket"}, None, None)
    assert seen == ["lifespan", "websocket"] * 2
