"""Group I as far as it concerns step-up, I11 and I12, and D06: what a token says of how, and when, somebody logged in.

The device (I01) is in ``test_i_devices.py``. DPoP, DBSC and mTLS are not there.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from jwt_refresh_middleware import Identity, confirm, fastapi, starlette
from jwt_refresh_middleware.testing import Clock

from ..web.asgi import Reply
from ..web.problems import assert_problem
from ..web.support import PASSWORD, START, Service, Tokens
from . import forge

MFA, PHISHING_RESISTANT = "urn:example:mfa", "urn:example:phr"
MAX_AGE = 300
CREDENTIALS = {"username": "ann", "password": PASSWORD}


async def password_alone(credentials: dict[str, Any]) -> Identity | None:
    """Who has a second factor is not through with it yet."""
    return Identity("ann", ["read"], amr=["pwd"]) if credentials.get("password") == PASSWORD else None


async def second_factor(request: Request) -> Response:
    return await confirm(request, amr=["pwd", "otp"], acr=MFA)


async def entered(request: Request) -> Response:
    return PlainTextResponse("in")


def on_starlette(clock: Clock) -> Starlette:
    fresh, strong = (
        starlette.require_fresh(max_age=MAX_AGE, clock=clock),
        starlette.require_acr(MFA, PHISHING_RESISTANT),
    )
    return Starlette(
        routes=[
            Route("/fresh", fresh(entered)),
            Route("/strong", strong(entered)),
            Route("/otp", second_factor, methods=["POST"]),
        ]
    )


def on_fastapi(clock: Clock) -> FastAPI:
    app = FastAPI()
    fresh = fastapi.require_fresh(max_age=MAX_AGE, clock=clock)
    strong = fastapi.require_acr(MFA, PHISHING_RESISTANT)
    app.get("/fresh", dependencies=[Depends(fresh)], response_model=None)(entered)
    app.get("/strong", dependencies=[Depends(strong)], response_model=None)(entered)
    app.post("/otp", response_model=None)(second_factor)
    return app


@pytest.fixture(params=[on_starlette, on_fastapi])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    clock = Clock()
    service = Service(request.param(clock), {"clock": clock}, authenticate=password_alone)
    service.clock = clock
    yield service
    await service.aclose()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service(authenticate=password_alone)
    yield service
    await service.aclose()


async def enter(site: Service, path: str, access: str) -> Reply:
    return await site.ask("GET", path, headers={"authorization": f"Bearer {access}"})


def assert_asks(reply: Reply, **asked: Any) -> None:
    """RFC 9470, 3: the status, the error, and what would do, in the body and in the challenge."""
    assert_problem(reply, "step_up_required")
    content, challenge = reply.json(), reply.one("www-authenticate") or ""
    assert content["error"] == "insufficient_user_authentication"
    assert 'error="insufficient_user_authentication"' in challenge
    for name, value in asked.items():
        assert content[name] == value
        assert f'{name}="{value}"' in challenge


TOO_LOW: dict[str, Any] = {
    "I11-acr-missing": None,
    "I11-acr-lower": "urn:example:password",
    "I11-acr-empty": "",
    "I11-acr-of-another-case": MFA.upper(),
    "I11-acr-with-a-blank": f"{MFA} ",
    "I11-acr-as-the-whole-list": f"{MFA} {PHISHING_RESISTANT}",
    "I11-acr-as-a-list": [MFA],
    "I11-acr-as-an-object": {MFA: True},
    "I11-acr-as-a-number": 3,
    "I11-acr-as-true": True,
}


@pytest.mark.parametrize("acr", TOO_LOW.values(), ids=TOO_LOW)
async def test_an_acr_that_is_too_low(site: Service, acr: Any) -> None:
    token = forge.token(acr=acr, auth_time=int(START), amr=["otp"])
    assert_asks(await enter(site, "/strong", token), acr_values=f"{MFA} {PHISHING_RESISTANT}")


@pytest.mark.parametrize("acr", [MFA, PHISHING_RESISTANT])
async def test_i11_an_acr_that_is_high_enough(site: Service, acr: str) -> None:
    assert (await enter(site, "/strong", forge.token(acr=acr))).body == b"in"


TOO_OLD = {"I11-a-second-too-old": int(START) - MAX_AGE - 1, "I11-from-1970": 0, "I11-auth-time-missing": None}


@pytest.mark.parametrize("auth_time", TOO_OLD.values(), ids=TOO_OLD)
async def test_an_authentication_that_is_too_old(site: Service, auth_time: int | None) -> None:
    token = forge.token(auth_time=auth_time, acr=PHISHING_RESISTANT)
    assert_asks(await enter(site, "/fresh", token), max_age=MAX_AGE)


async def test_i11_an_authentication_that_is_just_recent_enough(site: Service) -> None:
    assert (await enter(site, "/fresh", forge.token(auth_time=int(START) - MAX_AGE))).body == b"in"


@pytest.mark.parametrize("auth_time", [str(int(START)), True, -1, [int(START)], 1e300])
async def test_i11_an_auth_time_that_is_no_date(site: Service, auth_time: Any) -> None:
    assert_problem(await enter(site, "/fresh", forge.token(auth_time=auth_time)), "token_invalid")


async def test_i11_a_refresh_does_not_help_and_a_step_up_does(site: Service) -> None:
    tokens = await site.login("ann")
    site.clock.advance(MAX_AGE + 1)
    tokens = site.tokens(await site.post("refresh", headers=tokens.by_cookie))
    assert_asks(await enter(site, "/fresh", tokens.access), max_age=MAX_AGE)
    stepped = site.tokens(await site.post("step-up", headers=tokens.by_cookie, json_body=CREDENTIALS))
    assert (await enter(site, "/fresh", stepped.access)).body == b"in"
    assert_asks(await enter(site, "/fresh", tokens.access), max_age=MAX_AGE)  # the old one is what it was


async def test_d06_a_token_from_before_the_second_factor(site: Service) -> None:
    tokens = await site.login("ann")
    for _ in range(2):
        assert_asks(await enter(site, "/strong", tokens.access), acr_values=f"{MFA} {PHISHING_RESISTANT}")
        tokens = site.tokens(await site.post("refresh", headers=tokens.by_cookie))
    by_password = await site.post("step-up", headers=tokens.by_cookie, json_body=CREDENTIALS)  # once more is not two
    tokens = site.tokens(by_password)
    assert_asks(await enter(site, "/strong", tokens.access), acr_values=f"{MFA} {PHISHING_RESISTANT}")
    confirmed = await site.ask("POST", "/otp", headers=tokens.bearer)
    assert (await enter(site, "/strong", confirmed.json()["access_token"])).body == b"in"
    assert_asks(await enter(site, "/strong", tokens.access), acr_values=f"{MFA} {PHISHING_RESISTANT}")
    refreshed = site.tokens(await site.post("refresh", headers=tokens.by_cookie))
    assert (await enter(site, "/strong", refreshed.access)).body == b"in"


async def test_d06_the_second_factor_of_one_session_is_not_that_of_another(site: Service) -> None:
    here, there = await site.login("ann"), await site.login("ann")
    assert (await site.ask("POST", "/otp", headers=here.bearer)).status == 200
    refreshed = site.tokens(await site.post("refresh", headers=there.by_cookie))
    assert_asks(await enter(site, "/strong", refreshed.access), acr_values=f"{MFA} {PHISHING_RESISTANT}")


async def test_d06_a_token_of_no_session_is_not_made_any_stronger(site: Service) -> None:
    """Somebody who shares our key need not name a session in what they sign."""
    headers = {"authorization": f"Bearer {forge.token(sub='ann')}"}
    assert_problem(await site.ask("POST", "/otp", headers=headers), "token_revoked")
    assert_problem(await site.post("step-up", headers=headers, json_body=CREDENTIALS), "token_revoked")


# I12: not sticky


def said(service: Service, access: str) -> tuple[Any, ...]:
    claims = service.issuer.verifier.verify(access).claims
    return claims["auth_time"], claims.get("amr"), claims.get("acr")


class Client:
    """Refreshes, loses answers, and notes what every access token says."""

    def __init__(self, service: Service, tokens: Tokens) -> None:
        self.service = service
        self.tokens = tokens
        self.heard: set[tuple[Any, ...]] = set()

    async def refresh(self, **request: Any) -> Tokens:
        answer = await self.service.post("refresh", headers=self.tokens.by_cookie, **request)
        tokens = self.service.tokens(answer)
        auth_time, amr, acr = said(self.service, tokens.access)
        self.heard.add((auth_time, tuple(amr), acr))
        return tokens

    async def rotate(self) -> None:
        self.service.clock.advance(60)
        self.tokens = await self.refresh()
        assert (await self.service.get_in(self.tokens)).status == 200

    async def repeat(self) -> None:
        """The answer is lost and asked for at once, from several tabs."""
        self.service.clock.advance(60)
        answers = [await self.refresh() for _ in range(3)]
        assert len({answer.refresh for answer in answers}) == 1
        self.tokens = answers[-1]

    async def repeat_late(self) -> None:
        """The same, after the leeway."""
        self.service.clock.advance(60)
        await self.refresh()
        self.service.clock.advance(60)
        self.tokens = await self.refresh()


def ways(client: Client) -> Iterator[Any]:
    for round_ in range(20):
        yield (client.rotate, client.repeat, client.repeat_late)[round_ % 3]


async def test_i12_only_a_step_up_moves_anything(service: Service) -> None:
    client = Client(service, await service.login("ann"))
    for way in ways(client):
        await way()
    assert client.heard == {(int(START), ("pwd",), None)}
    names = await service.event_names()
    assert {"rotated", "repeated", "late_repeated"} <= set(names)
    assert "reuse_detected" not in names

    stepped = await service.post("step-up", headers=client.tokens.by_cookie, json_body=CREDENTIALS)
    client.tokens, at = service.tokens(stepped), int(service.clock.now)
    client.heard.clear()
    for way in ways(client):
        await way()
    assert client.heard == {(at, ("pwd",), None)}

    session_id = service.issuer.session_id_of(client.tokens.refresh) or ""
    await service.issuer.confirm(session_id, amr=["pwd", "otp"], acr=MFA)
    at = int(service.clock.now)
    client.heard.clear()
    for way in ways(client):
        await way()
    assert client.heard == {(at, ("pwd", "otp"), MFA)}


@pytest.mark.parametrize("kind", ["json_body", "form"])
async def test_i12_nothing_in_a_refresh_raises_it(service: Service, kind: str) -> None:
    tokens = await service.login("ann", body=True)
    service.clock.advance(60)
    asked = {"acr": MFA, "acr_values": MFA, "amr": "otp", "auth_time": str(int(START) + 60), "max_age": "0"}
    body = {"grant_type": "refresh_token", "refresh_token": tokens.refresh} | CREDENTIALS | asked
    headers = {"x-acr": MFA, "authorization": f"Bearer {tokens.access}"}
    answer = await service.post("refresh", headers=headers, **{kind: body})
    assert said(service, answer.json()["access_token"]) == (int(START), ["pwd"], None)


async def test_i12_a_user_loader_says_who_it_is_and_not_how_well_that_was_shown() -> None:
    async def load(subject: str) -> Identity:
        return Identity(subject, ["read"], amr=["otp"], acr=MFA)

    loading = Service(issuer={"load_identity": load}, authenticate=password_alone)
    tokens = await loading.login("ann")
    loading.clock.advance(60)
    refreshed = loading.tokens(await loading.post("refresh", headers=tokens.by_cookie))
    assert said(loading, refreshed.access) == (int(START), ["pwd"], None)
    await loading.aclose()


@pytest.mark.parametrize("credentials", [{"acr": MFA, "amr": ["otp"]}, {"acr_values": MFA}, {"max_age": 0}])
async def test_i12_nor_does_a_step_up_for_the_asking(service: Service, credentials: dict[str, Any]) -> None:
    tokens = await service.login("ann")
    answer = await service.post("step-up", headers=tokens.by_cookie, json_body=CREDENTIALS | credentials)
    assert said(service, answer.json()["access_token"]) == (int(START), ["pwd"], None)
