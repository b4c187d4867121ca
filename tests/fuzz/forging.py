"""Tokens that are taken apart and put together again under the right key: nothing here refuses anything."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jwt_refresh_middleware.testing import NOW

ISSUER, AUDIENCE = "https://users.example.com", "api"
Ring = Literal["secrets", "pairs"]
RINGS: tuple[Ring, ...] = ("secrets", "pairs")


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """A key that a verifier knows, and how to sign with it.

    Attributes:
        algorithm: the name that its own tokens carry; ``names``: all that it may be called.
        ring: which verifier knows it.
        public: what cryptography calls its public half; the secret itself for HS256.
        sign: the bytes of a signature as they stand in a JWS.
    """

    kid: str
    algorithm: str
    names: tuple[str, ...]
    ring: Ring
    public: Any
    private: Any
    sign: Callable[[bytes], bytes]

    def public_forms(self) -> list[bytes]:
        """What the confusion of algorithms takes for a shared secret (RFC 8725, 2.1)."""
        if self.ring == "secrets":
            return [b"", b"\0" * 32]
        pem = self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return [pem, pem.strip(), self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]


def _of_secret(name: str, secret: bytes) -> Signing:
    return Signing(
        kid=name, algorithm="HS256", names=("HS256",), ring="secrets", public=secret, private=secret,
        sign=lambda message: hmac.digest(secret, message, "sha256"),
    )  # fmt: skip


def _of_ed25519(name: str, algorithm: str) -> Signing:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    return Signing(
        kid=name, algorithm=algorithm, names=("EdDSA", "Ed25519"), ring="pairs", public=key.public_key(), private=key,
        sign=key.sign,
    )  # fmt: skip


def _of_p256(name: str) -> Signing:
    key = ec.derive_private_key(int.from_bytes(hashlib.sha256(name.encode()).digest()[1:], "big"), ec.SECP256R1())

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return Signing(
        kid=name, algorithm="ES256", names=("ES256",), ring="pairs", public=key.public_key(), private=key, sign=sign
    )


def _of_rsa(name: str) -> Signing:
    key = rsa.generate_private_key(65537, 2048)
    return Signing(
        kid=name, algorithm="RS256", names=("RS256",), ring="pairs", public=key.public_key(), private=key,
        sign=lambda message: key.sign(message, padding.PKCS1v15(), SHA256()),
    )  # fmt: skip


@cache
def keys() -> dict[str, Signing]:
    """By their ``kid``: two secrets, and pairs of each algorithm. They are always the same, but for the RSA key."""
    made = [
        _of_secret("secret-1", b"the first secret of the fuzzers, over 32 bytes"),
        _of_secret("secret-2", b"the second secret of the fuzzers, over 32 bytes"),
        _of_ed25519("ed-1", "EdDSA"),
        _of_ed25519("ed-2", "Ed25519"),
        _of_p256("ec-1"),
        _of_rsa("rsa-1"),
    ]
    return {key.kid: key for key in made}


@dataclass(slots=True)
class Draft:
    """A token before it is signed. What is set of the later stages counts instead of what the earlier ones make.

    Attributes:
        header, claims: values; ``header_text``, ``payload_text``: their JSON; ``header_segment``, ``payload_segment``:
            what stands in the token.
    """

    key: Signing
    header: Any
    claims: Any
    header_text: bytes | None = None
    payload_text: bytes | None = None
    header_segment: bytes | None = None
    payload_segment: bytes | None = None
    others: list[bytes] = field(default_factory=list)

    def texts(self) -> tuple[bytes, bytes]:
        return (
            compact(self.header) if self.header_text is None else self.header_text,
            compact(self.claims) if self.payload_text is None else self.payload_text,
        )

    def segments(self) -> tuple[bytes, bytes]:
        header, payload = self.texts()
        return (
            b64(header) if self.header_segment is None else self.header_segment,
            b64(payload) if self.payload_segment is None else self.payload_segment,
        )

    def signed(self) -> bytes:
        """The token: whatever it says, its signature is good."""
        message = b".".join(self.segments())
        return message + b"." + b64(self.key.sign(message))


def draft(rng: Random, key: Signing) -> Draft:
    """A good token, as ours or another issuer's: which of the optional claims and headers it has is drawn."""
    header: dict[str, Any] = {"alg": key.algorithm, "typ": "at+jwt", "kid": key.kid}
    if rng.random() < 0.2:
        del header["kid"]
    started = int(NOW) - rng.randrange(0, 600)
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "sub": rng.choice(["ann", "user-1", "\N{GREEK SMALL LETTER ALPHA}", "a" * 80]),
        "aud": AUDIENCE if rng.random() < 0.7 else [AUDIENCE, "other"],
        "exp": started + 900,
        "iat": started,
        "jti": f"{rng.getrandbits(64):x}",
    }
    optional = {
        "sid": "s-1", "gen": rng.randrange(9), "auth_time": started, "scope": "read write", "nbf": started,
        "client_id": "web", "amr": ["pwd"], "acr": "high", "plan": {"name": "pro", "seats": [1, 2.5, None]},
    }  # fmt: skip
    claims |= {name: value for name, value in optional.items() if rng.random() < 0.5}
    return Draft(key, header, claims)
