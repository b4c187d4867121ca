"""POST /step-up: the person of a running session proves again who they are."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from jwt_refresh_middleware import DevicePolicy, Identity
from jwt_refresh_middleware.errors import StoreUnavailable
from jwt_refresh_middleware.events import LoginFailed, RateLimitReached, StepUpPassed
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.testing import Clock

from .asgi import Reply
from .problems import assert_problem, deletes_cookie
from .support import COOKIE, PASSWORD, PEOPLE, START, Service, Tokens

MFA = "urn:example:mfa"
CODE = "314159"
ALICE = {"username": "alice", "password": PASSWORD}
WRONG = {"username": "alice", "password": "guess"}
ELSEWHERE = ("198.51.100.9", 40_000)


@dataclass
class Door:
    """An ``authenticate`` that notes what it is asked; with the code it is two factors."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    meanwhile: Any = None

    async def __call__(self, credentials: dict[str, Any]) -> Identity | str | None:
        self.asked.append(dict(credentials))
        if self.meanwhile is not None:
            await self.meanwhile()
        if credentials.get("password") != PASSWORD:
            return None
        who = PEOPLE.get(str(credentials.get("username")))
        if isinstance(who, Identity) and credentials.get("code") == CODE:
            return Identity(who.subject, ["admin"], {"plan": "gold"}, amr=["pwd", "otp"], acr=MFA)
        return who


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
async def service(door: Door) -> AsyncIterator[Service]:
    service = Service(authenticate=door)
    yield service
    await service.aclose()


@pytest.fixture
async def alice(service: Service, door: Door) -> Tokens:
    """Logged in a minute ago."""
    tokens = await service.login()
    service.clock.advance(60)
    door.asked.clear()
    return tokens


def said(service: Service, access: str) -> tuple[float | None, Any, Any]:
    """What an access token says of the authentication."""
    token = service.issuer.verifier.verify(access)
    return token.auth_time, token.claims.get("amr"), token.claims.get("acr")


async def by_cookie(service: Service, tokens: Tokens, credentials: Any = ALICE, **request: Any) -> Reply:
    return await service.post("step-up", headers=tokens.by_cookie, json_body=credentials, **request)


async def by_body(service: Service, tokens: Tokens, credentials: Any = ALICE, **request: Any) -> Reply:
    body = credentials | {"refresh_token": tokens.refresh}
    return await service.post("step-up", json_body=body, **request)


async def by_access(service: Service, tokens: Tokens, credentials: Any = ALICE, **request: Any) -> Reply:
    return await service.post("step-up", headers=tokens.bearer, json_body=credentials, **request)


WAYS = pytest.mark.parametrize("way", [by_cookie, by_body, by_access])


# The way the token came


async def test_by_cookie_it_is_answered_as_a_refresh(service: Service, alice: Tokens) -> None:
    reply = await by_cookie(service, alice)
    stepped = service.tokens(reply)
    refreshed = await service.post("refresh", headers=stepped.by_cookie)
    assert [name for name, _ in reply.headers] == [name for name, _ in refreshed.headers]
    assert reply.json().keys() == refreshed.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert reply.one("cache-control") == "no-store"
    assert reply.one("authorization") == f"Bearer {stepped.access}"
    assert (reply.one("set-cookie") or "").replace(stepped.refresh, "") == (refreshed.one("set-cookie") or "").replace(
        service.tokens(refreshed).refresh, ""
    )
    assert stepped.refresh != alice.refresh
    assert (said(service, alice.access)[0], said(service, stepped.access)[0]) == (START, START + 60)


@pytest.mark.parametrize("name", ["refresh_token", "refreshToken"])
@pytest.mark.parametrize("kind", ["json_body", "form"])
async def test_by_body_it_is_answered_in_the_body(service: Service, door: Door, kind: str, name: str) -> None:
    tokens = await service.login(body=True)
    service.clock.advance(60)
    door.asked.clear()
    reply = await service.post("step-up", **{kind: ALICE | {name: tokens.refresh}})
    assert reply.all("set-cookie") == []
    stepped = service.tokens(reply)
    assert reply.json()["refresh_expires_in"] == 7 * 86_400
    assert said(service, stepped.access)[0] == START + 60
    assert door.asked == [ALICE]  # the token is none of its business
    assert (await service.post("refresh", json_body={"refresh_token": stepped.refresh})).status == 200


async def test_a_token_that_came_by_cookie_is_not_put_into_a_body(service: Service, alice: Tokens) -> None:
    headers = alice.by_cookie | {"x-token-transport": "body"}
    reply = await service.post("step-up", headers=headers, json_body=ALICE | {"refresh_token": alice.refresh})
    assert "refresh_token" not in reply.json()
    assert service.tokens(reply).refresh != alice.refresh


async def test_by_access_token_only_that_is_new(service: Service, alice: Tokens) -> None:
    reply = await by_access(service, alice)
    assert reply.status == 200
    assert reply.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert reply.all("set-cookie") == []
    assert (reply.json()["expires_in"], reply.json()["scope"]) == (900, "read write")
    assert reply.one("authorization") == f"Bearer {reply.json()['access_token']}"
    assert reply.one("cache-control") == "no-store"
    assert said(service, reply.json()["access_token"])[0] == START + 60
    refreshed = service.tokens(await service.post("refresh", headers=alice.by_cookie))  # still the same
    assert said(service, refreshed.access)[0] == START + 60


async def test_by_access_token_it_grants_no_more_than_that() -> None:
    """Meanwhile the account may do less than at its login."""

    async def less(subject: str) -> Identity:
        return Identity(subject, ["read"], {"plan": "free"})

    service = Service(issuer={"load_identity": less})
    tokens = await service.login()
    assert service.issuer.verifier.verify(tokens.access).scopes == ("read", "write")
    tokens = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    reply = await by_access(service, tokens)
    stepped = service.issuer.verifier.verify(reply.json()["access_token"])
    assert (stepped.scopes, reply.json()["scope"], stepped.claims["plan"]) == (("read",), "read", "free")
    await service.aclose()


async def test_by_access_token_it_counts_for_the_same_generation(service: Service, alice: Tokens) -> None:
    for generation in range(3):
        token = service.issuer.verifier.verify((await by_access(service, alice)).json()["access_token"])
        assert token.generation == generation
        alice = service.tokens(await service.post("refresh", headers=alice.by_cookie))


async def test_by_access_token_no_answer_is_taken_as_arrived_that_may_not_have(service: Service, alice: Tokens) -> None:
    await service.post("refresh", headers=alice.by_cookie)  # its answer is lost
    service.clock.advance(60)
    access = (await by_access(service, alice)).json()["access_token"]
    assert (await service.ask("GET", "/private", headers={"authorization": f"Bearer {access}"})).status == 200
    again = service.tokens(await service.post("refresh", headers=alice.by_cookie))
    assert (await service.get_in(again)).status == 200
    assert "reuse_detected" not in await service.event_names()


async def test_an_answer_that_was_lost_may_be_asked_for_again(service: Service, alice: Tokens) -> None:
    first = service.tokens(await by_cookie(service, alice))
    service.clock.advance(5)
    second = service.tokens(await by_cookie(service, alice))
    assert second.refresh == first.refresh
    assert said(service, second.access)[0] == START + 65


async def test_the_names_are_in_the_case_of_the_answers(door: Door) -> None:
    service = Service(authenticate=door, field_case="camel")
    tokens = await service.login(body=True)
    assert (await by_access(service, tokens)).json().keys() == {"accessToken", "tokenType", "expiresIn", "scope"}
    assert "refreshToken" in (await by_body(service, tokens)).json()
    await service.aclose()


# What is proven


@WAYS
async def test_how_and_how_well_is_in_the_token_and_nothing_else_of_it(
    service: Service, alice: Tokens, way: Any
) -> None:
    reply = await way(service, alice, ALICE | {"code": CODE})
    access = reply.json()["access_token"]
    assert said(service, access) == (START + 60, ["pwd", "otp"], MFA)
    token, before = service.issuer.verifier.verify(access), service.issuer.verifier.verify(alice.access)
    assert (token.scopes, token.claims["plan"]) == (("read", "write"), "pro")
    assert token.session_id == before.session_id
    (passed,) = [event for event in await _events(service) if isinstance(event, StepUpPassed)]
    assert (passed.subject, passed.session_id, passed.amr, passed.acr) == (
        "alice", before.session_id, ("pwd", "otp"), MFA,
    )  # fmt: skip


@WAYS
async def test_a_subject_alone_is_a_proof_too(service: Service, way: Any) -> None:
    tokens = await service.login("carol")
    service.clock.advance(60)
    reply = await way(service, tokens, {"username": "carol", "password": PASSWORD})
    assert said(service, reply.json()["access_token"]) == (START + 60, None, None)


@WAYS
async def test_a_weaker_proof_does_not_say_what_a_stronger_one_did(service: Service, alice: Tokens, way: Any) -> None:
    strong = service.tokens(await by_cookie(service, alice, ALICE | {"code": CODE}))
    service.clock.advance(60)
    reply = await way(service, strong)
    assert said(service, reply.json()["access_token"]) == (START + 120, None, None)


async def test_the_session_that_waits_for_a_proof_goes_on_by_its_cookie_alone(door: Door) -> None:
    service = Service(authenticate=door, issuer={"device_policy": DevicePolicy(on_ip_change="step_up")})
    tokens = await service.login()
    service.clock.advance(901)
    away: dict[str, Any] = {"client": ELSEWHERE}
    for _ in range(2):
        asked = await service.post("refresh", headers=tokens.by_cookie, **away)
        assert_problem(asked, "step_up_required")
        assert asked.all("set-cookie") == []
    headers = tokens.by_cookie | tokens.bearer  # which is over
    assert_problem(await service.post("step-up", headers=headers, json_body=WRONG, **away), "invalid_credentials")
    assert_problem(await service.post("refresh", headers=tokens.by_cookie, **away), "step_up_required")
    stepped = service.tokens(await service.post("step-up", headers=headers, json_body=ALICE, **away))
    on = service.tokens(await service.post("refresh", headers=stepped.by_cookie, **away))
    assert said(service, on.access)[0] == START + 901
    await service.aclose()


async def test_a_session_that_waits_may_use_its_access_token(door: Door) -> None:
    service = Service(authenticate=door, issuer={"device_policy": DevicePolicy(on_ip_change="step_up")})
    tokens = await service.login()
    away: dict[str, Any] = {"client": ELSEWHERE}
    assert_problem(await service.post("refresh", headers=tokens.by_cookie, **away), "step_up_required")
    assert (await by_access(service, tokens, **away)).status == 200
    assert (await service.post("refresh", headers=tokens.by_cookie, **away)).status == 200
    await service.aclose()


# Credentials that are not right


@WAYS
@pytest.mark.parametrize(
    "credentials",
    [WRONG, {"username": "bob", "password": PASSWORD}, {"username": "carol", "password": PASSWORD}, {}],
    ids=["wrong", "another's", "another's, as text", "nothing"],
)
async def test_wrong_and_right_for_somebody_else_are_one_answer(
    service: Service, alice: Tokens, way: Any, credentials: dict[str, str]
) -> None:
    service.store.calls.clear()
    reply = await way(service, alice, credentials)
    assert_problem(reply, "invalid_credentials")
    assert reply.body == (await service.post("login", json_body=WRONG)).body
    assert reply.all("set-cookie") == []
    assert service.store.calls == ["get"]
    (failed,) = [event for event in await _events(service) if isinstance(event, LoginFailed) and event.session_id]
    assert (failed.subject, failed.session_id) == ("alice", service.issuer.session_id_of(alice.refresh))
    refreshed = service.tokens(await service.post("refresh", headers=alice.by_cookie))  # nothing was rotated
    assert said(service, refreshed.access)[0] == START
    assert await service.event_names() == ["session_started", "login_failed", "login_failed", "rotated"]


async def _events(service: Service) -> list[Any]:
    await service.event_names()
    return service.events


@pytest.mark.parametrize("way", [by_cookie, by_access])
async def test_after_five_failures_nobody_is_asked_any_more(
    service: Service, alice: Tokens, door: Door, way: Any
) -> None:
    for _ in range(5):
        assert_problem(await way(service, alice, WRONG), "invalid_credentials")
    door.asked.clear()
    refused = await way(service, alice, ALICE)
    assert_problem(refused, "rate_limited")
    assert 0 < int(refused.one("retry-after") or 0) <= 900
    assert refused.all("set-cookie") == []
    assert door.asked == []
    (reached,) = [event for event in await _events(service) if isinstance(event, RateLimitReached)]
    assert (reached.what, reached.subject, reached.session_id) == (
        "step_up", "alice", service.issuer.session_id_of(alice.refresh),
    )  # fmt: skip
    other = await service.login()
    assert (await way(service, other)).status == 200  # another session
    assert (await service.post("refresh", headers=alice.by_cookie)).status == 200


async def test_the_failures_of_a_session_are_forgotten_after_a_while_and_by_a_success(door: Door) -> None:
    clock = Clock()
    limits = LoginLimits(per_account=(2, 60), per_address=None, clock=clock)
    service = Service(authenticate=door, login_limits=limits)
    tokens = await service.login()
    for _ in range(2):
        assert_problem(await by_access(service, tokens, WRONG), "invalid_credentials")
        assert (await by_access(service, tokens)).status == 200
    for _ in range(2):
        assert_problem(await by_access(service, tokens, WRONG), "invalid_credentials")
    assert (await by_access(service, tokens)).one("retry-after") == "60"
    clock.advance(60)
    assert (await by_access(service, tokens)).status == 200
    await service.aclose()


async def test_failures_count_for_the_address_too(door: Door) -> None:
    service = Service(authenticate=door, login_limits=LoginLimits(per_account=(9, 60), per_address=(2, 60)))
    one, two = await service.login(), await service.login("bob")
    for tokens in (one, two):
        assert_problem(await by_access(service, tokens, WRONG), "invalid_credentials")
    assert_problem(await by_access(service, one), "rate_limited")
    assert (await by_access(service, one, client=ELSEWHERE)).status == 200
    await service.aclose()


# Who it is


async def test_nobody_knows_who_it_is(service: Service, door: Door) -> None:
    assert_problem(await service.post("step-up", json_body=ALICE), "refresh_missing")
    basic = {"authorization": "Basic YWxpY2U6"}
    assert_problem(await service.post("step-up", json_body=ALICE, headers=basic), "refresh_missing")
    assert_problem(await service.post("step-up", json_body=ALICE | {"refresh_token": None}), "refresh_missing")
    assert door.asked == []
    assert "get" not in service.store.calls


@pytest.mark.parametrize("state", ["token_malformed", "token_invalid", "token_expired", "token_revoked"])
async def test_an_access_token_that_is_not_good(service: Service, alice: Tokens, door: Door, state: str) -> None:
    headers = alice.bearer
    if state == "token_malformed":
        headers = {"authorization": "Bearer"}
    elif state == "token_invalid":
        headers = {"authorization": "Bearer made.up.token"}
    elif state == "token_expired":
        service.clock.advance(900)
    else:
        await service.issuer.logout(alice.refresh)
    assert_problem(await service.post("step-up", headers=headers, json_body=ALICE), state)
    assert door.asked == []


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer made.up.token", "Basic x", None])
async def test_beside_a_refresh_token_an_access_token_that_is_not_good_does_not_count(
    service: Service, alice: Tokens, authorization: str | None
) -> None:
    if authorization is None:
        service.clock.advance(900)
    headers = alice.by_cookie | {"authorization": authorization or alice.bearer["authorization"]}
    assert service.tokens(await service.post("step-up", headers=headers, json_body=ALICE)).refresh != alice.refresh


async def test_both_tokens_of_one_session(service: Service, alice: Tokens) -> None:
    reply = await service.post("step-up", headers=alice.by_cookie | alice.bearer, json_body=ALICE)
    assert service.tokens(reply).refresh != alice.refresh


async def test_two_sources_that_disagree(service: Service, alice: Tokens, door: Door) -> None:
    other = await service.login()
    door.asked.clear()
    body = ALICE | {"refresh_token": other.refresh}
    for request in (
        {"headers": alice.by_cookie, "json_body": body},
        {"headers": alice.by_cookie, "form": body},
        {"headers": alice.bearer, "json_body": body},
        {"headers": alice.bearer | other.by_cookie, "json_body": ALICE},
        {"headers": {"cookie": f"{alice.cookie}; {other.cookie}"}, "json_body": ALICE},
        {"json_body": body | {"refreshToken": alice.refresh}},
        {"json_body": ALICE | {"refresh_token": 5}},
    ):
        assert_problem(await service.post("step-up", **request), "invalid_request")
    assert door.asked == []
    for tokens in (alice, other):
        assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200


# Sessions that are over


@pytest.mark.parametrize("headers", [{}, {"access": "beside"}])
async def test_a_refresh_token_that_is_not_ours(
    service: Service, alice: Tokens, door: Door, headers: dict[str, str]
) -> None:
    cookie = {"cookie": f"{COOKIE}=made-up"} | (alice.bearer if headers else {})
    reply = await service.post("step-up", headers=cookie, json_body=ALICE)
    assert_problem(reply, "refresh_invalid")
    assert reply.all("set-cookie") == []
    assert door.asked == []


@pytest.mark.parametrize("code", ["refresh_invalid", "refresh_expired"])
async def test_a_session_that_is_over_is_refused_as_at_a_refresh(
    service: Service, alice: Tokens, door: Door, code: str
) -> None:
    if code == "refresh_expired":
        service.clock.advance(7 * 86_400)
    else:
        await service.issuer.revoke(service.issuer.session_id_of(alice.refresh) or "")
    reply = await by_cookie(service, alice)
    assert_problem(reply, code)
    assert deletes_cookie(reply)
    assert_problem(await by_body(service, alice), code)
    assert not deletes_cookie(await by_body(service, alice))
    assert door.asked == []


@pytest.mark.parametrize(("way", "code"), [(by_cookie, "refresh_invalid"), (by_access, "token_revoked")])
async def test_a_session_that_ends_meanwhile(service: Service, alice: Tokens, door: Door, way: Any, code: str) -> None:
    async def end() -> None:
        await service.issuer.logout(alice.refresh)

    door.meanwhile = end
    reply = await way(service, alice)
    assert_problem(reply, code)
    assert deletes_cookie(reply) == (way is by_cookie)
    assert await service.event_names() == ["session_started", "revoked"]


async def test_a_spent_token_is_a_reuse_but_only_with_the_right_credentials(service: Service, alice: Tokens) -> None:
    tokens = alice
    for _ in range(2):
        tokens = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
        assert (await service.get_in(tokens)).status == 200
    service.clock.advance(60)
    assert_problem(await by_cookie(service, alice, WRONG), "invalid_credentials")
    assert (await service.get_in(tokens)).status == 200
    reply = await by_cookie(service, alice)
    assert_problem(reply, "refresh_invalid")
    assert deletes_cookie(reply)
    assert_problem(await service.get_in(tokens), "token_revoked")


async def test_another_browser_is_refused_as_at_a_refresh(service: Service, alice: Tokens) -> None:
    headers = alice.by_cookie | {"user-agent": "curl/8.17.0"}
    reply = await service.post("step-up", headers=headers, json_body=ALICE)
    assert_problem(reply, "device_mismatch")
    assert reply.all("set-cookie") == []


# The request itself


@pytest.mark.parametrize(
    "site", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}]
)
async def test_a_page_of_another_origin(service: Service, alice: Tokens, door: Door, site: dict[str, str]) -> None:
    service.store.calls.clear()
    reply = await service.post("step-up", headers=alice.by_cookie | site, json_body=ALICE)
    assert_problem(reply, "cross_origin")
    assert (door.asked, service.store.calls, reply.all("set-cookie")) == ([], [], [])
    own = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}
    assert (await service.post("step-up", headers=alice.by_cookie | own, json_body=ALICE)).status == 200


async def test_without_the_cookie_no_origin_matters(service: Service, alice: Tokens) -> None:
    site = {"origin": "https://evil.example"}
    assert (await service.post("step-up", headers=alice.bearer | site, json_body=ALICE)).status == 200


async def test_an_origin_that_is_allowed(door: Door) -> None:
    service = Service(authenticate=door, allowed_origins=["https://app.example.com"])
    tokens = await service.login()
    headers = tokens.by_cookie | {"origin": "https://app.example.com"}
    assert (await service.post("step-up", headers=headers, json_body=ALICE)).status == 200
    await service.aclose()


BODIES: list[tuple[dict[str, Any], str]] = [
    ({}, "invalid_request"),
    ({"body": b"{", "kind": "application/json"}, "invalid_request"),
    ({"body": b"[]", "kind": "application/json"}, "invalid_request"),
    ({"form": [("username", "alice"), ("username", "bob")]}, "invalid_request"),
    ({"body": b"{}", "kind": "text/plain"}, "unsupported_media_type"),
    ({"body": b" " * 65_537, "kind": "application/json"}, "payload_too_large"),
]


@pytest.mark.parametrize(("request_", "code"), BODIES)
async def test_bodies_that_are_no_credentials(
    service: Service, alice: Tokens, door: Door, request_: dict[str, Any], code: str
) -> None:
    request = dict(request_)
    kind = {"content-type": request.pop("kind")} if "kind" in request else {}
    for tokens in (alice.by_cookie, alice.bearer):
        reply = await service.post("step-up", headers=tokens | kind, **request)
        assert_problem(reply, code)
        assert reply.all("set-cookie") == []
    assert door.asked == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods(service: Service, method: str) -> None:
    reply = await service.ask(method, "/auth/step-up")
    assert (reply.status, reply.one("allow")) == (405, "POST")
    assert reply.one("cache-control") == "no-store"


async def test_without_authenticate_the_path_is_the_apps() -> None:
    service = Service(authenticate=None)
    assert_problem(await service.post("step-up", json_body=ALICE), "token_missing")
    pair = await service.issuer.login("alice")
    reply = await service.post("step-up", headers={"authorization": f"Bearer {pair.access_token}"})
    assert reply.body == b"hello alice"
    await service.aclose()


@WAYS
async def test_without_a_store(service: Service, alice: Tokens, door: Door, way: Any) -> None:
    service.store.failure = OSError()
    reply = await way(service, alice)
    assert_problem(reply, "store_unavailable")
    assert reply.all("set-cookie") == []
    assert door.asked == []


async def test_a_user_database_that_is_away_is_no_failure(service: Service, alice: Tokens, door: Door) -> None:
    async def away() -> None:
        raise StoreUnavailable

    door.meanwhile = away
    for _ in range(6):
        assert_problem(await by_cookie(service, alice), "store_unavailable")
    door.meanwhile = None
    assert (await by_cookie(service, alice)).status == 200


@WAYS
async def test_nothing_secret_is_told(
    service: Service, alice: Tokens, caplog: pytest.LogCaptureFixture, way: Any
) -> None:
    caplog.set_level("DEBUG")
    secret = "hunter2-hunter2"
    await way(service, alice, {"username": "alice", "password": secret, "code": "271828"})
    await way(service, alice, ALICE | {"code": CODE})
    told = caplog.text + repr(await _events(service))
    for text in (secret, PASSWORD, "271828", CODE, alice.refresh, alice.access):
        assert text not in told
