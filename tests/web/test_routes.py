"""The mounted routes, as a browser uses them: login, refresh, logout, the list of sessions, the public keys."""

from collections.abc import Callable

import pytest

from .problems import assert_problem, deletes_cookie
from .support import COOKIE, PASSWORD, Service

ROUTES = {
    "/auth/login": {"POST"},
    "/auth/refresh": {"POST"},
    "/auth/logout": {"POST"},
    "/auth/sessions": {"GET", "DELETE"},
    "/auth/sessions/some-id": {"DELETE"},
    "/auth/jwks.json": {"GET"},
}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND"}


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path, allowed in ROUTES.items() for method in sorted(METHODS - allowed)]
)
@pytest.mark.case("F11")
async def test_other_methods_are_refused_and_touch_nothing(service: Service, path: str, method: str) -> None:
    tokens = await service.login()
    service.store.calls.clear()
    reply = await service.ask(method, path, headers=tokens.bearer | tokens.by_cookie)
    if method == "HEAD":
        assert (reply.status, reply.body) == (405, b"")
    else:
        assert_problem(reply, "method_not_allowed")
    assert set((reply.one("allow") or "").split(", ")) == ROUTES[path]
    assert reply.all("set-cookie") == []
    assert service.store.calls == []
    assert service.inner.calls == 0


async def test_login_gives_an_access_token_in_the_body_and_the_refresh_token_in_the_cookie(service: Service) -> None:
    tokens = await service.login()
    reply = tokens.reply
    assert reply.json() == {
        "access_token": tokens.access,
        "token_type": "Bearer",
        "expires_in": 900,
        "scope": "read write",
    }
    assert reply.one("content-type") == "application/json"
    assert reply.one("cache-control") == "no-store"
    assert reply.one("authorization") == f"Bearer {tokens.access}"
    assert reply.one("www-authenticate") is None
    assert reply.one("set-cookie") == (
        f"{COOKIE}={tokens.refresh}; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=604800"
    )
    assert tokens.refresh.encode() not in reply.body


async def test_login_takes_a_form(service: Service) -> None:
    reply = await service.post("login", form={"username": "bob", "password": PASSWORD})
    assert reply.json()["scope"] == ""
    assert (await service.get_in(service.tokens(reply))).body == b"hello bob"


async def test_authenticate_may_return_a_subject(service: Service) -> None:
    assert (await service.get_in(await service.login("carol"))).body == b"hello carol"


async def test_login_refused_sets_no_cookie_and_is_told(service: Service) -> None:
    reply = await service.post("login", json_body={"username": "alice", "password": "guess"})
    assert_problem(reply, "invalid_credentials")
    assert reply.all("set-cookie") == []
    assert await service.event_names() == ["login_failed"]
    assert "add" not in service.store.calls


@pytest.mark.case("G08")
async def test_every_login_is_a_new_session_whatever_cookie_came(service: Service) -> None:
    first = await service.login()
    second = await service.login(headers=first.by_cookie)
    assert first.refresh != second.refresh
    for tokens in (first, second):
        assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200


@pytest.mark.case("H01")
async def test_refresh_rotates(service: Service) -> None:
    first = await service.login()
    service.clock.advance(600)
    second = service.tokens(await service.post("refresh", headers=first.by_cookie))
    assert second.refresh != first.refresh
    assert second.access != first.access
    assert second.reply.json() | {"access_token": ""} == first.reply.json() | {"access_token": ""}
    assert second.reply.one("authorization") == f"Bearer {second.access}"
    assert (await service.get_in(second)).status == 200
    assert await service.event_names() == ["session_started", "rotated"]


async def test_logout_ends_the_session_and_deletes_the_cookie(service: Service) -> None:
    tokens = await service.login()
    reply = await service.post("logout", headers=tokens.by_cookie)
    assert (reply.status, reply.json()) == (200, {"status": "logged_out"})
    assert reply.one("cache-control") == "no-store"
    assert deletes_cookie(reply)
    assert_problem(await service.get_in(tokens), "token_revoked")
    assert_problem(await service.post("refresh", headers=tokens.by_cookie), "refresh_invalid")


@pytest.mark.parametrize("cookie", [None, "made-up", "spent", "ended"])
async def test_logout_answers_200_whatever_token_came(service: Service, cookie: str | None) -> None:
    tokens = await service.login()
    if cookie == "spent":
        newer = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
        await service.post("refresh", headers=newer.by_cookie)
    if cookie == "ended":
        await service.issuer.logout(tokens.refresh)
    value = tokens.refresh if cookie in ("spent", "ended") else cookie
    reply = await service.post("logout", headers={"cookie": f"{COOKIE}={value}"} if value else {})
    assert (reply.status, reply.json()) == (200, {"status": "logged_out"})
    assert deletes_cookie(reply)


async def test_logout_with_an_old_generation_ends_the_session(service: Service) -> None:
    oldest = await service.login()
    newest = oldest
    for _ in range(3):
        newest = service.tokens(await service.post("refresh", headers=newest.by_cookie))
    await service.post("logout", headers=oldest.by_cookie)
    assert_problem(await service.post("refresh", headers=newest.by_cookie), "refresh_invalid")


async def test_logout_by_access_token_alone(service: Service) -> None:
    tokens = await service.login()
    reply = await service.post("logout", headers=tokens.bearer)
    assert deletes_cookie(reply)
    assert_problem(await service.get_in(tokens), "token_revoked")


async def test_logout_leaves_the_other_sessions(service: Service) -> None:
    here, there = await service.login(), await service.login()
    await service.post("logout", headers=here.by_cookie)
    assert (await service.get_in(there)).status == 200


@pytest.mark.parametrize("named_by", ["cookie", "body", "access token", "expired access token", "nothing"])
async def test_logout_everywhere(service: Service, named_by: str) -> None:
    here, there, bob = await service.login(body=True), await service.login(), await service.login("bob")
    if named_by == "expired access token":
        service.clock.advance(900)
    headers = {
        "cookie": here.by_cookie,
        "access token": here.bearer,
        "expired access token": here.bearer,
    }.get(named_by, {})
    named = {"refresh_token": here.refresh} if named_by == "body" else {}
    reply = await service.post("logout", json_body={"all": True} | named, headers=headers)
    assert (reply.status, reply.json()) == (200, {"status": "logged_out"})
    ended = named_by in ("cookie", "body", "access token")
    assert (await service.post("refresh", headers=there.by_cookie)).status == (401 if ended else 200)
    assert (await service.post("refresh", headers=bob.by_cookie)).status == 200


@pytest.mark.parametrize("value", [False, None, 0, "yes", [], {}])
async def test_only_true_means_everywhere(service: Service, value: object) -> None:
    here, there = await service.login(), await service.login()
    await service.post("logout", json_body={"all": value}, headers=here.by_cookie)
    assert (await service.get_in(there)).status == 200
    assert_problem(await service.get_in(here), "token_revoked")


async def test_the_list_of_sessions(service: Service) -> None:
    phone = await service.login(headers={"user-agent": "Phone/1.0"}, client=("2001:db8::1", 1))
    service.clock.advance(3600)
    tokens = await service.login()
    await service.login("bob")
    reply = await service.ask("GET", "/auth/sessions", headers=tokens.bearer)
    assert reply.status == 200
    assert reply.one("content-type") == "application/json"
    assert reply.one("cache-control") == "no-store"
    first, second = reply.json()["sessions"]
    verify = service.issuer.verifier.verify
    with pytest.raises(Exception, match="token_expired"):
        verify(phone.access)
    assert first == {
        "id": first["id"],
        "created_at": "2027-01-15T08:00:00Z",
        "last_used_at": "2027-01-15T08:00:00Z",
        "expires_at": "2027-01-22T08:00:00Z",
        "authenticated_at": "2027-01-15T08:00:00Z",
        "ip": "2001:db8::1",
        "user_agent": "Phone/1.0",
        "device": "Phone",
        "place": None,
        "step_up": False,
        "current": False,
    }
    assert second["id"] == verify(tokens.access).session_id
    assert (second["current"], second["created_at"]) == (True, "2027-01-15T09:00:00Z")


async def test_ending_one_session(service: Service) -> None:
    here, there = await service.login(), await service.login()
    there_id = service.issuer.verifier.verify(there.access).session_id
    reply = await service.ask("DELETE", f"/auth/sessions/{there_id}", headers=here.bearer)
    assert (reply.status, reply.body, reply.one("cache-control")) == (204, b"", "no-store")
    assert reply.all("set-cookie") == []
    assert_problem(await service.get_in(there), "token_revoked")
    assert (await service.get_in(here)).status == 200
    again = await service.ask("DELETE", f"/auth/sessions/{there_id}", headers=here.bearer)
    assert_problem(again, "not_found")


async def test_nobody_ends_the_session_of_another(service: Service) -> None:
    alice, bob = await service.login(), await service.login("bob")
    bobs = service.issuer.verifier.verify(bob.access).session_id
    assert_problem(await service.ask("DELETE", f"/auth/sessions/{bobs}", headers=alice.bearer), "not_found")
    assert (await service.get_in(bob)).status == 200


async def test_ending_all_others(service: Service) -> None:
    here, there, bob = await service.login(), await service.login(), await service.login("bob")
    reply = await service.ask("DELETE", "/auth/sessions", headers=here.bearer)
    assert (reply.status, reply.body) == (204, b"")
    assert_problem(await service.get_in(there), "token_revoked")
    assert [(await service.get_in(tokens)).status for tokens in (here, bob)] == [200, 200]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/auth/sessions"), ("DELETE", "/auth/sessions"), ("DELETE", "/auth/sessions/x")]
)
async def test_the_list_needs_an_access_token(service: Service, method: str, path: str) -> None:
    tokens = await service.login()
    service.store.calls.clear()
    assert_problem(await service.ask(method, path), "token_missing")
    assert_problem(await service.ask(method, path, headers=tokens.by_cookie), "token_missing", action="refresh")
    assert_problem(await service.ask(method, path, headers={"authorization": "Bearer x"}), "token_invalid")
    twice = [("authorization", f"Bearer {tokens.access}")] * 2
    assert_problem(await service.ask(method, path, headers=twice), "token_malformed")
    assert service.store.calls == []


async def test_the_public_keys_of_a_shared_secret_are_none(service: Service) -> None:
    reply = await service.ask("GET", "/auth/jwks.json")
    assert (reply.status, reply.json()) == (200, {"keys": []})
    assert reply.one("cache-control") == "public, max-age=300"


async def test_login_is_mounted_only_with_authenticate(make_service: Callable[..., Service]) -> None:
    service = make_service(authenticate=None)
    assert_problem(await service.post("login", json_body={}), "token_missing")
    tokens = await service.issuer.login("dave")
    reply = await service.post("login", headers={"authorization": f"Bearer {tokens.access_token}"})
    assert reply.body == b"hello dave"


@pytest.mark.parametrize(
    "path", ["/auth", "/auth/", "/auth/refresh/", "/auth/account", "/auth/sessions/", "/auth/sessions/a/b"]
)
async def test_other_paths_below_the_prefix_are_the_apps_and_protected(service: Service, path: str) -> None:
    assert_problem(await service.ask("POST", path), "token_missing")
    assert service.inner.calls == 0
    reply = await service.ask("POST", path, headers=(await service.login()).bearer)
    assert reply.body == b"hello alice"


async def test_another_prefix(make_service: Callable[..., Service]) -> None:
    service = make_service(prefix="/api/v1/users")
    tokens = await service.login()
    assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200
    assert_problem(await service.ask("POST", "/auth/refresh"), "token_missing")
