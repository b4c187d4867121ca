"""Keys: what is too weak or somebody's public key is refused at start-up, and several keys have an order."""

import json
from base64 import urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.errors import TokenInvalid
from jwt_refresh_middleware.keys import derived
from tests.rotation.support import SECRET, Clock, make_issuer

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


def _public_keys() -> list[str]:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    modulus = rsa.generate_private_key(65537, 2048).public_key()
    pems = [key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode() for key in (curve, modulus)]
    ssh = curve.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    numbers = curve.public_numbers()
    x, y = (urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode() for n in (numbers.x, numbers.y))
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    spelled = [*pems, pems[0].strip(), " \n" + pems[0], pems[0].replace("\n", "\r\n"), "\ufeff" + pems[0]]
    return [*spelled, ssh, json.dumps(jwk), json.dumps({"keys": [jwk]})]


@pytest.mark.parametrize("public", _public_keys(), ids=lambda text: text.strip()[:24])
def test_a_public_key_is_no_secret(public: str) -> None:
    with pytest.raises(ValueError):
        Verifier(public)
    with pytest.raises(ValueError):
        Issuer(public, MemoryStore())
    with pytest.raises(ValueError):
        Verifier([SECRET, public])


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


def test_generated_keys_are_random_and_only_of_a_known_kind() -> None:
    assert KeyRing.generate().keys[0].kid != KeyRing.generate().keys[0].kid
    with pytest.raises(ValueError):
        KeyRing.generate("none")  # type: ignore[arg-type]


def test_shared_secrets_are_not_published() -> None:
    assert KeyRing.from_secret(SECRET).jwks() == {"keys": []}


def test_no_repr_shows_a_secret() -> None:
    ring = KeyRing.from_secret(SECRET)
    shown = repr(ring) + repr(ring.keys) + repr(ring.keys[0])
    assert SECRET not in shown
    assert ring.keys[0].kid in shown
    assert derived(ring.secrets[0], b"a") != derived(ring.secrets[0], b"b") != SECRET.encode()
