"""Issuers that are not ours: keys that other libraries make, in every form they export, and tokens signed with them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwk, jwt

from .jose import Jose

ISSUER = "https://login.example.com/"
AUDIENCE = "https://api.example.com"


@dataclass(frozen=True, slots=True)
class Made:
    """A key pair of somebody else.

    Attributes:
        private, public: as JWK, without ``kid`` and ``alg``.
        pem: its PEM texts by the name of the form; those that there are for its type.
    """

    private: dict[str, Any]
    public: dict[str, Any]
    pem: Mapping[str, str]


class Stranger(Protocol):
    """A library that makes keys and signs with them."""

    def make(self, algorithm: str) -> Made: ...
    def sign(self, private: dict[str, Any], header: dict[str, Any], claims: dict[str, Any]) -> str: ...
    def thumbprint(self, key: dict[str, Any]) -> str: ...
    def sign_with_secret(self, secret: str, header: dict[str, Any], claims: dict[str, Any]) -> str: ...


class OfJose:
    """A service in Node."""

    def __init__(self, jose: Jose) -> None:
        self._jose = jose

    def make(self, algorithm: str) -> Made:
        made = self._jose.ask("generate", alg=algorithm)
        pem = {name: made.get(name) for name in ("pkcs8", "spki", "ownPrivate", "ownPublic")}
        return Made(made["jwk"], made["publicJwk"], {name: text for name, text in pem.items() if text})

    def sign(self, private: dict[str, Any], header: dict[str, Any], claims: dict[str, Any]) -> str:
        return str(self._jose.ask("sign", jwk=private, header=header, claims=claims))

    def thumbprint(self, key: dict[str, Any]) -> str:
        return str(self._jose.ask("thumbprint", jwk=key))

    def sign_with_secret(self, secret: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
        return str(self._jose.ask("signBySecret", secret=secret, header=header, claims=claims))


class OfJoserfc:
    """A service in Python."""

    def make(self, algorithm: str) -> Made:
        key = _generate(algorithm)
        private, public = key.private_key, key.public_key
        pem = {"pkcs8": key.as_pem(private=True).decode(), "spki": key.as_pem(private=False).decode()}
        if algorithm in ("ES256", "RS256"):
            form = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
            pem["ownPrivate"] = form.decode()
        if algorithm == "RS256":
            pem["ownPublic"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
        return Made(dict(key.as_dict(private=True)), dict(key.as_dict(private=False)), pem)

    def sign(self, private: dict[str, Any], header: dict[str, Any], claims: dict[str, Any]) -> str:
        key = jwk.import_key(private)
        return jwt.encode(header, dict(claims), key, algorithms=[header["alg"]], default_type=None)

    def thumbprint(self, key: dict[str, Any]) -> str:
        return jwk.import_key(key).thumbprint()

    def sign_with_secret(self, secret: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jwt.encode(header, dict(claims), jwk.OctKey.import_key(secret), algorithms=["HS256"], default_type=None)


def _generate(algorithm: str) -> Any:
    if algorithm == "ES256":
        return jwk.ECKey.generate_key("P-256")
    if algorithm == "RS256":
        return jwk.RSAKey.generate_key(2048)
    return jwk.OKPKey.generate_key("Ed25519")


def claims(**changed: Any) -> dict[str, Any]:
    """What an issuer by RFC 9068 puts into an access token (2.2), and a claim of its own."""
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": "5ba552d67",
        "aud": [AUDIENCE, ISSUER + "userinfo"],
        "iat": now,
        "exp": now + 600,
        "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
        "client_id": "s6BhdRkqt3",
        "scope": "openid profile",
        "name": "Zoë 🐙",
    } | changed
