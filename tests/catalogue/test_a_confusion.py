"""Group A: A03, a public key as an HMAC key: of a forger, and of somebody who sets the service up."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore, Verifier

from ..rotation.support import QUICK
from ..web.support import SECRET
from .attack import Target
from .forge import OURS, PAIRS, b64, claims, header, jws_by_mac, pair
from .spellings import UNRECOGNISABLE, of_public

SPELLINGS = {name: of_public(pair(name, OURS).public_key()) for name in PAIRS}


def _each(*, text_only: bool = False) -> list[Any]:
    return [
        pytest.param(name, spelling, id=f"A03-{name}-{kind}")
        for name, spellings in SPELLINGS.items()
        for kind, spelling in spellings.items()
        if not (text_only and (isinstance(spelling, bytes) or kind in UNRECOGNISABLE))
    ]


@pytest.mark.parametrize(("algorithm", "spelling"), _each(), indirect=["algorithm"])
async def test_the_public_key_is_no_hmac_key(target: Target, algorithm: str, spelling: str | bytes) -> None:
    """Whatever the header says the algorithm is, and whether it names the key or not."""
    kid = target.service.issuer.verifier.keys.keys[0].kid
    for head in (header(alg="HS256"), header(alg="HS256", kid=kid), header(), header(kid=kid)):
        await target.refused(jws_by_mac(head, claims(), spelling))


@pytest.mark.parametrize(("_name", "spelling"), _each(text_only=True))
def test_a_public_key_is_no_shared_secret(_name: str, spelling: str) -> None:
    for make in (lambda secret: Issuer(secret, MemoryStore()), Verifier, lambda secret: Verifier([SECRET, secret])):
        with pytest.raises(ValueError, match=r"shared secret|32 bytes"):
            make(spelling)


BINARY = [
    pytest.param(spelling, id=f"A03-{name}-{kind}")
    for name, spellings in SPELLINGS.items()
    for kind, spelling in spellings.items()
    if isinstance(spelling, bytes) and kind not in UNRECOGNISABLE
]


@pytest.mark.parametrize("binary", BINARY)
def test_a_public_key_is_no_shared_secret_as_bytes_of_a_jwk_either(binary: bytes) -> None:
    with pytest.raises(ValueError, match="shared secret"):
        Verifier(KeyRing.from_jwks({"kty": "oct", "k": b64(binary)}))


_FORMS = {"pkcs8": PrivateFormat.PKCS8, "pkcs1": PrivateFormat.TraditionalOpenSSL}
PRIVATE = {
    f"A03-{name}-{kind}": pair(name, OURS).private_bytes(Encoding.DER, form, NoEncryption())
    for name in PAIRS
    for kind, form in _FORMS.items()
    if (name, kind) != ("EdDSA", "pkcs1")
}


@pytest.mark.parametrize("der", PRIVATE.values(), ids=PRIVATE)
def test_a_private_key_is_no_shared_secret(der: bytes) -> None:
    with pytest.raises(ValueError, match="shared secret"):
        Verifier(b64(der))


@QUICK
@given(st.binary(min_size=32, max_size=64))
@pytest.mark.case("A03")
def test_a_random_secret_is_never_taken_for_a_key(raw: bytes) -> None:
    for secret in (b64(raw), b64(raw) + "=" * (-len(raw) % 3), raw.hex()):
        assert Verifier(secret)
    assert Verifier(KeyRing.from_jwks({"kty": "oct", "k": b64(raw)}))


LOOKING_LIKE_DER = {
    "sequence": b"\x30\x3e" + bytes(62),
    "sequence-of-itself": bytes([48, 62, 48, 60]) + bytes(60),
    "long-length": b"\x30\x82\x00\x3c" + bytes(60),
    "length-of-more": b"\x30\xff" + bytes(62),
    "indefinite": b"\x30\x80" + bytes(62),
    "two-numbers": bytes([48, 62, 2, 29]) + bytes(29) + bytes([2, 29]) + bytes(29),
    "point-on-no-curve": b"\x04" + bytes(range(64)),
    "point-compressed": b"\x02" + bytes(range(32)),
}


@pytest.mark.parametrize("raw", LOOKING_LIKE_DER.values(), ids=LOOKING_LIKE_DER)
@pytest.mark.case("A03")
def test_a_secret_that_only_begins_like_a_key_is_one_no_less(raw: bytes) -> None:
    assert Verifier(b64(raw))
