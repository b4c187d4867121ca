"""Keys as text: PEM and JWK. What is odd in a JWK: ``tests/catalogue/test_a_keys.py``."""

import subprocess
import sys
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import jwt_refresh_middleware
from jwt_refresh_middleware import KeyRing, signatures
from jwt_refresh_middleware.key_texts import MAX_KEYS, key_of_jwk, keys_of_pem, keys_of_set, new_key, private_members
from jwt_refresh_middleware.keys import HmacKey

from .pairs import ALL, PAIRS, private_half, private_key, private_pem, public_half, public_pem

FORMS = {
    "EdDSA": (PrivateFormat.PKCS8,),
    "ES256": (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL),
    "RS256": (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL),
}


def _kids(pem: str | bytes, password: bytes | None = None) -> list[str]:
    return [key.kid for key in keys_of_pem(pem, password)]


@pytest.mark.parametrize("name", PAIRS)
def test_every_form_of_pem_is_read(name: str) -> None:
    for form in FORMS[name]:
        key = keys_of_pem(private_pem(name, form=form))[0]
        assert (key.kid, key.is_private, key.algorithm) == (private_half(name).kid, True, name)
    key = keys_of_pem(public_pem(name))[0]
    assert (key.kid, key.is_private) == (private_half(name).kid, False)


def test_a_public_rsa_key_may_be_pkcs1() -> None:
    assert _kids(public_pem("RS256", form=PublicFormat.PKCS1)) == [public_half("RS256").kid]


@pytest.mark.parametrize("name", PAIRS)
def test_pem_may_be_text_or_bytes_and_have_other_text_around_it(name: str) -> None:
    pem, kid = private_pem(name).decode(), private_half(name).kid
    for text in (
        pem,
        f"Bag Attributes\nfriendlyName: Schlüssel\n{pem}\n# the end",
        pem.replace("\n", "\r\n"),
        pem.strip(),
    ):
        assert _kids(text) == _kids(text.encode()) == [kid]


def test_several_blocks_keep_their_order() -> None:
    pem = private_pem("EdDSA") + b"and the one before:\n" + public_pem("EdDSA", 1) + private_pem("ES256")
    assert _kids(pem) == [private_half("EdDSA").kid, public_half("EdDSA", 1).kid, private_half("ES256").kid]


def test_what_openssl_ecparam_writes_before_a_key_is_passed_over() -> None:
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = private_pem("ES256", form=PrivateFormat.TraditionalOpenSSL)
    assert _kids(parameters + key) == [private_half("ES256").kid]
    with pytest.raises(ValueError, match="no key in this PEM"):
        keys_of_pem(parameters)


@pytest.mark.parametrize(
    "label", ["CERTIFICATE", "X509 CRL", "CERTIFICATE REQUEST", "OPENSSH PRIVATE KEY", "DH PARAMETERS"]
)
def test_other_blocks_are_refused_by_their_name(label: str) -> None:
    block = f"-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n"
    for text in (block, private_pem("EdDSA").decode() + block):
        with pytest.raises(ValueError, match=f"a PEM block of {label} is not read; PRIVATE KEY and PUBLIC KEY are"):
            keys_of_pem(text)


@pytest.mark.parametrize("name", PAIRS)
def test_encrypted_pem(name: str) -> None:
    for form in FORMS[name]:
        pem = private_pem(name, password=b"open sesame", form=form)
        assert _kids(pem, b"open sesame") == [private_half(name).kid]
        with pytest.raises(ValueError, match="not given"):
            keys_of_pem(pem)
        with pytest.raises(ValueError, match="password is wrong"):
            keys_of_pem(pem, b"another")
    with pytest.raises(ValueError, match="not encrypted"):
        keys_of_pem(private_pem(name), b"open sesame")


@pytest.mark.parametrize("name", PAIRS)
def test_a_password_does_not_matter_to_public_keys(name: str) -> None:
    assert _kids(public_pem(name), b"open sesame") == [public_half(name).kid]


DAMAGED = {
    "empty": "",
    "no-pem": "a secret",
    "no-end": private_pem("EdDSA").decode().replace("END", "BEGIN"),
    "labels-differ": private_pem("EdDSA").decode().replace("END PRIVATE", "END PUBLIC"),
    "nothing-in-it": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
    "no-base64": "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----",
    "another-kind": private_pem("EdDSA").decode().replace("PRIVATE", "PUBLIC"),
    "cut": private_pem("ES256").decode().replace("MIGH", "MIG"),
    "too-many": public_pem("EdDSA").decode() * (MAX_KEYS + 1),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_what_cannot_be_read_is_an_error_that_quotes_nothing(text: str) -> None:
    for pem in (text, text.encode()):
        with pytest.raises(ValueError) as raised:
            keys_of_pem(pem)
        assert private_pem("EdDSA").decode().split("\n")[1] not in str(raised.value) + repr(raised.value)


@pytest.mark.parametrize("name", PAIRS)
def test_der_in_place_of_pem_is_not_quoted_either(name: str) -> None:
    """Whoever reports errors reports their arguments: a UnicodeDecodeError would have the key among them."""
    der = private_key(name).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="no key in this PEM") as raised:
        keys_of_pem(der)
    assert not isinstance(raised.value, UnicodeError)
    assert raised.value.__cause__ is None


def test_what_the_library_was_built_without_is_an_error_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise UnsupportedAlgorithm("not in this build")

    for loader in ("load_pem_private_key", "load_pem_public_key"):
        monkeypatch.setattr(signatures, loader, unsupported)
    for pem in (private_pem("EdDSA"), public_pem("EdDSA")):
        with pytest.raises(ValueError, match="cannot be read"):
            keys_of_pem(pem)


@pytest.mark.parametrize("name", ALL)
def test_new_keys_are_private_random_and_for_their_algorithm(name: str) -> None:
    one, other = new_key(name), new_key(name)
    assert one.is_private
    assert one.algorithm == name
    assert one.kid != other.kid


@pytest.mark.parametrize("name", ["none", "", "hs256", "RS512", "ES384", "PS256", None, 1, []])
def test_there_are_no_keys_for_other_algorithms(name: Any) -> None:
    with pytest.raises(ValueError, match="supported are HS256, EdDSA, Ed25519, ES256, RS256"):
        new_key(name)


def test_a_shared_secret_as_jwk() -> None:
    key = HmacKey(bytes(range(32)), "its name")
    again = key_of_jwk(key.private_jwk())
    assert again == key
    assert again.kid == "its name"
    assert key_of_jwk({"kty": "oct", "k": key.private_jwk()["k"]}).kid == HmacKey(key.secret).kid


@pytest.mark.parametrize("operations", [None, ["verify"], ["sign"], ["sign", "verify"], ["verify", "encrypt", 1]])
def test_a_private_key_may_say_that_it_signs_or_verifies(operations: Any) -> None:
    assert key_of_jwk(private_half("ES256").private_jwk() | {"key_ops": operations}).is_private


def test_a_set_is_a_list_of_some_keys_or_one_key_alone() -> None:
    jwk = public_half("EdDSA").public_jwk() or {}
    for jwks in (jwk, {"keys": [jwk]}, {"keys": [jwk], "more": 1}):
        assert [key.kid for key in keys_of_set(jwks)] == [public_half("EdDSA").kid]
    assert keys_of_set({"keys": []}) == []
    many = [jwk | {"kid": str(number)} for number in range(MAX_KEYS + 1)]
    assert len(keys_of_set({"keys": many[:-1]})) == MAX_KEYS
    for odd in ({"keys": many}, {"keys": jwk}, {"keys": None}, {}, [jwk], None, "{}", 1):
        for tolerant in (None, list[ValueError]().append):
            with pytest.raises(ValueError):
                keys_of_set(odd, tolerant=tolerant)


def test_which_members_are_private() -> None:
    for name in PAIRS:
        assert private_members(private_half(name).private_jwk())
        assert not private_members(public_half(name).public_jwk() or {})
    assert private_members(HmacKey(bytes(32)).private_jwk()) == {"k"}


@pytest.fixture
def without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "jwt_refresh_middleware.signatures", raising=False)
    monkeypatch.delattr(jwt_refresh_middleware, "signatures", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_cryptography")
def test_without_cryptography_it_is_said_what_is_missing() -> None:
    text = r"need cryptography: pip install 'jwt-refresh-middleware\[crypto\]'"
    pem = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"
    jwks = ({"kty": "OKP", "crv": "Ed25519", "x": "eA"}, {"kty": "RSA", "n": "eA", "e": "AQAB"})
    calls: list[Any] = [lambda: KeyRing.from_pem(pem), lambda: KeyRing.generate("ES256")]
    calls += [lambda jwk=jwk: KeyRing.from_jwks(jwk) for jwk in (*jwks, {"kty": "EC", "crv": "P-256"})]
    for call in calls:
        with pytest.raises(ImportError, match=text):
            call()
    assert KeyRing.generate("HS256").signing is not None


_HS256_ALONE = """
import sys
sys.modules["cryptography"] = None
import asyncio
from jwt_refresh_middleware import Issuer, MemoryStore
async def main():
    async with Issuer("a secret of more than thirty-two bytes", MemoryStore()) as issuer:
        pair = await issuer.login("ann")
        print(issuer.verifier.verify((await issuer.refresh(pair.refresh_token)).access_token).subject)
asyncio.run(main())
assert "jwt_refresh_middleware.signatures" not in sys.modules
"""


def test_hs256_works_where_cryptography_is_not_installed() -> None:
    done = subprocess.run([sys.executable, "-c", _HS256_ALONE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "ann\n"), done.stderr
