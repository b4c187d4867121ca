"""Every way to write a public key down that somebody might use as an HMAC key (A03)."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .forge import b64

UNRECOGNISABLE = frozenset({"raw", "raw-in-base64url", "modulus", "modulus-in-base64url"})
"""32 bytes of an Ed25519 key and a bare RSA modulus look like random bytes: as a secret they cannot be refused."""


def of_pem(pem: str) -> dict[str, str]:
    """PEM text, and what editors, environment variables and YAML make of it."""
    body = "".join(pem.strip().split("\n")[1:-1])
    standard = base64.b64encode(pem.encode()).decode()
    return {
        "pem": pem,
        "without-newline": pem.strip(),
        "leading-space": " " + pem,
        "leading-newline": "\n" + pem,
        "leading-tab": "\t" + pem,
        "crlf": pem.replace("\n", "\r\n"),
        "cr": pem.replace("\n", "\r"),
        "one-line": pem.replace("\n", ""),
        "blanks-for-newlines": pem.replace("\n", " "),
        "escaped-newlines": pem.replace("\n", "\\n"),
        "escaped-crlf": pem.replace("\n", "\\r\\n"),
        "bom": "\ufeff" + pem,
        "quoted": f'"{pem}"',
        "indented": pem.replace("\n", "\n    "),
        "body": body,
        "body-on-lines": "\n".join(pem.strip().split("\n")[1:-1]) + "\n",
        "body-escaped": "\\n".join(pem.strip().split("\n")[1:-1]),
        "body-without-padding": body.rstrip("="),
        "body-in-base64url": body.rstrip("=").replace("+", "-").replace("/", "_"),
        "whole-in-base64": standard,
        "whole-in-base64url": standard.rstrip("=").replace("+", "-").replace("/", "_"),
    }


def of_public(public: Any) -> dict[str, str | bytes]:
    """All spellings of a public key: text where it is text."""
    spki = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    ssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    jwk = _jwk(public)
    return {
        **of_pem(spki),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "openssh": ssh,
        "openssh-with-comment": ssh + " ann@example.com",
        "openssh-leading-space": " " + ssh,
        "openssh-blob": ssh.split(" ")[1],
        "jwk": json.dumps(jwk),
        "jwk-compact": json.dumps(jwk, separators=(",", ":")),
        "jwk-with-kid": json.dumps(jwk | {"kid": "k", "alg": "HS256", "use": "sig"}),
        "jwks": json.dumps({"keys": [jwk]}),
        "jwks-indented": json.dumps({"keys": [jwk]}, indent=2),
        **_of_its_kind(public),
    }


def _of_its_kind(public: Any) -> dict[str, str | bytes]:
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes_raw()
        return {"raw": raw, "raw-in-base64url": b64(raw)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"point": point, "point-in-base64url": b64(point), "point-in-base64": base64.b64encode(point).decode()}
    pkcs1 = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    modulus = public.public_numbers().n.to_bytes(256, "big")
    named = {f"pkcs1-{name}": text for name, text in of_pem(pkcs1).items()}
    der = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return {**named, "pkcs1-der": der, "modulus": modulus, "modulus-in-base64url": b64(modulus)}


def _jwk(public: Any) -> dict[str, str]:
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}
    numbers = public.public_numbers()
    if isinstance(numbers, rsa.RSAPublicNumbers):
        return {"kty": "RSA", "n": b64(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": b64(numbers.x.to_bytes(32, "big")),
        "y": b64(numbers.y.to_bytes(32, "big")),
    }
