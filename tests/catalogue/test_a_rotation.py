"""Group A: A16, tokens of a key that has been followed by another; A17, keys that rotate while everybody refreshes."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import DevicePolicy, KeyRing
from jwt_refresh_middleware.key_states import Contents

from ..web.problems import assert_problem
from ..web.support import SECRET, START, Service
from ..web.test_gateway import Gateway
from .attack import Target
from .forge import PAIRS, token

NEWER = "the newer secret of these tests, long enough as well"
ALL = ("HS256", *PAIRS)
DEFAULT_OVERLAP = 960.0
LONG_LIVED = START + 1_000_000


@pytest.mark.parametrize("secrets", [[NEWER, SECRET], [NEWER]], ids=["A16-inside", "A16-outside"])
async def test_the_previous_secret(make_service: Callable[..., Service], secrets: list[str]) -> None:
    before = make_service()
    tokens = await before.login()
    after = make_service(issuer={"secret": secrets, "store": before.store})
    if SECRET in secrets:
        assert (await after.get_in(tokens)).status == 200
        renewed = after.tokens(await after.post("refresh", headers=tokens.by_cookie))
        assert (await make_service(issuer={"secret": NEWER}).get_in(renewed)).status == 200
    else:
        before.store.calls.clear()
        assert_problem(await after.get_in(tokens), "token_invalid")
        assert_problem(await after.post("refresh", headers=tokens.by_cookie), "refresh_invalid")
        assert before.store.calls == ["open", "revocations"]


def _rotate(target: Target) -> None:
    """The key that signs is followed by the next one."""
    ring = target.service.issuer.verifier.keys
    signing = ring.signing
    while ring.signing is signing:
        ring.rotate()


async def _code(target: Target, text: str) -> str | None:
    return (await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {text}"})).code


@pytest.mark.parametrize("algorithm", ALL, indirect=True)
async def test_a16_inside_the_overlap_and_outside(target: Target, algorithm: str) -> None:
    """Tokens that outlive their key; warm: seen before, cold: not."""
    warm = token(exp=LONG_LIVED)
    assert await _code(target, warm) is None
    _rotate(target)
    for at, outcome in (
        (0.0, None),
        (DEFAULT_OVERLAP - 0.001, None),
        (0.001, "token_invalid"),
        (60.0, "token_invalid"),
    ):
        target.service.clock.advance(at)
        if at == 0.001:
            target.honest = await target.service.login()
        cold = token(exp=LONG_LIVED, jti=f"cold at {target.service.clock()}")
        for text in (warm, cold):
            if outcome is None:
                assert await _code(target, text) is None
            else:
                await target.refused(text)


@pytest.mark.parametrize("algorithm", ALL, indirect=True)
@pytest.mark.parametrize("minutes", [1, 15, 60])
async def test_a16_no_token_outlives_its_key(
    make_service: Callable[..., Service], algorithm: str, minutes: int
) -> None:
    """Whatever the lifetime of access tokens is: the last one of a key is good until it expires."""
    service = make_service(issuer={"access_ttl": timedelta(minutes=minutes)})
    ring = service.issuer.verifier.keys
    ring.rotate()
    service.clock.advance(3600)
    last = await service.login()
    ring.rotate()
    service.clock.advance(60 * minutes - 0.001)
    assert (await service.get_in(last)).status == 200
    service.clock.advance(0.001)
    assert_problem(await service.get_in(last), "token_expired")


@pytest.mark.parametrize("algorithm", ALL, indirect=True)
async def test_a16_a_key_that_is_taken_away_is_gone_at_once(target: Target, algorithm: str) -> None:
    """Warm or cold, and under every name that its header can have."""
    ring = target.service.issuer.verifier.keys
    ring.rotate()
    warm, other = token(), token(jti="other")
    assert [await _code(target, text) for text in (warm, target.honest.access)] == [None, None]
    stolen = target.honest
    _rotate(target)
    ring.replace(Contents(tuple(one for one in ring.held if one.state != "previous"), ring.secrets))
    target.honest = await target.service.login()
    for text in (warm, other, stolen.access):
        await target.refused(text)
    renewed = await target.service.post("refresh", headers=stolen.by_cookie)
    assert renewed.status == 200, "the session is as good as it was"


class Clients:
    """Fifty of them, who refresh and ask, here and at a gateway whose keys are as old as the last look."""

    def __init__(self, service: Service, gateway: Gateway) -> None:
        self.service = service
        self.gateway = gateway
        self.statuses: list[int] = []

    async def one(self, rounds: int) -> None:
        tokens = await self.service.login()
        for _ in range(rounds):
            tokens = self.service.tokens(await self.service.post("refresh", headers=tokens.by_cookie))
            await asyncio.sleep(0)
            self.statuses.append((await self.service.get_in(tokens)).status)
            self.statuses.append((await self.gateway.get("/x", tokens.access)).status)


@pytest.mark.parametrize("algorithm", PAIRS, indirect=True)
async def test_a17_fifty_clients_refresh_while_the_keys_rotate(make_service: Any, algorithm: str) -> None:
    service = make_service(issuer={"device_policy": DevicePolicy(refresh_rate=None)})
    ring = service.issuer.verifier.keys
    ring.rotate()
    gateway = Gateway(keys=KeyRing.from_jwks(ring.jwks()))
    clients = Clients(service, gateway)
    kids = set()

    async def rotate() -> None:
        for _ in range(6):
            published = KeyRing.from_jwks(ring.jwks())  # what the gateway has fetched before the key signs
            gateway_ring = gateway.app._verifier.keys
            gateway_ring.replace(Contents(published.held, published.secrets))
            await asyncio.sleep(0)
            ring.rotate()
            kids.add(ring.signing.kid)
            await asyncio.sleep(0)

    await asyncio.gather(*(clients.one(4) for _ in range(50)), rotate())
    assert set(clients.statuses) == {200}
    assert (len(clients.statuses), len(kids)) == (400, 6)
