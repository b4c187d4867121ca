"""Key pairs for the tests of keys: made once, with cryptography itself."""

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from jwt_refresh_middleware import KeyRing
from jwt_refresh_middleware.keys import Key

PAIRS = ("EdDSA", "ES256", "RS256")
ALL = ("HS256", "EdDSA", "Ed25519", "ES256", "RS256")


@cache
def private_key(name: str, number: int = 0) -> Any:
    """One of several private keys for an algorithm."""
    if name in ("EdDSA", "Ed25519"):
        return ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number + 1]) * 32)
    if name == "ES256":
        return ec.derive_private_key(int.from_bytes(bytes([number + 1]) * 32, "big"), ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def private_pem(
    name: str, number: int = 0, *, password: bytes | None = None, form: PrivateFormat = PrivateFormat.PKCS8
) -> bytes:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    made: bytes = private_key(name, number).private_bytes(Encoding.PEM, form, encryption)
    return made


def public_pem(name: str, number: int = 0, *, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    made: bytes = private_key(name, number).public_key().public_bytes(Encoding.PEM, form)
    return made


def private_half(name: str, number: int = 0) -> Key:
    return KeyRing.from_pem(private_pem(name, number)).keys[0]


def public_half(name: str, number: int = 0) -> Key:
    return KeyRing.from_pem(public_pem(name, number)).keys[0]
