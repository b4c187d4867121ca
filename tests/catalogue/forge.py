"""Tokens made by hand: nothing here refuses anything, so that the code under test has to.

They are signed under :data:`algorithm`, by the libraries themselves and nothing of the package.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from itsdangerous import Signer

from jwt_refresh_middleware import KeyRing

from ..web.support import SECRET, START

ISSUER = "jwt-refresh-middleware"
Json = dict[str, Any] | list[Any] | bytes | str | int | None
PAIRS = ("EdDSA", "ES256", "RS256")
OURS = "ours"

algorithm = "HS256"
"""What tokens are signed under unless it is said; see :func:`under`."""


@contextmanager
def under(name: str) -> Iterator[None]:
    """Forge tokens for another algorithm meanwhile."""
    global algorithm  # noqa: PLW0603  the test modules are written for one algorithm, and run again for the others
    before, algorithm = algorithm, name
    try:
        yield
    finally:
        algorithm = before


@cache
def pair(name: str, owner: str) -> Any:
    """The private key of ours, or of somebody else, for an algorithm."""
    seed = hashlib.sha256(owner.encode()).digest()
    if name == "EdDSA":
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    if name == "ES256":
        return ec.derive_private_key(int.from_bytes(seed[1:], "big"), ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


@cache
def pem(name: str) -> bytes:
    """Our private key as PEM."""
    made: bytes = pair(name, OURS).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made


@cache
def _parsed(name: str) -> Any:
    return KeyRing.from_pem(pem(name))


def keys() -> Any:
    """What an issuer is given that signs under :data:`algorithm`: a secret, or a ring of its own."""
    return SECRET if algorithm == "HS256" else KeyRing(_parsed(algorithm).keys)


def secret_texts() -> list[str]:
    """What must be seen nowhere."""
    if algorithm == "HS256":
        return [SECRET]
    ring, jwk = _parsed(algorithm), _parsed(algorithm).keys[0].private_jwk()
    spelled = [jwk[name] for name in ("d", "p", "q") if name in jwk]
    return [*spelled, repr(ring.secrets[0]), b64(ring.secrets[0]), pem(algorithm).decode().split("\n", 2)[1]]


def raw_signature(signed: bytes, key: Any) -> bytes:
    """The signature of ``signed`` as a JWS has it (RFC 7515), under a private key."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(signed)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signed, padding.PKCS1v15(), SHA256())
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def segment(value: Json) -> str:
    """A part of a token: bytes as they are, anything else as JSON."""
    return b64(value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode())


def mac(signed: str | bytes, key: bytes | str = SECRET, digest: str = "sha256") -> str:
    """HMAC, whatever the algorithm."""
    key = key.encode() if isinstance(key, str) else key
    return b64(hmac.digest(key, _bytes(signed), digest))


def sign(signed: str | bytes, key: bytes | str = SECRET) -> str:
    """A genuine signature; with another key, that of somebody else who uses the same algorithm."""
    if algorithm == "HS256":
        return mac(signed, key)
    owner = OURS if key == SECRET else "somebody else's"
    return b64(raw_signature(_bytes(signed), pair(algorithm, owner)))


def _bytes(signed: str | bytes) -> bytes:
    return signed.encode("latin-1") if isinstance(signed, str) else signed


def jws(header: Json, payload: Json, key: bytes | str = SECRET) -> str:
    """A token over whatever header and payload, with a genuine signature."""
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{signed}.{sign(signed, key)}"


def jws_by_mac(header: Json, payload: Json, key: bytes | str = SECRET, digest: str = "sha256") -> str:
    """A token whose signature is an HMAC, whatever the algorithm."""
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{signed}.{mac(signed, key, digest)}"


def header(**changes: Any) -> dict[str, Any]:
    """A good header with changes; None takes a member out."""
    return _changed({"alg": algorithm, "typ": "at+jwt"}, changes)


def claims(**changes: Any) -> dict[str, Any]:
    """Good claims with changes; None takes a member out."""
    now = int(START)
    good = {"iss": ISSUER, "aud": ISSUER, "sub": "alice", "iat": now, "exp": now + 900, "jti": "jti-of-a-forged-token"}
    return _changed(good, changes)


def _changed(good: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(**changes: Any) -> str:
    """A token with a genuine signature and some claims changed."""
    return jws(header(), claims(**changes))


def with_header(**changes: Any) -> str:
    """A token with a genuine signature and some of the header changed."""
    return jws(header(**changes), claims())


def parts(text: str) -> tuple[str, str, str]:
    first, second, third = text.split(".")
    return first, second, third


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def spare_bits(text: str) -> list[str]:
    """Other spellings of the same bytes: the last character with its unused bits set."""
    unused = {0: 1, 2: 16, 3: 4}[len(text) % 4]
    at = ALPHABET.index(text[-1])
    assert at % unused == 0
    return [text[:-1] + ALPHABET[at + n] for n in range(1, unused)]


def refresh_token(
    handle: bytes, generation: int, *, salt: bytes = b"jwt_refresh_middleware.refresh-token", **how: Any
) -> str:
    """A refresh token as the package signs it, written down a second time; ``how`` changes one thing or another."""
    ours = SECRET.encode() if algorithm == "HS256" else _parsed(algorithm).secrets[0]
    derived = hmac.digest(how["secret"].encode() if "secret" in how else ours, salt, "sha256")
    signer = Signer(
        how.get("key", derived),
        salt=salt,
        key_derivation=how.get("key_derivation", "none"),
        digest_method=how.get("digest", hashlib.sha256),
    )
    payload = how.get("version", b"\x01") + handle + generation.to_bytes(how.get("width", 6), "big")
    return signer.sign(b64(payload)).decode()
