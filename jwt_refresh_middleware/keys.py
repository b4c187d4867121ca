"""Keys: what signs access tokens and what checks them. One key has one algorithm and one family, never a choice.

Here is what all keys have in common, and the family of shared secrets; the family of key pairs is in
:mod:`.signatures`. A key of one is never made into a key of the other (RFC 8725, 2.1 and 3.1).
"""

import hmac
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any, Protocol

from .encoding import b64url_encode

MIN_SECRET_BYTES = 32
"""RFC 7518, 3.2: an HS256 key is at least as long as the hash, 256 bits."""


def checked_length(secret: bytes) -> bytes:
    """``secret``, if it is long enough. Raises ValueError."""
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(
            f"a secret needs at least {MIN_SECRET_BYTES} bytes (RFC 7518, 3.2), this one has {len(secret)}; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return secret


def prepared_hmac(key: bytes) -> Any:
    """The state of HMAC-SHA-256 under ``key``: ``copy()`` it, then ``update()`` and ``digest()`` the copy.

    hmac.HMAC is a shell of Python around an object of OpenSSL, where there is one; copying the shell would cost as
    much as the MAC itself.
    """
    mac = hmac.new(key, digestmod="sha256")
    return getattr(mac, "_hmac", None) or mac


class Key(Protocol):
    """One key with its one algorithm, whatever its family."""

    @property
    def kid(self) -> str:
        """Its name in a header (RFC 7515, 4.1.4)."""

    @property
    def algorithm(self) -> str:
        """What a header names that was written with it."""

    @property
    def accepted(self) -> frozenset[str]:
        """The names of its algorithm in headers that it checks: two for Ed25519 (RFC 8037, 3.1; RFC 9864)."""

    @property
    def is_private(self) -> bool:
        """Whether it can sign."""

    def sign(self, message: bytes) -> bytes:
        """The signature of ``message``. Raises ValueError if the key is not private."""

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature``, as it stands in a token, is the one spelling of a signature of ``message``."""

    def public_jwk(self) -> dict[str, Any] | None:
        """What may be published of it (RFC 7517, 4); None for a shared secret, of which nothing may."""

    def private_jwk(self) -> dict[str, Any]:
        """All of it, as a file of keys holds it (RFC 7517, 4)."""

    def secret_of_its_own(self) -> bytes:
        """What other secrets can be derived from. Raises ValueError if the key is not private."""


@dataclass(frozen=True, slots=True)
class HmacKey:
    """A shared secret for HS256 (RFC 7518, 3.2). Its bytes never reach a repr.

    Attributes:
        secret: the key, at least 32 bytes.
        kid: a name for it (RFC 7515, 4.1.4). Default: one derived from the secret, which tells nothing about it.
        algorithm, accepted, is_private: as in :class:`Key`.
    """

    secret: bytes = field(repr=False)
    kid: str = ""
    algorithm: str = field(default="HS256", init=False)
    accepted: frozenset[str] = field(default=frozenset({"HS256"}), init=False, repr=False, compare=False)
    is_private: bool = field(default=True, init=False, repr=False, compare=False)
    _mac: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_mac", prepared_hmac(checked_length(self.secret)))
        if not self.kid:
            object.__setattr__(
                self, "kid", b64url_encode(derived(self.secret, b"jwt_refresh_middleware.kid")[:9]).decode()
            )

    def sign(self, message: bytes) -> bytes:
        """HMAC-SHA-256 of ``message``, from a prepared state: faster than beginning with the key."""
        mac = self._mac.copy()
        mac.update(message)
        digest: bytes = mac.digest()
        return digest

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether it is the one spelling of our MAC: encoding leaves one, decoding what came would leave several."""
        return compare_digest(b64url_encode(self.sign(message)), signature)

    def public_jwk(self) -> None:
        """Nothing: a shared secret is not published."""

    def private_jwk(self) -> dict[str, Any]:
        """The whole key (RFC 7518, 6.4): keep it as secret as the secret."""
        return {"kty": "oct", "k": b64url_encode(self.secret).decode(), "alg": self.algorithm, "kid": self.kid}

    def secret_of_its_own(self) -> bytes:
        """The secret itself."""
        return self.secret


def derived(secret: bytes, purpose: bytes) -> bytes:
    """A key of its own for another purpose: HMAC-SHA-256 of the purpose under ``secret``."""
    return hmac.digest(secret, purpose, "sha256")
