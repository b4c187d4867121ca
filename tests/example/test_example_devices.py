"""Networks, devices and guessed passwords over HTTP, with nothing but what the page sends, too."""

import sqlite3

import pytest
from starlette.testclient import TestClient

from example_app.app import create_app
from example_app.presets import POLICIES, Noticed
from example_app.settings import Settings
from jwt_refresh_middleware.events import DeviceMismatched, Rotated

PASSWORD = "correct horse battery"
HERE, ELSEWHERE = {"X-Forwarded-For": "192.0.2.10"}, {"X-Forwarded-For": "198.51.100.7"}


@pytest.fixture
def app(tmp_path):
    given = {"DATABASE": str(tmp_path / "example.db"), "AUTH_SECRET": "s" * 32}
    return create_app(Settings.from_environment(given))


@pytest.fixture
def client(app):
    with visitor(app) as client:
        yield client


def visitor(app, peer="127.0.0.1"):
    return TestClient(app, base_url="https://testserver", client=(peer, 50000))


def register(client, username="ada"):
    answer = client.post("/auth/register", json={"username": username, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"Authorization": answer.headers["authorization"]}


def code_of(answer):
    return answer.status_code, answer.json().get("code")


# The password again


@pytest.fixture
def long_ago(tmp_path):
    """Makes it an hour since everybody logged in."""

    def happen():
        database = sqlite3.connect(tmp_path / "example.db")
        with database:
            database.execute("UPDATE jwt_refresh_sessions SET created_at = created_at - 3600")
        database.close()

    return happen


def refresh(client):
    answer = client.post("/auth/refresh")
    assert answer.status_code == 200, answer.text
    return {"Authorization": answer.headers["authorization"]}


def test_only_who_has_just_given_the_password_deletes_an_account(client, long_ago):
    register(client)
    long_ago()
    headers = refresh(client)
    refused = client.delete("/auth/account", headers=headers)
    assert code_of(refused) == (401, "step_up_required")
    assert (refused.json()["action"], refused.json()["max_age"]) == ("step_up", 60)
    assert client.get("/api/me", headers=headers).status_code == 200

    for wrong in ({"username": "ada", "password": "wrong password"}, {"username": "bob", "password": PASSWORD}):
        assert code_of(client.post("/auth/step-up", json=wrong)) == (401, "invalid_credentials")
    assert client.delete("/auth/account", headers=refresh(client)).status_code == 401

    proven = client.post("/auth/step-up", json={"username": "ada", "password": PASSWORD})
    assert proven.status_code == 200
    headers = {"Authorization": proven.headers["authorization"]}
    assert client.delete("/auth/account", headers=headers).status_code == 200
    assert code_of(client.get("/api/me", headers=headers)) == (401, "token_revoked")


def test_somebody_elses_password_proves_nothing(app, client, long_ago):
    register(client)
    register(visitor(app), "bob")
    long_ago()
    theirs = client.post("/auth/step-up", json={"username": "bob", "password": PASSWORD})
    assert code_of(theirs) == (401, "invalid_credentials")
    assert code_of(client.delete("/auth/account", headers=refresh(client))) == (401, "step_up_required")


def test_two_networks_at_once_cost_the_password(client):
    register(client)
    assert code_of(client.post("/auth/refresh", headers=ELSEWHERE)) == (401, "step_up_required")
    assert code_of(client.post("/auth/refresh")) == (401, "step_up_required"), "nobody knows which of them it was"
    spent = client.cookies["__Host-refresh_token"]
    proven = client.post("/auth/step-up", json={"username": "ada", "password": PASSWORD})
    assert proven.status_code == 200
    headers = refresh(client)
    assert client.get("/api/me", headers=headers).status_code == 200
    with_the_copy = client.post("/auth/refresh", json={"refresh_token": spent}, headers={**ELSEWHERE, "Cookie": ""})
    assert code_of(with_the_copy) == (401, "refresh_invalid")


def test_a_move_that_is_none_at_once_costs_nothing(client, tmp_path):
    """The session was used at home some minutes ago, then from the train."""
    register(client)
    database = sqlite3.connect(tmp_path / "example.db")
    with database:
        database.execute("UPDATE jwt_refresh_sessions SET last_used_at = last_used_at - 300")
    database.close()
    assert client.post("/auth/refresh", headers=ELSEWHERE).status_code == 200


# A new network under each policy


@pytest.mark.parametrize(
    ("name", "elsewhere", "noticed"),
    [
        ("roaming", (200, None), ["device_changed"]),
        ("strict", (401, "device_mismatch"), ["device_mismatch"]),
        ("off", (200, None), []),
        ("step_up", (401, "step_up_required"), ["step_up_required"]),
    ],
)
def test_a_change_of_network_under_each_policy(client, name, elsewhere, noticed):
    register(client)
    little = f"/demo/presets/{name}/auth"
    assert client.post(f"{little}/login", headers=HERE).status_code == 200
    assert client.post(f"{little}/refresh", headers=HERE).status_code == 200
    assert client.get(f"{little}/noticed").json() == []
    assert code_of(client.post(f"{little}/refresh", headers=ELSEWHERE)) == elsewhere
    assert client.get(f"{little}/noticed").json() == noticed
    assert code_of(client.post(f"{little}/refresh", headers=HERE)) == (200, None)
    assert client.post(f"{little}/logout", headers=HERE).status_code == 200
    assert client.get(f"{little}/noticed").json() == []
    assert [*client.cookies] == ["__Host-refresh_token"]
    assert client.post("/auth/refresh").status_code == 200, "the session of the notes is none of their business"


def test_the_policies_are_the_presets_and_one_more():
    assert [*POLICIES] == ["roaming", "strict", "off", "step_up"]


@pytest.mark.parametrize("name", POLICIES)
def test_only_who_is_logged_in_may_play(client, name):
    answer = client.post(f"/demo/presets/{name}/auth/login", headers=HERE)
    assert code_of(answer) == (401, "refresh_missing")
    assert "set-cookie" not in answer.headers
    register(client)
    assert client.post("/auth/logout").status_code == 200
    assert code_of(client.post(f"/demo/presets/{name}/auth/login", headers=HERE)) == (401, "refresh_missing")


def test_a_token_of_a_little_app_opens_nothing_of_the_notes(client):
    register(client)
    entered = client.post("/demo/presets/off/auth/login", headers=HERE)
    theirs = {"Authorization": entered.headers["authorization"]}
    assert code_of(client.get("/api/me", headers=theirs)) == (401, "token_invalid")
    assert entered.headers["set-cookie"].startswith("__Secure-preset=")
    assert "HttpOnly; Secure; SameSite=Strict; Path=/demo/presets/off;" in entered.headers["set-cookie"]


async def test_what_was_noticed_longest_ago_is_forgotten():
    noticed = Noticed()
    for number in range(300):
        await noticed.note(DeviceMismatched(at=0, session_id=str(number)))
    await noticed.note(Rotated(at=0, session_id="299", generation=1))
    await noticed.note(DeviceMismatched(at=0))
    assert noticed.of("43") == noticed.of(None) == []
    assert noticed.of("44") == noticed.of("299") == ["device_mismatch"]


# Where requests come from


def test_the_list_of_devices_says_where_they_are(client):
    headers = register(client)
    client.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
    client.post("/auth/login", json={"username": "ada", "password": PASSWORD}, headers=ELSEWHERE)
    here, elsewhere = client.get("/auth/sessions", headers=headers).json()["sessions"]
    assert (here["ip"], here["place"]) == ("127.0.0.1", None)
    assert (elsewhere["ip"], elsewhere["place"]) == ("198.51.100.7", "Atlantis (invented)")
    assert elsewhere["device"] == "Firefox on Linux"


@pytest.mark.parametrize("peer", ["203.0.113.5", "10.0.0.1", "testclient"])
def test_nobody_else_is_believed(app, client, peer):
    register(client)
    stranger = visitor(app, peer)
    login = stranger.post("/auth/login", json={"username": "ada", "password": PASSWORD}, headers=ELSEWHERE)
    sessions = stranger.get("/auth/sessions", headers={"Authorization": login.headers["authorization"]})
    assert [session["ip"] for session in sessions.json()["sessions"]] == ["127.0.0.1", peer]


# Guessed passwords


def test_after_five_wrong_passwords_the_right_one_is_refused_for_a_while(client):
    register(client)

    def attempt(password, username="ada", **headers):
        return client.post("/auth/login", json={"username": username, "password": password}, headers=headers)

    for number in range(5):
        assert code_of(attempt(f"wrong password {number}")) == (401, "invalid_credentials")
    refused = attempt(PASSWORD)
    assert code_of(refused) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert code_of(attempt(PASSWORD, **ELSEWHERE)) == (429, "rate_limited")
    assert client.post("/auth/refresh").status_code == 200, "who is logged in stays it"
    register(client, "bob")
    assert attempt(PASSWORD, "bob").status_code == 200


def test_twenty_wrong_ones_shut_an_address_out_and_no_other(client, monkeypatch):
    register(client)

    async def quickly(_passwords, password, stored):
        return password == PASSWORD and stored is not None

    monkeypatch.setattr("example_app.passwords.Passwords.verify", quickly)
    for number in range(20):
        wrong = {"username": f"user-{number}", "password": "wrong password"}
        assert code_of(client.post("/auth/login", json=wrong, headers=ELSEWHERE)) == (401, "invalid_credentials")
    right = {"username": "ada", "password": PASSWORD}
    assert code_of(client.post("/auth/login", json=right, headers=ELSEWHERE)) == (429, "rate_limited")
    assert client.post("/auth/login", json=right, headers=HERE).status_code == 200
