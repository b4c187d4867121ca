import asyncio
import logging
import os
import re
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from example_app.app import create_app
from example_app.database import Database, NoSuchUser
from example_app.keys import KeysError, development_keys
from example_app.passwords import Passwords
from example_app.settings import Settings, SettingsError
from tests.example.serving import environment, serving

PASSWORD = "correct horse battery"
COOKIE = "__Host-refresh_token"


@pytest.fixture
def settings(tmp_path):
    return Settings.from_environment({"DATABASE": str(tmp_path / "example.db"), "AUTH_SECRET": "s" * 32})


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings), base_url="https://testserver") as client:
        yield client


@pytest.fixture
def second(client):
    """Another device that talks to the same running app."""
    return TestClient(client.app, base_url="https://testserver")


def register(client, username="ada", password=PASSWORD):
    answer = client.post("/auth/register", json={"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def code_of(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# Accounts


def test_a_registration_logs_in_at_once(client):
    answer = client.post("/auth/register", json={"username": "ada", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.json()["expires_in"] == 30
    assert "HttpOnly; Secure; SameSite=Strict; Path=/" in answer.headers["set-cookie"]
    me = client.get("/api/me", headers={"Authorization": answer.headers["authorization"]})
    assert me.json().keys() == {"username", "created_at", "notes"}
    assert me.json()["username"] == "ada"
    assert client.post("/auth/refresh").status_code == 200


def test_a_name_that_is_taken_is_a_conflict(client, second):
    register(client)
    answer = second.post("/auth/register", json={"username": "ada", "password": "another password"})
    assert code_of(answer) == (409, "username_taken")
    assert "set-cookie" not in answer.headers
    assert client.post("/auth/refresh").status_code == 200


def test_one_of_two_simultaneous_registrations_wins(client):
    def attempt(_):
        return client.post("/auth/register", json={"username": "ada", "password": PASSWORD}).status_code

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(attempt, range(4))) == [200, 409, 409, 409]


def test_a_registration_from_another_site_leaves_no_account(client):
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = client.post("/auth/register", json={"username": "ada", "password": PASSWORD}, headers=foreign)
    assert code_of(answer) == (403, "cross_origin")
    register(client)


def test_a_registration_that_could_not_log_in_may_be_repeated(client, monkeypatch):
    async def away(*_):
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr("jwt_refresh_middleware.stores.sqlite.SQLiteStore.add", away)
        answer = client.post("/auth/register", json={"username": "ada", "password": PASSWORD})
        assert code_of(answer) == (503, "store_unavailable")
    register(client)


@pytest.mark.parametrize("name", ["", " ", "a b", "a\tb", "a\nb", "a\u00a0b", "a\x00b", "a\u200bb", "\ud800", "x" * 65])
def test_a_bad_name_is_refused_in_words(client, name):
    answer = client.post("/auth/register", content=_json(name, PASSWORD), headers={"Content-Type": "application/json"})
    assert code_of(answer) == (422, "invalid_input")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["a", "x" * 64, "Åsa", "李雷", "o'neil", "a/../b", "<b>", "%00"])
def test_a_printable_name_will_do(client, name):
    headers = register(client, name)
    assert client.get("/api/me", headers=headers).json()["username"] == name
    assert client.post("/auth/refresh").status_code == 200


def test_two_spellings_of_a_name_are_one_name(client):
    composed, decomposed = "\u00c5sa", "A\u030asa"
    register(client, decomposed)
    answer = client.post("/auth/register", json={"username": composed, "password": PASSWORD})
    assert code_of(answer) == (409, "username_taken")
    assert client.post("/auth/login", json={"username": composed, "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize("password", ["", "short", "1234567", "x" * 1025])
def test_a_bad_password_is_refused_and_never_echoed(client, password):
    answer = client.post("/auth/register", json={"username": "ada", "password": password})
    assert code_of(answer) == (422, "invalid_input")
    assert answer.json()["detail"] == "A password has 8 to 1024 characters."
    assert not password or password not in answer.text


@pytest.mark.parametrize("body", ["{}", "[]", "null", "x", '{"username": 5, "password": []}', '{"username": "a"}'])
def test_a_registration_that_is_rubbish_is_refused(client, body):
    answer = client.post("/auth/register", content=body, headers={"Content-Type": "application/json"})
    assert code_of(answer) == (422, "invalid_input")


def _json(username, password):
    escaped = "".join(f"\\u{ord(c):04x}" for c in username)
    return f'{{"username": "{escaped}", "password": "{password}"}}'


# Logging in


@pytest.mark.parametrize(
    "credentials",
    [
        {"username": "ada", "password": "wrong password"},
        {"username": "nobody", "password": PASSWORD},
        {"username": "ADA", "password": PASSWORD},
        {"username": "ada"},
        {"password": PASSWORD},
        {},
        {"username": ["ada"], "password": PASSWORD},
        {"username": "ada", "password": {"$ne": ""}},
        {"username": None, "password": None},
        {"username": 1, "password": True},
        {"username": "a\x00da", "password": PASSWORD},
        {"username": "ada' OR '1'='1", "password": PASSWORD},
        {"username": "x" * 10_000, "password": "x" * 10_000},
    ],
)
def test_wrong_credentials_are_all_answered_alike(client, second, credentials):
    register(client)
    answer = second.post("/auth/login", json=credentials)
    assert code_of(answer) == (401, "invalid_credentials")
    assert "set-cookie" not in answer.headers


def test_the_right_ones_log_in(client, second):
    register(client)
    assert second.post("/auth/login", json={"username": "ada", "password": PASSWORD}).status_code == 200
    form = second.post("/auth/login", data={"username": "ada", "password": PASSWORD})
    assert form.status_code == 200


def test_the_database_holds_no_password_and_no_token(client, settings):
    register(client)
    cookie = client.cookies[COOKIE]
    database = sqlite3.connect(settings.database)
    text = "\n".join(database.iterdump())
    database.close()
    assert "$argon2id$" in text
    assert PASSWORD not in text
    assert cookie not in text


async def test_an_unknown_user_costs_a_hash_like_a_known_one(monkeypatch):
    passwords = Passwords()
    stored = await passwords.hash(PASSWORD)
    checked = []
    verify = passwords._hasher.verify
    monkeypatch.setattr(passwords._hasher, "verify", lambda *given: checked.append(given[1]) or verify(*given))
    assert await passwords.verify(PASSWORD, stored) is True
    assert await passwords.verify("wrong", stored) is False
    assert await passwords.verify(PASSWORD, None) is False
    assert await passwords.verify(PASSWORD, "not a hash") is False
    assert [hash_[:9] for hash_ in checked] == ["$argon2id", "$argon2id", "$argon2id", "not a has"]


async def test_hashing_leaves_the_loop_free():
    passwords = Passwords()
    hashing = asyncio.create_task(passwords.hash(PASSWORD))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 3


# Notes


def test_notes_are_private(client, second):
    ada, bob = register(client, "ada"), register(second, "bob")
    added = client.post("/api/notes", json={"text": "  of Ada \U0001f600 "}, headers=ada)
    assert added.status_code == 201
    note = added.json()
    assert note["text"] == "of Ada \U0001f600"
    assert second.get("/api/notes", headers=bob).json() == []
    assert code_of(second.delete(f"/api/notes/{note['id']}", headers=bob)) == (404, "not_found")
    assert client.get("/api/notes", headers=ada).json() == [note]
    assert client.get("/api/me", headers=ada).json()["notes"] == 1
    assert client.delete(f"/api/notes/{note['id']}", headers=ada).status_code == 204
    assert code_of(client.delete(f"/api/notes/{note['id']}", headers=ada)) == (404, "not_found")
    assert client.get("/api/notes", headers=ada).json() == []


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, 2**63, -(2**63), 10**30])
def test_a_note_that_cannot_be_is_not_found(client, number):
    headers = register(client)
    assert code_of(client.delete(f"/api/notes/{number}", headers=headers)) == (404, "not_found")


@pytest.mark.parametrize("body", ['{"text": ""}', '{"text": "  "}', '{"text": 5}', "{}", "x", '{"text": "\\ud800"}'])
def test_a_note_without_text_is_refused(client, body):
    headers = {"Content-Type": "application/json", **register(client)}
    assert code_of(client.post("/api/notes", content=body, headers=headers)) == (422, "invalid_input")
    too_long = client.post("/api/notes", json={"text": "x" * 2001}, headers=headers)
    assert code_of(too_long) == (422, "invalid_input")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/me"), ("GET", "/api/notes"), ("POST", "/api/notes"), ("DELETE", "/auth/account"), ("GET", "/x")],
)
def test_what_is_not_public_needs_a_token(client, method, path):
    assert code_of(client.request(method, path)) == (401, "token_missing")


# The end of an account


def test_a_deleted_account_is_gone_everywhere(client, second):
    headers = register(client)
    client.post("/api/notes", json={"text": "a note"}, headers=headers)
    login = second.post("/auth/login", json={"username": "ada", "password": PASSWORD})
    other = {"Authorization": login.headers["authorization"]}
    spent = second.cookies[COOKIE]

    answer = client.delete("/auth/account", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"status": "logged_out"})
    assert COOKIE not in client.cookies

    assert code_of(client.get("/api/notes", headers=headers)) == (401, "token_revoked")
    assert code_of(second.get("/api/notes", headers=other)) == (401, "token_revoked")
    assert code_of(second.post("/auth/refresh")) == (401, "refresh_invalid")
    assert code_of(second.post("/auth/refresh", json={"refresh_token": spent})) == (401, "refresh_invalid")
    again = second.post("/auth/login", json={"username": "ada", "password": PASSWORD})
    assert code_of(again) == (401, "invalid_credentials")


def test_a_new_account_of_the_same_name_inherits_nothing(client, second):
    headers = register(client)
    client.post("/api/notes", json={"text": "a note"}, headers=headers)
    client.delete("/auth/account", headers=headers)
    fresh = register(second)
    assert second.get("/api/notes", headers=fresh).json() == []
    assert client.get("/api/notes", headers=headers).status_code == 401
    listed = second.get("/auth/sessions", headers=fresh).json()["sessions"]
    assert [session["current"] for session in listed] == [True]


def test_a_user_who_is_gone_without_notice_gets_nothing_new(client, settings):
    """Deleted by an administrator, say, who has ended no session."""
    headers = register(client)
    database = sqlite3.connect(settings.database)
    with database:
        database.execute("DELETE FROM users")
    database.close()
    assert code_of(client.get("/api/me", headers=headers)) == (401, "token_revoked")
    assert code_of(client.post("/api/notes", json={"text": "x"}, headers=headers)) == (401, "token_revoked")
    assert code_of(client.post("/auth/refresh")) == (401, "refresh_invalid")


async def test_notes_of_nobody_are_refused(tmp_path):
    database = Database(tmp_path / "example.db")
    await database.open()
    try:
        with pytest.raises(NoSuchUser):
            await database.add_note("nobody", "text")
    finally:
        await database.close()


# Pages


@pytest.mark.parametrize(
    "path", ["/", "/login", "/static/app.js", "/static/style.css", "/favicon.ico", "/api/me", "/static/none"]
)
def test_every_answer_carries_the_policy(client, path):
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/login"])
def test_the_pages_have_no_inline_script_or_style(client, path):
    page = client.get(path).text
    assert page.count("<script") == page.count('<script type="module" src="/static/') == 1
    assert "<style" not in page
    assert " style=" not in page
    assert not re.search(r"\son\w+\s*=", page)
    assert "http://" not in page
    assert "https://" not in page


# Settings


def test_the_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({})
    assert settings.access_ttl == timedelta(seconds=30)
    assert settings.refresh_ttl == timedelta(days=7)
    assert (settings.login_window, settings.fresh_for) == (60, 60)
    assert settings.database == tmp_path / "example.db"
    assert settings.url == "http://127.0.0.1:8000/"
    assert settings.insecure_cookie is False
    assert settings.keys.signing.algorithm == "EdDSA"
    assert settings.keys.signing.kid not in repr(settings)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost", "http://localhost:80/"),
        ("::1", "http://[::1]:80/"),
        ("0.0.0.0", "http://localhost:80/"),
        ("::", "http://localhost:80/"),
    ],
)
def test_the_url_to_open(tmp_path, host, url):
    given = {"HOST": host, "PORT": "80", "DATABASE": str(tmp_path / "x.db"), "AUTH_SECRET": "s" * 32}
    assert Settings.from_environment(given).url == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCESS_TTL", "0"),
        ("ACCESS_TTL", "-5"),
        ("ACCESS_TTL", "1.5"),
        ("ACCESS_TTL", "soon"),
        ("ACCESS_TTL", "1_000"),
        ("ACCESS_TTL", "٣٠"),
        ("ACCESS_TTL", "86401"),
        ("REFRESH_TTL", "99999999999999999999"),
        ("LOGIN_WINDOW", "0"),
        ("FRESH_FOR", "0"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("DATABASE", "/nowhere/at/all/example.db"),
        ("DATABASE", "/"),
        ("INSECURE_COOKIE", "yes"),
        ("AUTH_SECRET", "too short"),
        ("AUTH_SECRET", "\udcff" * 32),
        ("AUTH_KEYS", "/nowhere/at/all/keys.json"),
    ],
)
def test_a_bad_setting_is_named_in_one_line(tmp_path, name, value):
    given = {"DATABASE": str(tmp_path / "x.db"), "AUTH_SECRET": "s" * 32} | {name: value}
    with pytest.raises(SettingsError, match=name) as raised:
        Settings.from_environment(given)
    assert "\n" not in str(raised.value)
    assert name != "AUTH_SECRET" or value not in str(raised.value)


@pytest.mark.parametrize("value", ["0", "nonsense"])
def test_the_command_says_so_and_ends_with_2(tmp_path, value):
    command = [sys.executable, "-m", "example_app"]
    given = environment(ACCESS_TTL=value, DATABASE=str(tmp_path / "x.db"))
    done = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == f"example_app: ACCESS_TTL must be a whole number from 1 to 86400, not {value!r}\n"


def test_it_says_which_page_to_open(tmp_path):
    with serving(tmp_path, ACCESS_TTL="45", AUTH_SECRET="s" * 32) as address:
        pass
    first_line = (tmp_path / "server.log").read_text().splitlines()[0]
    assert first_line == f"Open {address}/ in a browser. An access token lives 45 s (ACCESS_TTL)."


def test_an_insecure_cookie_has_no_prefix(tmp_path):
    given = {"DATABASE": str(tmp_path / "x.db"), "AUTH_SECRET": "s" * 32, "INSECURE_COOKIE": "1"}
    with TestClient(create_app(Settings.from_environment(given)), base_url="http://testserver") as client:
        answer = client.post("/auth/register", json={"username": "ada", "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("refresh_token=")
        assert "Secure" not in answer.headers["set-cookie"]
        assert client.post("/auth/refresh").status_code == 200


# The keys


def test_the_keys_are_made_once_for_their_owner_only(tmp_path, caplog):
    path = tmp_path / ".auth_keys.json"
    with caplog.at_level(logging.WARNING, "example_app"):
        first = Settings.from_environment({"DATABASE": str(tmp_path / "example.db")}).keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "AUTH_KEYS is not set" in caplog.text
    again = Settings.from_environment({"DATABASE": str(tmp_path / "other.db")}).keys
    assert again.jwks() == first.jwks()
    named = Settings.from_environment({"DATABASE": str(tmp_path / "other.db"), "AUTH_KEYS": str(path)}).keys
    assert named.jwks() == first.jwks()


def test_tokens_outlive_a_restart(tmp_path):
    given = {"DATABASE": str(tmp_path / "example.db")}
    with TestClient(create_app(Settings.from_environment(given)), base_url="https://testserver") as client:
        headers = register(client)
        cookies = client.cookies
    with TestClient(create_app(Settings.from_environment(given)), base_url="https://testserver") as client:
        assert client.get("/api/me", headers=headers).status_code == 200
        client.cookies = cookies
        assert client.post("/auth/refresh").status_code == 200


def test_processes_that_start_together_agree_on_the_keys(tmp_path):
    for attempt in range(20):
        path = tmp_path / f"keys-{attempt}.json"
        with ThreadPoolExecutor(8) as threads:
            made = threads.map(development_keys, [path] * 8)
            assert len({keys.signing.kid for keys in made}) == 1
    assert len([*tmp_path.iterdir()]) == 20, "nothing is left beside them"


def test_damaged_keys_are_reported(tmp_path):
    (tmp_path / ".auth_keys.json").write_text('{"keys": [')
    with pytest.raises(SettingsError, match="keys generate"):
        Settings.from_environment({"DATABASE": str(tmp_path / "example.db")})


def test_a_secret_or_a_file_of_keys(tmp_path):
    given = {"DATABASE": str(tmp_path / "x.db"), "AUTH_SECRET": "s" * 32, "AUTH_KEYS": str(tmp_path / "k.json")}
    with pytest.raises(SettingsError, match="cannot both"):
        Settings.from_environment(given)


@pytest.mark.skipif(os.name == "nt", reason="permissions are another thing there")
def test_keys_that_cannot_be_kept_are_reported():
    with pytest.raises(KeysError, match="cannot be made"):
        development_keys(Path(os.devnull) / "keys.json")
