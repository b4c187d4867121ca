"""Keys: what signs access tokens and what checks them. One key has one algorithm and one family, never a choice."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from .encoding import b64url_encode

MIN_SECRET_BYTES = 32
"""RFC 7518, 3.2: an HS256 key is at least as long as the hash, 256 bits."""


def prepared_hmac(key: bytes) -> Any:
    """The state of HMAC-SHA-256 under ``key``: ``copy()`` it, then ``update()`` and ``digest()`` the copy.

    hmac.HMAC is a shell of Python around an object of OpenSSL, where there is one; copying the shell would cost as
    much as the MAC itself.
    """
    mac = hmac.new(key, digestmod="sha256")
    return getattr(mac, "_hmac", None) or mac


@dataclass(frozen=True, slots=True)
class HmacKey:
    """A shared secret for HS256 (RFC 7518, 3.2). Its bytes never reach a repr.

    Attributes:
        secret: the key, at least 32 bytes.
        kid: a name for it (RFC 7515, 4.1.4), derived from the secret; it tells nothing about it.
    """

    secret: bytes = field(repr=False)
    kid: str = field(init=False)
    algorithm: Literal["HS256"] = field(default="HS256", init=False)
    _mac: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_SECRET_BYTES:
            raise ValueError(
                f"a secret needs at least {MIN_SECRET_BYTES} bytes (RFC 7518, 3.2), this one has {len(self.secret)}; "
                "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        object.__setattr__(self, "_mac", prepared_hmac(self.secret))
        object.__setattr__(self, "kid", b64url_encode(self.derive(b"jwt_refresh_middleware.kid")[:9]).decode())

    def sign(self, message: bytes) -> bytes:
        """HMAC-SHA-256 of ``message``, from a prepared state: faster than beginning with the key."""
        mac = self._mac.copy()
        mac.update(message)
        digest: bytes = mac.digest()
        return digest

    def derive(self, purpose: bytes) -> bytes:
        """A key of its own for another purpose: HMAC-SHA-256 of the purpose under this key."""
        return hmac.digest(self.secret, purpose, "sha256")


class KeyRing:
    """The keys of an issuer or a verifier, newest first: the first signs, all of them verify.

    A secret is changed without logging anyone out by putting the new one in front and dropping the old one after the
    refresh lifetime.
    """

    __slots__ = ("keys",)

    def __init__(self, keys: Sequence[HmacKey]) -> None:
        """``keys``: newest first. Raises ValueError for none, or for the same key twice."""
        self.keys = tuple(keys)
        if not self.keys:
            raise ValueError("at least one key is needed")
        if len({key.kid for key in self.keys}) != len(self.keys):
            raise ValueError("the same key is listed twice")

    @classmethod
    def from_secret(cls, secret: str | Sequence[str]) -> Self:
        """Keys for HS256 from one secret or several, newest first. The key is the secret's UTF-8 bytes as they are.

        Raises:
            ValueError: a secret of under 32 bytes, or none at all.
            TypeError: something that is not text.
        """
        listed = [secret] if isinstance(secret, str) else list(secret)
        for one in listed:
            if not isinstance(one, str):
                raise TypeError(f"a secret is a str, not {type(one).__name__}")
        return cls([HmacKey(one.encode("utf-8")) for one in listed])

    @classmethod
    def generate(cls, algorithm: Literal["HS256"] = "HS256") -> Self:
        """A new random key of 256 bits. Raises ValueError for an algorithm that is not supported."""
        if algorithm != "HS256":
            raise ValueError(f"unsupported algorithm {algorithm!r}; HS256 is supported")
        return cls([HmacKey(secrets.token_bytes(MIN_SECRET_BYTES))])

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys as a JWK Set (RFC 7517, 5). Shared secrets have none, so the list is empty."""
        return {"keys": []}

    def __repr__(self) -> str:
        return f"KeyRing({[key.kid for key in self.keys]})"


def key_ring(keys: KeyRing | str | Sequence[str]) -> KeyRing:
    """``keys`` as a ring: as it is, or made from one secret or several. Errors as in :meth:`KeyRing.from_secret`."""
    return keys if isinstance(keys, KeyRing) else KeyRing.from_secret(keys)
