"""Tokens made by hand: nothing here refuses anything, so that the code under test has to."""

import base64
import hashlib
import hmac
import json
from typing import Any

from itsdangerous import Signer

from ..web.support import SECRET, START

ISSUER = "jwt-refresh-middleware"
Json = dict[str, Any] | list[Any] | bytes | str | int | None


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def segment(value: Json) -> str:
    """A part of a token: bytes as they are, anything else as JSON."""
    return b64(value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode())


def mac(signed: str | bytes, key: bytes | str = SECRET, digest: str = "sha256") -> str:
    key = key.encode() if isinstance(key, str) else key
    signed = signed.encode("latin-1") if isinstance(signed, str) else signed
    return b64(hmac.digest(key, signed, digest))


def jws(header: Json, payload: Json, key: bytes | str = SECRET, digest: str = "sha256") -> str:
    """A token over whatever header and payload, with a genuine signature."""
    signed = f"{segment(header)}.{segment(payload)}"
    return f"{signed}.{mac(signed, key, digest)}"


def header(**changes: Any) -> dict[str, Any]:
    """A good header with changes; None takes a member out."""
    return _changed({"alg": "HS256", "typ": "at+jwt"}, changes)


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
    derived = hmac.digest(how.get("secret", SECRET).encode(), salt, "sha256")
    signer = Signer(
        how.get("key", derived),
        salt=salt,
        key_derivation=how.get("key_derivation", "none"),
        digest_method=how.get("digest", hashlib.sha256),
    )
    payload = how.get("version", b"\x01") + handle + generation.to_bytes(how.get("width", 6), "big")
    return signer.sign(b64(payload)).decode()
