"""What the strict reading of tokens promises and no other test looks at."""

from datetime import timedelta

import pytest

from jwt_refresh_middleware import MemoryStore, RevocationFeed
from jwt_refresh_middleware.access import Rules
from jwt_refresh_middleware.errors import TokenInvalid, TokenMalformed
from jwt_refresh_middleware.testing import Clock
from jwt_refresh_middleware.web.transport import bearer

from ..rotation.support import NEVER
from ..unit.tokens import token, verifier


def test_who_has_no_key_leaves_nothing_behind() -> None:
    """A header is remembered under which something good came, and no other: else whoever likes fills the memory."""
    checks = verifier(Clock())
    for number in range(10):
        with pytest.raises(TokenInvalid):
            checks.verify(
                token({"alg": "HS256", "typ": "at+jwt", "x": number}, secret="another secret of 32 bytes and more")
            )
    assert not checks._known_keys.headers
    checks.verify(token())
    assert len(checks._known_keys.headers) == 1
    assert len(checks.remembered) == 1


@pytest.mark.parametrize("error", [TypeError, KeyError, RuntimeError, MemoryError])
def test_whatever_goes_wrong_is_a_refusal(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """Also what nobody has thought of: a fault of ours in the reading of a token lets nobody in, and is no 500."""

    def read(*_: object) -> None:
        raise error("a fault of ours")

    checks = verifier(Clock())
    monkeypatch.setattr(Rules, "read", read)
    with pytest.raises(TokenInvalid):
        checks.verify(token())


@pytest.mark.parametrize("value", [b"Bearer a,b", b"Bearer a,", b"Bearer ,a"])
def test_a_comma_alone_makes_it_two_tokens(value: bytes) -> None:
    """Two headers that something on the way has made one of (RFC 9110, 5.3)."""
    with pytest.raises(TokenMalformed):
        bearer(value)


async def test_an_end_is_remembered_as_long_as_its_tokens_live() -> None:
    clock = Clock()
    async with RevocationFeed(MemoryStore(), interval=NEVER, access_ttl=timedelta(minutes=5), clock=clock) as feed:
        feed.add("s", clock())
        clock.advance(299)
        await feed._round()
        assert "s" in feed.ended
        clock.advance(2)
        await feed._round()
        assert "s" not in feed.ended
