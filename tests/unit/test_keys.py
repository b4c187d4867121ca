"""Shared secrets: what is too weak or somebody's public key is refused at start-up, and several have an order."""

import hashlib
import hmac
import pickle

import jwt
import pytest

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.encoding import b64url_encode
from jwt_refresh_middleware.errors import TokenInvalid
from jwt_refresh_middleware.keys import HmacKey, derived
from tests.catalogue.spellings import of_public
from tests.rotation.support import SECRET, Clock, make_issuer

from .pairs import PAIRS, private_key

OLD, NEW, OTHER = "the old secret".ljust(40, "."), "the new secret".ljust(40, "."), "another secret".ljust(40, ".")


@pytest.mark.parametrize(
    "weak", ["", "short", "x" * 31, [], [""], [SECRET, "x" * 31], [SECRET, SECRET], "ä" * 15, "\ud800" * 40]
)
def test_weak_secrets_are_refused(weak: str | list[str]) -> None:
    for make in (KeyRing.from_secret, Verifier, lambda secret: Issuer(secret, MemoryStore())):
        with pytest.raises(ValueError):
            make(weak)


@pytest.mark.parametrize("wrong", [b"x" * 40, [b"x" * 40], None, 12, [None], [1]])
def test_what_is_no_text_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError):
        KeyRing.from_secret(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("good", ["x" * 32, "ä" * 16, ["x" * 32, "y" * 32]])
def test_thirty_two_bytes_are_enough(good: str | list[str]) -> None:
    assert KeyRing.from_secret(good).keys


@pytest.mark.parametrize(
    "spelling", [one for name in PAIRS for one in list(of_public(private_key(name).public_key()).values())[:3]]
)
def test_a_public_key_is_no_secret(spelling: str) -> None:
    """More of them: ``tests/catalogue/test_a_confusion.py``."""
    for make in (Verifier, lambda public: Issuer(public, MemoryStore()), lambda public: Verifier([SECRET, public])):
        with pytest.raises(ValueError, match="shared secret"):
            make(spelling)


def test_a_secret_that_utf8_cannot_write_is_not_quoted() -> None:
    """As Python reads an environment variable that is no UTF-8; a UnicodeEncodeError would hold all of it."""
    with pytest.raises(ValueError, match="UTF-8") as raised:
        KeyRing.from_secret(SECRET + "\udcff")
    assert not isinstance(raised.value, UnicodeError)
    assert raised.value.__cause__ is None
    assert SECRET not in repr(raised.value)


async def _token(secret: str | list[str] | KeyRing) -> str:
    return (await make_issuer(MemoryStore(), Clock(), secret=secret).login("ann")).access_token


async def test_the_first_of_several_secrets_signs_and_all_verify() -> None:
    clock, both = Clock(), [NEW, OLD]
    assert Verifier(NEW, clock=clock).verify(await _token(both))
    with pytest.raises(TokenInvalid):
        Verifier(OLD, clock=clock).verify(await _token(both))
    for signed_by in (NEW, OLD, both):
        assert Verifier(both, clock=clock).verify(await _token(signed_by)).subject == "ann"
    with pytest.raises(TokenInvalid):
        Verifier(both, clock=clock).verify(await _token(OTHER))


async def test_a_ring_is_taken_as_it_is() -> None:
    ring = KeyRing.from_secret([NEW, OLD])
    assert Verifier(ring, clock=Clock()).verify(await _token(ring)).subject == "ann"


async def test_the_key_is_the_secret_as_it_stands() -> None:
    unchecked = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
    claims = jwt.decode(await _token(SECRET), SECRET, algorithms=["HS256"], options=unchecked)
    assert claims["sub"] == "ann"


def test_no_repr_shows_a_secret() -> None:
    ring = KeyRing.from_secret(SECRET)
    shown = repr(ring) + repr(ring.keys) + repr(ring.keys[0]) + str(ring.held)
    assert SECRET not in shown
    assert ring.keys[0].kid in shown
    for look in (vars, pickle.dumps):
        for thing in (ring, ring.keys[0]):
            with pytest.raises(TypeError):
                look(thing)


def test_the_kid_of_a_secret_tells_nothing_about_it_but_is_always_the_same() -> None:
    kids = {HmacKey(SECRET.encode()).kid, HmacKey(SECRET.encode()).kid}
    assert len(kids) == 1
    assert kids != {HmacKey(OLD.encode()).kid}
    for hashed in (hashlib.sha256(SECRET.encode()).digest(), hmac.digest(SECRET.encode(), b"", "sha256")):
        assert b64url_encode(hashed)[:12].decode() not in kids


def test_keys_for_different_purposes_have_nothing_in_common() -> None:
    assert derived(SECRET.encode(), b"a") != derived(SECRET.encode(), b"b") != SECRET.encode()


def test_a_mac_has_one_spelling() -> None:
    key, message = HmacKey(SECRET.encode()), b"header.payload"
    good = b64url_encode(hmac.digest(SECRET.encode(), message, "sha256"))
    assert b64url_encode(key.sign(message)) == good
    assert key.verifies(message, good)
    others = [good[:-1] + bytes([one]) for one in range(256) if one != good[-1]]
    others += [
        b"",
        good[:-1],
        good + b"=",
        good + b"A",
        b" " + good,
        good + b"\n",
        good[:9] + b"!" + good[9:],
        good * 2,
    ]
    assert not any(key.verifies(message, other) for other in others)
    assert not key.verifies(message + b"x", good)


def test_a_shared_secret_is_not_published() -> None:
    key = HmacKey(SECRET.encode())
    assert key.public_jwk() is None
    assert key.accepted == {"HS256"}
    assert KeyRing([key]).jwks() == {"keys": []}
