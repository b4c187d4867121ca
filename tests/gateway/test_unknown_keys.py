"""10 000 requests under keys that do not exist: what they cost the issuer, and everybody else."""

import asyncio
import json
import secrets
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.encoding import b64url_decode, b64url_encode
from tests.unit.jwks_site import Site, publishing, until
from tests.web.asgi import LifespanRun, Reply, ask
from tests.web.problems import assert_problem
from tests.web.support import Inner

_REQUESTS = 10_000
_HOUR = timedelta(hours=1)


class Gateway:
    """The middleware over a JWK Set that real HTTP brings, and good tokens for it."""

    def __init__(self, site: Site, centre: Issuer, cooldown: timedelta) -> None:
        self.inner = Inner()
        times = {"refresh_interval": 2 * _HOUR, "cooldown": cooldown, "timeout": _HOUR}
        self.verifier = Verifier.from_jwks_url(site.url, **times)
        self.app = JWTRefreshMiddleware(self.inner, verifier=self.verifier)
        self.run = LifespanRun(self.app)
        self._centre = centre

    async def __aenter__(self) -> "Gateway":
        assert (await self.run.tell("startup"))["type"] == "lifespan.startup.complete"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert (await self.run.tell("shutdown"))["type"] == "lifespan.shutdown.complete"

    async def token(self, name: str = "ann") -> str:
        return (await self._centre.login(name)).access_token

    async def get(self, token: str) -> Reply:
        return await ask(self.app, "GET", "/item", headers={"authorization": f"Bearer {token}"})


def _under_another_kid(token: str, kid: Any) -> str:
    """The same in every way, but for the name of the key."""
    header, rest = token.split(".", 1)
    said = json.loads(b64url_decode(header.encode())) | {"kid": kid}
    return f"{b64url_encode(json.dumps(said).encode()).decode()}.{rest}"


def _random_kid() -> str:
    return secrets.token_urlsafe(secrets.randbelow(64) + 1)


@pytest.fixture
async def centre() -> Any:
    async with Issuer(KeyRing.generate("EdDSA"), MemoryStore()) as made:
        yield made


@pytest.mark.case("A09")
async def test_they_cost_one_fetch_in_a_cooldown_and_nobody_waits_for_it(centre: Issuer) -> None:
    """The issuer does not even answer: requests are answered meanwhile, and good tokens stay good."""
    async with (
        Site(publishing(centre.verifier.keys.jwks())) as site,
        Gateway(site, centre, timedelta(milliseconds=10)) as gateway,
    ):
        good = [await gateway.token(f"user-{number}") for number in range(10)]
        warm = good[:5]
        for token in warm:
            assert (await gateway.get(token)).status == 200
        site.gate.clear()
        assert_problem(await gateway.get(_under_another_kid(good[0], _random_kid())), "token_invalid")
        await until(lambda: site.requests == 2)
        codes: Counter[str | None] = Counter()
        for number in range(_REQUESTS):
            codes[(await gateway.get(_under_another_kid(good[number % 10], _random_kid()))).code] += 1
            if number % 100 == 0:
                assert (await gateway.get(good[number // 100 % 10])).status == 200
                await asyncio.sleep(0)
        assert codes == {"token_invalid": _REQUESTS}
        assert site.requests == 2, "the one of the start, and the one that has not been answered yet"
        site.gate.set()


@pytest.mark.case("A09")
async def test_however_many_come_there_is_one_fetch_in_a_cooldown(centre: Issuer) -> None:
    cooldown = timedelta(milliseconds=20)
    async with Site(publishing(centre.verifier.keys.jwks())) as site, Gateway(site, centre, cooldown) as gateway:
        loop, good = asyncio.get_running_loop(), await gateway.token()
        began = loop.time()
        for number in range(_REQUESTS):
            assert (await gateway.get(_under_another_kid(good, _random_kid()))).status == 401
            if number % 10 == 0:
                await asyncio.sleep(0)
        cooldowns = (loop.time() - began) / cooldown.total_seconds()
        assert site.requests <= 2 + cooldowns
        assert (await gateway.get(good)).status == 200
        await until(lambda: site.requests >= 2)


@pytest.mark.case("A09")
async def test_ten_thousand_requests_within_one_cooldown_cause_no_fetch(centre: Issuer) -> None:
    async with Site(publishing(centre.verifier.keys.jwks())) as site, Gateway(site, centre, _HOUR) as gateway:
        good = await gateway.token()
        for number in range(_REQUESTS):
            assert (await gateway.get(_under_another_kid(good, _random_kid()))).status == 401
            if number % 10 == 0:
                await asyncio.sleep(0)
        assert site.requests == 1, "the one of the start"
        assert (await gateway.get(good)).status == 200


@pytest.mark.parametrize(
    "kid", [1, None, [], {}, True, "", "x" * 6000, "../../dev/null", "http://127.0.0.1:1/", "a\0b"]
)
@pytest.mark.case("A08", "A09", "A10")
async def test_whatever_a_kid_is_it_is_refused_and_no_more_than_a_fetch(centre: Issuer, kid: Any) -> None:
    async with Site(publishing(centre.verifier.keys.jwks())) as site, Gateway(site, centre, _HOUR) as gateway:
        assert_problem(await gateway.get(_under_another_kid(await gateway.token(), kid)), "token_invalid")
        await asyncio.sleep(0)
        assert site.requests == 1
        assert gateway.inner.calls == 0


async def test_what_is_no_access_token_asks_for_nothing(centre: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kid counts only in a header that could be one of ours."""
    async with (
        Site(publishing(centre.verifier.keys.jwks())) as site,
        Gateway(site, centre, timedelta(milliseconds=10)) as gateway,
    ):
        asked: list[None] = []
        monkeypatch.setattr(gateway.verifier.keys.source, "missed", lambda: asked.append(None))
        token = await gateway.token()
        header = json.loads(b64url_decode(token.partition(".")[0].encode())) | {"kid": "unknown"}
        for change in ({"typ": "JWT"}, {"typ": None}, {"crit": ["b64"]}, {"jku": site.url}, {"alg": 1}):
            changed = b64url_encode(json.dumps(header | change).encode()).decode()
            reply = await gateway.get(f"{changed}.{token.partition('.')[2]}")
            assert_problem(reply, "token_invalid")
        assert (await gateway.get("x" * 9000)).status == 401
        assert (await gateway.get(token + "A")).status == 401
        assert asked == []
        changed = _under_another_kid(token, "unknown")
        assert (await gateway.get(changed)).status == 401
        assert asked == [None]
