"""The middleware with a verifier: checks tokens, has no store and mounts nothing but its public keys."""

import asyncio
import gc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, KeyRing, MemoryStore, RevocationFeed, Verifier
from jwt_refresh_middleware.key_states import Contents
from jwt_refresh_middleware.web.users import AuthenticatedUser

from .asgi import LifespanRun, ask
from .problems import assert_problem
from .support import COOKIE, SECRET, Clock, Inner, Service, check_password


class Gateway:
    """A gateway beside the service that issued the tokens."""

    def __init__(self, **verifier: Any) -> None:
        self.clock = Clock()
        self.inner = Inner()
        self.feed = verifier.get("feed")
        options = {name: verifier.pop(name) for name in ("refresh_url", "required") if name in verifier}
        made = Verifier(verifier.pop("keys", SECRET), clock=self.clock, **verifier)
        self.app = JWTRefreshMiddleware(self.inner, verifier=made, public=["/open"], **options)

    async def get(self, path: str, token: str | None = None) -> Any:
        return await ask(self.app, "GET", path, headers={"authorization": f"Bearer {token}"} if token else {})


async def test_tokens_of_the_issuer_are_good_here(service: Service) -> None:
    gateway = Gateway()
    tokens = await service.login()
    assert (await gateway.get("/x", tokens.access)).body == b"hello alice"
    assert_problem(await gateway.get("/x"), "token_missing")
    assert_problem(await gateway.get("/x", tokens.access + "x"), "token_invalid")
    assert (await gateway.get("/open")).body == b"hello anonymous"
    gateway.clock.advance(900)
    assert_problem(await gateway.get("/x", tokens.access), "token_expired")


def _users() -> list[AuthenticatedUser]:
    return [one for one in gc.get_objects() if type(one) is AuthenticatedUser]


@pytest.mark.parametrize("cache_size", [0, 1])
async def test_a_forgotten_token_leaves_nothing_to_the_garbage_collector(service: Service, cache_size: int) -> None:
    """A circle of references would cost every request its share of a collection."""
    gateway = Gateway(cache_size=cache_size)
    texts = [(await service.login()).access for _ in range(10)]
    gc.collect()
    others = _users()  # of servers that other tests share
    gc.disable()
    try:
        for text in texts:
            assert (await gateway.get("/x", text)).body == b"hello alice"
            gateway.inner.scopes.clear()
        made_here = [user for user in _users() if all(user is not other for other in others)]
        assert len(made_here) == cache_size
    finally:
        gc.enable()


async def test_only_the_keys_are_mounted(service: Service) -> None:
    gateway = Gateway()
    token = (await service.login()).access
    assert (await gateway.get("/auth/jwks.json")).json() == {"keys": []}
    reply = await ask(gateway.app, "POST", "/auth/jwks.json")
    assert_problem(reply, "method_not_allowed")
    assert reply.one("allow") == "GET"
    for path in ("/auth/login", "/auth/refresh", "/auth/logout", "/auth/sessions", "/auth/sessions/x"):
        assert_problem(await ask(gateway.app, "POST", path), "token_missing")
        assert (await gateway.get(path, token)).body == b"hello alice"


async def test_a_refresh_cookie_still_means_refresh() -> None:
    reply = await ask(Gateway().app, "GET", "/x", headers={"cookie": f"{COOKIE}=x"})
    assert_problem(reply, "token_missing", action="refresh")


async def test_it_knows_no_revocations(service: Service) -> None:
    tokens = await service.login()
    await service.issuer.logout(tokens.refresh)
    assert_problem(await service.get_in(tokens), "token_revoked")
    assert (await Gateway().get("/x", tokens.access)).status == 200


class Behind(MemoryStore):
    """A store that can be out of reach."""

    away = False

    async def revocations(self, since: float) -> list[tuple[str, float]]:
        if self.away:
            raise ConnectionError("nobody there")
        return await super().revocations(since)


async def test_a_feed_opens_and_closes_with_the_app(service: Service) -> None:
    feed = RevocationFeed(service.store, interval=timedelta(milliseconds=10), clock=service.clock)
    gateway = Gateway(feed=feed)
    tokens = await service.login()
    await service.issuer.logout((await service.login()).refresh)
    run = LifespanRun(gateway.app)
    assert (await run.tell("startup"))["type"] == "lifespan.startup.complete"
    assert feed.is_running()
    assert len(feed.ended) == 1, "loaded before anything is served"
    assert (await gateway.get("/x", tokens.access)).status == 200
    await service.issuer.logout(tokens.refresh)
    async with asyncio.timeout(10):
        while len(feed.ended) < 2:
            await asyncio.sleep(0.005)
    assert_problem(await gateway.get("/x", tokens.access), "token_revoked")
    assert (await run.tell("shutdown"))["type"] == "lifespan.shutdown.complete"
    assert not feed.is_running()


async def test_without_a_lifespan_the_first_request_opens_the_feed(service: Service) -> None:
    feed = RevocationFeed(service.store, clock=service.clock)
    gateway = Gateway(feed=feed)
    tokens = await service.login()
    await service.issuer.logout(tokens.refresh)
    assert_problem(await gateway.get("/x", tokens.access), "token_revoked")
    assert feed.is_running()
    await feed.close()


async def test_a_feed_that_cannot_be_loaded_lets_nobody_in(service: Service) -> None:
    store = Behind()
    store.away = True
    gateway = Gateway(feed=RevocationFeed(store, clock=service.clock))
    tokens = await service.login()
    reply = await gateway.get("/x", tokens.access)
    assert_problem(reply, "store_unavailable")
    assert reply.one("retry-after") == "1"
    assert gateway.inner.scopes == []
    run = LifespanRun(gateway.app)
    assert (await run.tell("startup"))["type"] == "lifespan.startup.failed"
    store.away = False
    assert (await gateway.get("/x", tokens.access)).status == 200
    await gateway.feed.close()


async def test_a_feed_that_is_cut_off_later_stops_nobody(service: Service) -> None:
    store = Behind()
    feed = RevocationFeed(store, interval=timedelta(milliseconds=10), clock=service.clock)
    gateway = Gateway(feed=feed)
    tokens = await service.login()
    assert (await gateway.get("/x", tokens.access)).status == 200
    store.away = True
    service.clock.advance(5)
    await asyncio.sleep(0.1)
    assert (await gateway.get("/x", tokens.access)).status == 200
    assert feed.status().behind == 5, "which is there to be watched"
    await feed.close()


@pytest.mark.parametrize("seconds", [0, 30, 60])
async def test_leeway(service: Service, seconds: int) -> None:
    gateway = Gateway(leeway=timedelta(seconds=seconds))
    tokens = await service.login()
    gateway.clock.advance(900 + seconds - 0.01)
    assert (await gateway.get("/x", tokens.access)).status == 200
    gateway.clock.advance(0.01)
    assert_problem(await gateway.get("/x", tokens.access), "token_expired")
    gateway.clock.now = service.clock() - seconds
    assert (await gateway.get("/x", (await service.login()).access)).status == 200
    gateway.clock.advance(-1)
    assert_problem(await gateway.get("/x", (await service.login()).access), "token_invalid")


@pytest.mark.parametrize("seconds", [-1, 61, 3600])
def test_leeway_out_of_range(seconds: int) -> None:
    with pytest.raises(ValueError, match="leeway"):
        Gateway(leeway=timedelta(seconds=seconds))


async def test_a_lifespan_without_an_issuer() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise NotImplementedError

    run = LifespanRun(JWTRefreshMiddleware(app, verifier=Verifier(SECRET)))
    assert (await run.tell("startup"))["type"] == "lifespan.startup.complete"
    assert (await run.tell("shutdown"))["type"] == "lifespan.shutdown.complete"


async def test_a_secret_that_is_being_changed(service: Service) -> None:
    newer = "another secret, that is long enough as well: 0123456789"
    token = (await service.login()).access
    assert (await Gateway(keys=[newer, SECRET]).get("/x", token)).status == 200
    assert (await Gateway(keys=KeyRing.from_secret([SECRET, newer])).get("/x", token)).status == 200
    assert_problem(await Gateway(keys=newer).get("/x", token), "token_invalid")


REFRESH = "https://users.example.com/auth/refresh"


async def test_every_401_names_where_to_refresh_if_the_gateway_knows(service: Service) -> None:
    gateway = Gateway(refresh_url=REFRESH)
    token = (await service.login()).access
    replies = [await gateway.get("/x"), await gateway.get("/x", token + "x")]
    gateway.clock.advance(900)
    replies.append(await gateway.get("/x", token))
    assert [reply.json()["code"] for reply in replies] == ["token_missing", "token_invalid", "token_expired"]
    for reply in replies:
        assert_problem(reply, reply.json()["code"])
        assert reply.json()["refresh_url"] == REFRESH
    malformed = await ask(gateway.app, "GET", "/x", headers={"authorization": "Bearer"})
    assert "refresh_url" not in malformed.json(), "which no refresh would mend"
    assert "refresh_url" not in (await Gateway().get("/x")).json()


class Away:
    """Where keys come from, which is away until it tells some."""

    def __init__(self) -> None:
        self.opened = 0
        self.is_running: Callable[[], bool] = lambda: self.opened > 0
        self.tell: Callable[[Contents], None] = lambda _: None

    async def open(self) -> None:
        self.opened += 1

    async def ready(self) -> None:
        await self.open()

    async def close(self) -> None:
        self.opened = 0

    def missed(self) -> None:
        pass


async def test_without_keys_everything_protected_says_try_again_until_they_come(service: Service) -> None:
    source = Away()
    ring = KeyRing((), source=source)
    gateway, optional = Gateway(keys=ring), Gateway(keys=ring, required=False)
    token = (await service.login()).access
    run = LifespanRun(gateway.app)
    assert (await run.tell("startup"))["type"] == "lifespan.startup.complete", "an issuer that is down stops no start"
    assert source.opened == 1
    for reply in (await gateway.get("/x", token), await gateway.get("/x"), await optional.get("/x", token)):
        assert_problem(reply, "keys_unavailable")
        assert reply.one("retry-after") == "1"
    assert_problem(await gateway.get("/auth/jwks.json"), "keys_unavailable")
    assert (await gateway.get("/open", token)).body == b"hello anonymous"
    assert (await optional.get("/x")).body == b"hello anonymous"
    ring.replace(Contents(KeyRing.from_secret(SECRET).held, ()))
    assert (await gateway.get("/x", token)).body == b"hello alice"
    assert_problem(await gateway.get("/x"), "token_missing")
    assert (await run.tell("shutdown"))["type"] == "lifespan.shutdown.complete"
    assert source.opened == 0


async def test_a_feed_and_a_source_of_keys_open_and_close_together(service: Service) -> None:
    source, feed = Away(), RevocationFeed(service.store, clock=service.clock)
    ring = KeyRing(KeyRing.from_secret(SECRET).held, source=source)
    gateway = Gateway(keys=ring, feed=feed)
    assert (await gateway.get("/x", (await service.login()).access)).status == 200, "the first request opens both"
    assert feed.is_running()
    assert source.opened == 1
    run = LifespanRun(gateway.app)
    await run.tell("startup")
    await run.tell("shutdown")
    assert not feed.is_running()
    assert source.opened == 0


def test_an_issuer_refreshes_under_its_own_prefix() -> None:
    with pytest.raises(ValueError, match="refresh_url needs a verifier"):
        JWTRefreshMiddleware(Inner(), issuer=Issuer(SECRET, MemoryStore()), refresh_url=REFRESH)


def test_an_issuer_or_a_verifier() -> None:
    issuer = Issuer(SECRET, MemoryStore())
    for options in ({}, {"issuer": issuer, "verifier": issuer.verifier}):
        with pytest.raises(ValueError, match="an issuer, or a verifier"):
            JWTRefreshMiddleware(Inner(), **options)
    with pytest.raises(ValueError, match="authenticate needs an issuer"):
        JWTRefreshMiddleware(Inner(), verifier=issuer.verifier, authenticate=check_password)


@pytest.mark.parametrize("secret", ["", "x", "x" * 31, ["x" * 40, "short"], [], ["x" * 40, "x" * 40]])
def test_weak_secrets_are_refused_at_startup(secret: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Verifier(secret)
    with pytest.raises(ValueError, match=r".+"):
        Issuer(secret, MemoryStore())
