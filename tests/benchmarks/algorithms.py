"""Keys and tokens for every algorithm, and what no verifier can avoid of each: the bare check of one signature."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore

from .common import AUDIENCE, ISSUER, SECRET

ALGORITHMS = ("HS256", "EdDSA", "ES256", "RS256")

Check = Callable[[bytes, bytes], object]
"""Of a signature and what it signs; raises if they do not belong together."""


def _decoded(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))


def _hs256(_jwk: dict[str, str]) -> Check:
    key, digest, equal = SECRET.encode(), hmac.digest, hmac.compare_digest

    def check(signature: bytes, signed: bytes) -> None:
        assert equal(digest(key, signed, "sha256"), signature)

    return check


def _eddsa(jwk: dict[str, str]) -> Check:
    return Ed25519PublicKey.from_public_bytes(_decoded(jwk["x"])).verify


def _es256(jwk: dict[str, str]) -> Check:
    x, y = (int.from_bytes(_decoded(jwk[name]), "big") for name in "xy")
    verify = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key().verify
    number, algorithm = int.from_bytes, ECDSA(SHA256())

    def check(signature: bytes, signed: bytes) -> None:
        r, s = number(signature[:32], "big"), number(signature[32:], "big")
        verify(encode_dss_signature(r, s), signed, algorithm)

    return check


def _rs256(jwk: dict[str, str]) -> Check:
    e, n = (int.from_bytes(_decoded(jwk[name]), "big") for name in "en")
    verify, padding, algorithm = RSAPublicNumbers(e, n).public_key().verify, PKCS1v15(), SHA256()
    return lambda signature, signed: verify(signature, signed, padding, algorithm)


_CHECKS: dict[str, Callable[[dict[str, str]], Check]] = {
    "HS256": _hs256,
    "EdDSA": _eddsa,
    "ES256": _es256,
    "RS256": _rs256,
}


class Signed:
    """The keys of one algorithm and access tokens that an issuer has made with them.

    Attributes:
        algorithm: its name.
        keys: one key, which is private or a secret.
        tokens: of as many sessions.
    """

    def __init__(self, algorithm: str, keys: KeyRing, tokens: list[str]) -> None:
        self.algorithm, self.keys, self.tokens = algorithm, keys, tokens
        public = keys.jwks()["keys"]
        self._check = _CHECKS[algorithm](public[0] if public else {})

    @classmethod
    async def by(cls, algorithm: Any, count: int) -> "Signed":
        """``count`` tokens of a new key; HS256 has the secret of all benchmarks."""
        keys = KeyRing.from_secret(SECRET) if algorithm == "HS256" else KeyRing.generate(algorithm)
        async with Issuer(keys, MemoryStore(), issuer=ISSUER, audience=AUDIENCE) as issuer:
            subjects = (f"5f0c9a52-7b1e-4c39-9d54-{number:012x}" for number in range(count))
            pairs = [await issuer.login(subject, scopes=["read"]) for subject in subjects]
        return cls(algorithm, keys, [pair.access_token for pair in pairs])

    def limit(self, count: int) -> float:
        """Microseconds for one signature check, base64 and JSON parse of one token."""
        signed, _, signature = self.tokens[0].encode().rpartition(b".")
        payload, expected = signed.partition(b".")[2], _decoded(signature)
        payload += b"=" * (-len(payload) % 4)
        check, decode, loads = self._check, base64.urlsafe_b64decode, json.loads
        started = time.perf_counter_ns()
        for _ in range(count):
            check(expected, signed)
            loads(decode(payload))
        return (time.perf_counter_ns() - started) / count / 1000
