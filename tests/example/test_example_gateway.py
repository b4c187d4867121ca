"""The gateway in front of the notes app, both as processes of their own, as the README starts them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import httpx2
import pytest
from playwright.sync_api import expect

from tests.catalogue.server import RunningServer
from tests.example.serving import environment, free_port, gateway, serving
from tests.example.visitor import Visitor

ADA = {"username": "ada", "password": "correct horse battery"}
PATIENCE = 20


@contextmanager
def register(address: str, name: str = "ada") -> Iterator[httpx2.Client]:
    """A client that carries the access token of a new account."""
    with httpx2.Client(base_url=address, trust_env=False) as client:
        answer = client.post("/auth/register", json=ADA | {"username": name})
        assert answer.status_code == 200
        client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def until(status: int, ask):
    """The answer with ``status``; what comes before it may be another one, but not for ever."""
    deadline = time.monotonic() + PATIENCE
    while (answer := ask()).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.02)
    return answer


def test_the_whole_flow_through_it(tmp_path):
    with serving(tmp_path, ACCESS_TTL="600") as app, gateway(tmp_path, app) as front, register(front) as client:
        assert client.get("/api/me").json()["username"] == "ada"
        note = client.post("/api/notes", json={"text": "over the gateway"}).json()
        assert [one["text"] for one in client.get("/api/notes").json()] == ["over the gateway"]
        assert client.delete(f"/api/notes/{note['id']}").status_code == 204
        page = client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert "content-security-policy" in page.headers
        assert (
            client.get("/auth/client/index.js", headers={"accept-encoding": "gzip"}).headers["content-encoding"]
            == "gzip"
        )
        cookie = {"cookie": f"__Host-refresh_token={client.cookies['__Host-refresh_token']}"}
        assert client.post("/auth/refresh", headers=cookie).status_code == 200
        assert client.get("/auth/jwks.json").json() == httpx2.get(f"{app}/auth/jwks.json", trust_env=False).json()


def test_the_notes_app_learns_where_a_request_came_from(tmp_path):
    """The gateway adds whom it was connected to: in a test this machine, which is believed; so the rest is, too."""
    with serving(tmp_path, ACCESS_TTL="600") as app, gateway(tmp_path, app) as front, register(front) as client:
        elsewhere = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
        assert client.post("/auth/login", json=ADA, headers=elsewhere).status_code == 200
        cookie = {"cookie": f"__Host-refresh_token={client.cookies['__Host-refresh_token']}"}
        little = client.post("/demo/presets/off/auth/login", headers=cookie)
        assert little.status_code == 200, "it has a login of its own"
        sessions = client.get("/auth/sessions").json()["sessions"]
        assert [session["ip"] for session in sessions] == ["127.0.0.1", "198.51.100.7"]


def test_it_refuses_by_itself_and_says_where_to_refresh(tmp_path):
    with serving(tmp_path) as app, gateway(tmp_path, app) as front, register(front) as client:
        forged = client.headers["authorization"][:-8] + "AAAAAAAA"
        for headers, code in (({"authorization": ""}, "token_malformed"), ({"authorization": forged}, "token_invalid")):
            answer = client.get("/api/me", headers=headers)
            assert answer.json()["code"] == code
        assert (answer.status_code, answer.json()["action"]) == (401, "refresh")
        assert answer.json()["refresh_url"] == "/auth/refresh"
        for path in ("/api/me", "//api/me", "/static/../api/me", "/static/%2e%2e/api/me", "/%61pi/me", "/nothing"):
            assert httpx2.get(front + path, trust_env=False).json()["code"] == "token_missing"
        log = (tmp_path / "server.log").read_text()
        assert "/api/me" not in log, "none of it reached the notes app"
        assert forged not in (tmp_path / "gateway.log").read_text()


def test_a_page_is_used_through_it(browser, tmp_path):
    with serving(tmp_path, ACCESS_TTL="3") as app, gateway(tmp_path, app) as front:
        visitor = Visitor(browser, front)
        visitor.register()
        visitor.play("Expire it now", "1 refresh, and the answer came all the same. You would not have noticed.")
        visitor.page.reload()
        visitor.is_in("ada")
        expect(visitor.page.locator("#who")).to_have_text("ada")
        visitor.nothing_went_wrong()


async def echo(scope, receive, send):
    """Says what reached it."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    seen = {"path": scope["raw_path"].decode(), "headers": headers, "body": len(body), "method": scope["method"]}
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]}
    )
    for byte in json.dumps(seen).encode():
        await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def running_behind(directory, **settings):
    """The addresses of an issuer, and of a gateway that has its keys and stands in front of another service."""
    with serving(directory, ACCESS_TTL="600") as app, RunningServer(echo, "h11") as behind:
        there = {"upstream": f"http://127.0.0.1:{behind.port}", "JWKS_URL": f"{app}/auth/jwks.json"}
        with gateway(directory, **there, **settings) as front:
            yield app, front


def test_what_is_behind_learns_who_it_is_and_nobody_else_can_say(tmp_path):
    name = "zo\u00eb,admin"
    with running_behind(tmp_path) as (app, front), register(app, name) as known:
        lies = {"x-authenticated-user": "root", "X_Authenticated_User": "root", "x-authenticated-scopes": "all"}
        lies |= {"x-forwarded-for": "203.0.113.9"}
        answer = httpx2.request(
            "PUT",
            f"{front}/api/any%20thing?a=%2F&b",
            headers=lies | {"authorization": known.headers["authorization"], "te": "trailers"},
            content=b"x" * 1_000_000,
            trust_env=False,
        )
        seen = answer.json()
        names = [one for one, _ in seen["headers"]]
        said = dict(seen["headers"])
        assert (seen["method"], seen["path"], seen["body"]) == ("PUT", "/api/any%20thing", 1_000_000)
        assert said["x-authenticated-user"] == quote(name)
        assert len(said["x-authenticated-session"]) == 22
        assert said["x-authenticated-scopes"] == ""
        assert names.count("x-authenticated-user") == 1
        assert "x_authenticated_user" not in names
        assert "te" not in names
        assert [value for one, value in seen["headers"] if one == "x-forwarded-for"] == ["203.0.113.9", "127.0.0.1"]
        assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
        public = httpx2.get(f"{front}/static/x", headers=lies, trust_env=False).json()
        assert not [one for one, _ in public["headers"] if "authenticated" in one], "nobody is nobody"


def test_it_starts_before_the_notes_app_and_outlives_it(tmp_path):
    port = free_port()
    with gateway(tmp_path, f"http://127.0.0.1:{port}") as front:
        unknown = {"authorization": "Bearer not.a.token"}

        def ask(headers):
            return httpx2.get(f"{front}/api/me", headers=headers, trust_env=False)

        assert (ask(unknown).status_code, ask(unknown).json()["code"]) == (503, "keys_unavailable")
        assert ask(unknown).headers["retry-after"] == "1"
        assert httpx2.get(f"{front}/login", trust_env=False).status_code == 502
        with serving(tmp_path, PORT=str(port), ACCESS_TTL="600"):
            until(401, lambda: ask(unknown))
            with register(front) as client:
                good = {"authorization": client.headers["authorization"]}
            assert ask(good).status_code == 200
        assert ask(good).json()["code"] == "bad_gateway", "it is the notes app that is missing, not a key"
        assert ask(unknown).json()["code"] == "token_invalid"
        with serving(tmp_path, PORT=str(port), ACCESS_TTL="600"):
            assert ask(good).status_code == 200


@pytest.mark.parametrize("watching", [True, False])
def test_an_ended_session_is_refused_if_it_may_read_the_sessions(tmp_path, watching):
    settings = {"SESSIONS": str(tmp_path / "example.db")} if watching else {}
    with serving(tmp_path, ACCESS_TTL="600") as app, RunningServer(echo, "h11") as behind:
        upstream = f"http://127.0.0.1:{behind.port}"
        with (
            gateway(tmp_path, upstream, JWKS_URL=f"{app}/auth/jwks.json", **settings) as front,
            register(app) as client,
        ):
            token = {"authorization": client.headers["authorization"]}

            def ask():
                return httpx2.get(f"{front}/api/me", headers=token, trust_env=False)

            assert ask().status_code == 200
            assert client.post("/auth/logout", json={}).status_code == 200
            if watching:
                assert until(401, ask).json()["code"] == "token_revoked"
            else:
                assert ask().status_code == 200, "without them it learns nothing until the token runs out"


@pytest.mark.parametrize("setting", [{"JWKS_URL": "http://users.example.com/jwks.json"}, {"PORT": "many"}])
def test_a_bad_setting_ends_it_with_2(tmp_path, setting):
    command = [sys.executable, "-m", "example_app.gateway"]
    given = environment(**setting)
    done = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("example_app.gateway: ")
    assert done.stderr.count("\n") == 1
