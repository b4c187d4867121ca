"""Group A over HTTP, on every server: A16 and A17, keys that are followed by others while the service runs."""

import pytest

from ..web.asgi import Reply
from ..web.problems import assert_problem
from ..web.support import START
from .forge import PAIRS, token
from .test_a_rotation import DEFAULT_OVERLAP
from .wire_service import Wire, WireService, made

ALL = ("HS256", *PAIRS)
LONG_LIVED = START + 1_000_000


def rotate(service: WireService) -> str:
    """Until the key that signs is another one; the ``kid`` of that."""
    ring = service.issuer.verifier.keys
    before = ring.signing.kid
    while (kid := str(ring.signing.kid)) == before:
        ring.rotate()
    return kid


@pytest.mark.parametrize("algorithm", ALL, indirect=True)
async def test_a16_inside_the_overlap_and_outside(wire: Wire, algorithm: str) -> None:
    """Warm: a token that was shown before, cold: one that was not. Both are signed by the first key."""
    service = WireService(wire)
    warm = token(exp=LONG_LIVED)

    async def outcomes() -> list[str | None]:
        cold = token(exp=LONG_LIVED, jti=f"cold at {service.clock()}")
        wire.keep_secret([warm, cold])
        shown = [{"authorization": f"Bearer {text}"} for text in (warm, cold)]
        replies = [await service.ask("GET", "/x", headers=headers) for headers in shown]
        return [reply.code for reply in replies]

    assert await outcomes() == [None, None]
    rotate(service)
    for later, code in (
        (0.0, None),
        (DEFAULT_OVERLAP - 0.001, None),
        (0.001, "token_invalid"),
        (60.0, "token_invalid"),
    ):
        service.clock.advance(later)
        service.forget()
        assert await outcomes() == [code, code], later
        assert service.seen()["paths"] == ([] if code else ["/x", "/x"])
    assert (await service.get_in(await service.login())).body == b"hello alice"


@pytest.mark.parametrize("algorithm", ALL, indirect=True)
async def test_a17_ten_clients_refresh_while_the_keys_rotate(wire: Wire, algorithm: str) -> None:
    """Half of the answers are signed before the change, the other half after it: nobody is turned away."""
    service = WireService(wire)
    several = [await service.login() for _ in range(10)]
    lines = [wire.another() for _ in several]
    kids = set()

    def ask(numbers: range, method: str, path: str, header: str) -> list[Reply]:
        for n in numbers:
            lines[n].send(made(method, path, headers=getattr(several[n], header))[0])
        return [lines[n].reply() for n in numbers]

    for _ in range(3):
        for half in (range(5), range(5, 10)):
            for n, reply in zip(half, ask(half, "POST", "/auth/refresh", "by_cookie"), strict=True):
                several[n] = service.tokens(reply)
            kids.add(rotate(service))
        assert {reply.body for reply in ask(range(10), "GET", "/x", "bearer")} == {b"hello alice"}
    for line in lines:
        line.close()
    assert len(kids) == 6
    assert_problem(await service.ask("GET", "/x", headers={"authorization": "Bearer x"}), "token_invalid")
