"""Tokens that somebody has changed."""

import json
from typing import Any

from jwt.utils import base64url_decode, base64url_encode


def with_claims(token: str, **claims: Any) -> str:
    """The token with other claims under its old signature."""
    header, payload, signature = token.split(".")
    changed = json.loads(base64url_decode(payload)) | claims
    return ".".join([header, base64url_encode(json.dumps(changed).encode()).decode(), signature])


def with_another_signature(token: str) -> str:
    """The token with one bit of its signature flipped."""
    signed, _, signature = token.rpartition(".")
    raw = base64url_decode(signature)
    return f"{signed}.{base64url_encode(bytes([raw[0] ^ 1]) + raw[1:]).decode()}"
