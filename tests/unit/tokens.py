"""Access tokens made by hand, and what checks them."""

import hashlib
import hmac
import json
from typing import Any

from jwt_refresh_middleware import KeyRing, Verifier
from jwt_refresh_middleware.encoding import b64url_encode
from tests.rotation.support import SECRET, START, Clock

ISS, AUD = "https://users.example.com", "api"
KEYS = KeyRing.from_secret(SECRET)
HEADER = {"alg": "HS256", "typ": "at+jwt"}
CLAIMS: dict[str, Any] = {
    "iss": ISS, "aud": AUD, "sub": "ann", "iat": START, "exp": START + 900, "jti": "t", "sid": "s", "gen": 3,
    "auth_time": START, "scope": "read write",
}  # fmt: skip


def token(header: dict[str, Any] | None = None, secret: str = SECRET, **claims: Any) -> str:
    """A correctly signed token; a claim that is None is left out."""
    said = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    parts = [b64url_encode(json.dumps(part).encode()) for part in (HEADER if header is None else header, said)]
    signed = b".".join(parts)
    return (signed + b"." + b64url_encode(hmac.digest(secret.encode(), signed, hashlib.sha256))).decode()


def verifier(clock: Clock, **options: Any) -> Verifier:
    return Verifier(KEYS, issuer=ISS, audience=AUD, clock=clock, **options)
