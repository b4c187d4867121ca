"""What fuzzing has found, one test each."""

import pytest

from jwt_refresh_middleware import KeyRing
from jwt_refresh_middleware.errors import RefreshInvalid, TokenMalformed
from jwt_refresh_middleware.refresh import RefreshSigner
from jwt_refresh_middleware.web.transport import bearer
from tests.web.support import Service

from .refresh_differential import SECRETS, THEIRS


@pytest.mark.parametrize("payload", [b"!" * 52, b"A" * 50 + b"==", b"A" * 51 + b"\x7f", b"." * 52])
def test_a_payload_that_is_signed_but_no_base64_is_refused_like_any_other(payload: bytes) -> None:
    """Differential test, refresh tokens: binascii.Error came out. It takes one of our keys to sign such a thing."""
    token = THEIRS[0].sign(payload).decode("latin-1")
    assert len(token) == 96
    with pytest.raises(RefreshInvalid):
        RefreshSigner(KeyRing.from_secret(SECRETS)).read(token)


@pytest.mark.case("E04")
@pytest.mark.parametrize("value", [b"Bearer\tabc def", b"bearer\t a.b.c", b"BEARER\t", b"Bearer\t a, b"])
def test_a_tab_behind_the_scheme_is_malformed_whatever_follows(value: bytes) -> None:
    """Hypothesis, Authorization: with a blank further on it was taken for another scheme, as which nobody is told."""
    with pytest.raises(TokenMalformed):
        bearer(value)


@pytest.mark.case("E04")
async def test_a_tab_behind_the_scheme_makes_nobody_anonymous() -> None:
    """The same where a token is optional: what is malformed was let through as if nothing had come."""
    service = Service(required=False)
    tokens = await service.login()
    reply = await service.ask("GET", "/x", headers={"authorization": f"Bearer\t{tokens.access} x"})
    assert (reply.status, reply.code) == (400, "token_malformed")
    assert service.inner.calls == 0
    await service.aclose()
