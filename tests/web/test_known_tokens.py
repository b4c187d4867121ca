"""A token that was seen before takes a short way in: it must let in nobody whom the long way would not."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jwt_refresh_middleware import Cookie, Issuer, JWTRefreshMiddleware, login

from .asgi import ask
from .problems import assert_problem
from .support import NEVER, SECRET, Clock, CountingStore, Inner, Service, Tokens


@pytest.fixture
async def known(service: Service) -> Tokens:
    """Tokens of alice; the middleware has seen the access token."""
    tokens = await service.login()
    assert (await service.get_in(tokens)).body == b"hello alice"
    return tokens


async def test_it_expires_to_the_second(service: Service, known: Tokens) -> None:
    service.clock.advance(899.999)
    assert (await service.get_in(known)).status == 200
    service.clock.advance(0.001)
    assert_problem(await service.get_in(known), "token_expired")


async def test_it_is_refused_once_its_session_ended(service: Service, known: Tokens) -> None:
    other = await service.login("bob")
    await service.issuer.logout(other.refresh)
    assert (await service.get_in(known)).status == 200
    await service.issuer.logout(known.refresh)
    for _ in range(2):
        assert_problem(await service.get_in(known), "token_revoked")
    assert service.inner.calls == 2


@pytest.mark.parametrize("places", [(0, 1), (1, 0), (0, 1, 0), (0, 0), (0, 0, 0)])
async def test_two_headers_are_refused_although_one_is_known(
    service: Service, known: Tokens, places: tuple[int, ...]
) -> None:
    values = (known.bearer["authorization"], "Bearer x.y.z")
    headers = [("authorization", values[place]) for place in places]
    assert_problem(await service.ask("GET", "/private", headers=headers), "token_malformed")


@pytest.mark.parametrize("change", ["bearer {}", "BEARER {}", "Bearer  {}", "Bearer {} ", "Bearer {}\t"])
async def test_another_spelling_of_the_header_is_the_same_token(service: Service, known: Tokens, change: str) -> None:
    for _ in range(3):
        reply = await service.ask("GET", "/private", headers={"authorization": change.format(known.access)})
        assert reply.body == b"hello alice"
    assert len(service.issuer.verifier.remembered) == 1


@pytest.mark.parametrize(
    "change", ["Bearer {}.", "Bearer {}=", "Bearer {},", "Bearer{}", "{}", "Basic {}", "Bearer {}x", "Bearer x{}"]
)
async def test_nothing_else_is(service: Service, known: Tokens, change: str) -> None:
    reply = await service.ask("GET", "/private", headers={"authorization": change.format(known.access)})
    assert reply.status in (400, 401)


async def test_the_routes_are_answered_all_the_same(service: Service, known: Tokens) -> None:
    listed = await service.ask("GET", "/auth/sessions", headers=known.bearer)
    assert [session["current"] for session in listed.json()["sessions"]] == [True]
    below = await service.ask("GET", "/api/auth/sessions", headers=known.bearer, root_path="/api")
    assert below.json() == listed.json()
    assert (await service.ask("GET", "/x/auth/sessions", headers=known.bearer)).body == b"hello alice"
    service.tokens(await service.post("refresh", headers=known.bearer | known.by_cookie))


async def test_a_closed_issuer_is_opened_again(service: Service, known: Tokens) -> None:
    await service.issuer.aclose()
    service.store.calls.clear()
    assert (await service.get_in(known)).status == 200
    assert "revocations" in service.store.calls, "what ended meanwhile is not known otherwise"


async def test_only_the_first_request_with_a_token_is_an_acknowledgement(service: Service, known: Tokens) -> None:
    fresh = service.tokens(await service.post("refresh", headers=known.by_cookie))
    noted = service.issuer.backing.acknowledgements
    assert noted.known(service.issuer.session_id_of(fresh.refresh) or "") == -1
    for expected in ({service.issuer.session_id_of(fresh.refresh): 1}, {}, {}):
        assert (await service.get_in(fresh)).status == 200
        assert noted.take() == expected


async def test_middlewares_that_share_an_issuer_do_not_share_their_settings() -> None:
    async def handler(request: Request) -> Response:
        return await login(request, "carol")

    store, site = CountingStore(), Starlette(routes=[Route("/in", handler, methods=["POST"])])
    async with Issuer(SECRET, store, clock=Clock(), sync_interval=NEVER) as issuer:
        apps = [JWTRefreshMiddleware(site, issuer=issuer, cookie=Cookie(name=name)) for name in ("one", "two")]
        apps.append(JWTRefreshMiddleware(Inner(), issuer=issuer))
        headers = {"authorization": f"Bearer {(await issuer.login('bob')).access_token}"}
        for _ in range(2):
            for app, name in zip(apps, ("one", "two"), strict=False):
                reply = await ask(app, "POST", "/in", headers=headers)
                assert reply.one("set-cookie").startswith(f"__Host-{name}=")
            assert (await ask(apps[2], "GET", "/x", headers=headers)).body == b"hello bob"


async def test_what_requests_with_one_token_share_cannot_be_changed(service: Service, known: Tokens) -> None:
    scope = service.inner.scopes[0]
    for shared in (scope["user"], scope["auth"]):
        with pytest.raises(AttributeError, match=r"request\.state"):
            shared.tenant = "mine"
    with pytest.raises(AttributeError):
        scope["user"].token = None
    scope["auth"].scopes.append("admin")
    await service.get_in(known)
    assert service.inner.scopes[1]["auth"].scopes == ["authenticated", "read", "write"]
