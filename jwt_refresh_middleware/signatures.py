"""Key pairs: Ed25519, ECDSA on P-256 and RSA. The only importer of cryptography, and so not imported without need."""

from __future__ import annotations

from abc import abstractmethod
from hashlib import sha256
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from .encoding import b64url_decode, b64url_encode, json_text
from .weak_keys import check_ed25519, check_rsa

_SHA256 = SHA256()
_PKCS1 = padding.PKCS1v15()
_ECDSA = ec.ECDSA(_SHA256)
_COORDINATE = 32  # bytes, P-256: RFC 7518, 3.4 and 6.2.1.2
_OWN_SECRET = b"jwt_refresh_middleware.secret-of-a-private-key"


class SignatureKey:
    """A key pair, or the public half of one; never a shared secret. Nothing of it but the ``kid`` reaches a repr.

    Attributes:
        kid: the one it came with, else its thumbprint (RFC 7638).
        algorithm, accepted, is_private: as in :class:`.keys.Key`.
    """

    names: ClassVar[tuple[str, ...]]
    """What its algorithm is called in a header; the first is the usual one."""
    types: ClassVar[tuple[type, ...]]
    """What cryptography calls the private and the public half."""

    __slots__ = ("accepted", "algorithm", "is_private", "kid")

    def __init__(self, *, is_private: bool, algorithm: str | None, kid: str | None) -> None:
        if algorithm is not None and algorithm not in self.names:
            raise ValueError(f"a key of this type is for {' or '.join(self.names)}, not for {algorithm!r}")
        self.algorithm = algorithm or self.names[0]
        self.accepted = frozenset(self.names)
        self.is_private = is_private
        self.kid = kid or self.thumbprint()

    @abstractmethod
    def members(self) -> dict[str, str]:
        """The required public members of its JWK, in the order of their names (RFC 7638, 3.2)."""

    @abstractmethod
    def private_members(self) -> dict[str, str]:
        """The private members of its JWK."""

    @abstractmethod
    def secret_bytes(self) -> bytes:
        """The private half as bytes, always the same."""

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """The signature as it stands in a JWS (RFC 7515, 5.1). Raises ValueError if the key is not private."""

    @abstractmethod
    def check(self, message: bytes, signature: bytes) -> None:
        """Raise InvalidSignature or ValueError if this is no signature of ``message``."""

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """As in :class:`.keys.Key`."""
        try:
            self.check(message, b64url_decode(signature))
        except (InvalidSignature, ValueError):
            return False
        return True

    def thumbprint(self) -> str:
        """RFC 7638, 3, with SHA-256."""
        return b64url_encode(sha256(json_text(self.members()).encode("ascii")).digest()).decode("ascii")

    def public_jwk(self) -> dict[str, Any]:
        """The public members only (RFC 7517, 4; RFC 7518, 6; RFC 8037, 2)."""
        return {**self.members(), "use": "sig", "alg": self.algorithm, "kid": self.kid}

    def private_jwk(self) -> dict[str, Any]:
        """With the private members. Raises ValueError if there are none."""
        self.require_private()
        return {**self.public_jwk(), **self.private_members()}

    def secret_of_its_own(self) -> bytes:
        """A hash of the private half. Raises ValueError if there is none."""
        self.require_private()
        return sha256(_OWN_SECRET + self.secret_bytes()).digest()

    def require_private(self) -> None:
        """Raise ValueError if the key is public."""
        if not self.is_private:
            raise ValueError("this key is public: it verifies and cannot sign")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kid={self.kid!r}, algorithm={self.algorithm!r}, is_private={self.is_private})"


class Ed25519Key(SignatureKey):
    """EdDSA with Ed25519 (RFC 8032, RFC 8037), by either of its names (RFC 9864)."""

    names = ("EdDSA", "Ed25519")
    types = (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)
    __slots__ = ("_private", "_public", "_verify")

    def __init__(
        self,
        key: ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey,
        algorithm: str | None = None,
        kid: str | None = None,
    ) -> None:
        self._private = key if isinstance(key, ed25519.Ed25519PrivateKey) else None
        self._public = key.public_key() if isinstance(key, ed25519.Ed25519PrivateKey) else key
        self._verify = self._public.verify
        check_ed25519(self._raw())
        super().__init__(is_private=self._private is not None, algorithm=algorithm, kid=kid)

    @classmethod
    def generate(cls, algorithm: str) -> Ed25519Key:
        """A new random key pair."""
        return cls(ed25519.Ed25519PrivateKey.generate(), algorithm)

    def _raw(self) -> bytes:
        return self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)

    def members(self) -> dict[str, str]:
        """RFC 8037, 2."""
        return {"crv": "Ed25519", "kty": "OKP", "x": _b64(self._raw())}

    def private_members(self) -> dict[str, str]:
        """RFC 8037, 2."""
        return {"d": _b64(self.secret_bytes())}

    def secret_bytes(self) -> bytes:
        """The seed."""
        assert self._private is not None
        return self._private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032, 5.1.6)."""
        self.require_private()
        assert self._private is not None
        return self._private.sign(message)

    def check(self, message: bytes, signature: bytes) -> None:
        """RFC 8032, 5.1.7."""
        self._verify(signature, message)


class EcKey(SignatureKey):
    """ES256: ECDSA on P-256 with SHA-256 (RFC 7518, 3.4)."""

    names = ("ES256",)
    types = (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)
    __slots__ = ("_private", "_public", "_verify")

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey,
        algorithm: str | None = None,
        kid: str | None = None,
    ) -> None:
        if not isinstance(key.curve, ec.SECP256R1):
            raise ValueError(  # noqa: TRY004  the key is of the right type
                f"ES256 needs a key on P-256, not on {key.curve.name} (RFC 7518, 3.4)"
            )
        self._private = key if isinstance(key, ec.EllipticCurvePrivateKey) else None
        self._public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
        self._verify = self._public.verify
        super().__init__(is_private=self._private is not None, algorithm=algorithm, kid=kid)

    @classmethod
    def generate(cls, algorithm: str) -> EcKey:
        """A new random key pair."""
        return cls(ec.generate_private_key(ec.SECP256R1()), algorithm)

    def members(self) -> dict[str, str]:
        """RFC 7518, 6.2.1: coordinates of full length."""
        at = self._public.public_numbers()
        x, y = (_b64(n.to_bytes(_COORDINATE, "big")) for n in (at.x, at.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}

    def private_members(self) -> dict[str, str]:
        """RFC 7518, 6.2.2."""
        return {"d": _b64(self.secret_bytes())}

    def secret_bytes(self) -> bytes:
        """The private scalar."""
        assert self._private is not None
        return self._private.private_numbers().private_value.to_bytes(_COORDINATE, "big")

    def sign(self, message: bytes) -> bytes:
        """R and S of full length, one after the other (RFC 7518, 3.4)."""
        self.require_private()
        assert self._private is not None
        r, s = decode_dss_signature(self._private.sign(message, _ECDSA))
        return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")

    def check(self, message: bytes, signature: bytes) -> None:
        """RFC 7518, 3.4: exactly 64 bytes."""
        if len(signature) != 2 * _COORDINATE:
            raise ValueError("not a signature of ES256")
        r, s = int.from_bytes(signature[:_COORDINATE], "big"), int.from_bytes(signature[_COORDINATE:], "big")
        self._verify(encode_dss_signature(r, s), message, _ECDSA)


class RsaKey(SignatureKey):
    """RS256: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, 3.3)."""

    names = ("RS256",)
    types = (rsa.RSAPrivateKey, rsa.RSAPublicKey)
    __slots__ = ("_private", "_public", "_verify")

    def __init__(
        self, key: rsa.RSAPrivateKey | rsa.RSAPublicKey, algorithm: str | None = None, kid: str | None = None
    ) -> None:
        self._private = key if isinstance(key, rsa.RSAPrivateKey) else None
        self._public = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
        self._verify = self._public.verify
        numbers = self._public.public_numbers()
        check_rsa(numbers.n, numbers.e)
        super().__init__(is_private=self._private is not None, algorithm=algorithm, kid=kid)

    @classmethod
    def generate(cls, algorithm: str) -> RsaKey:
        """A new random key pair of 2048 bits."""
        return cls(rsa.generate_private_key(65537, 2048), algorithm)

    def members(self) -> dict[str, str]:
        """RFC 7518, 6.3.1."""
        numbers = self._public.public_numbers()
        return {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}

    def private_members(self) -> dict[str, str]:
        """RFC 7518, 6.3.2."""
        assert self._private is not None
        own = self._private.private_numbers()
        parts = {"d": own.d, "p": own.p, "q": own.q, "dp": own.dmp1, "dq": own.dmq1, "qi": own.iqmp}
        return {name: _number(number) for name, number in parts.items()}

    def secret_bytes(self) -> bytes:
        """The private exponent."""
        assert self._private is not None
        d = self._private.private_numbers().d
        return d.to_bytes((d.bit_length() + 7) // 8, "big")

    def sign(self, message: bytes) -> bytes:
        """As long as the modulus (RFC 8017, 8.2.1)."""
        self.require_private()
        assert self._private is not None
        return self._private.sign(message, _PKCS1, _SHA256)

    def check(self, message: bytes, signature: bytes) -> None:
        """RFC 8017, 8.2.2."""
        self._verify(signature, message, _PKCS1, _SHA256)


FAMILY: dict[str, type[Ed25519Key | EcKey | RsaKey]] = {
    name: family for family in (Ed25519Key, EcKey, RsaKey) for name in family.names
}
"""What makes keys for an algorithm, by each of its names."""


def load_private(block: bytes, password: bytes | None) -> Any:
    """The private key of a PEM block. Raises ValueError; TypeError for a password too many or too few."""
    try:
        return load_pem_private_key(block, password)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None


def load_public(block: bytes) -> Any:
    """The public key of a PEM block. Raises ValueError."""
    try:
        return load_pem_public_key(block)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None


def _b64(raw: bytes) -> str:
    return b64url_encode(raw).decode("ascii")


def _number(number: int) -> str:
    """Base64urlUInt (RFC 7518, 2)."""
    return _b64(number.to_bytes((number.bit_length() + 7) // 8, "big"))
