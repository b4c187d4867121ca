"""Refresh tokens: a handle and a generation, signed; one canonical string each. Nothing here touches a store."""

import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

from itsdangerous import Signer

from .encoding import b64url_decode, b64url_encode
from .errors import RefreshInvalid
from .keyring import KeyRing
from .keys import derived, prepared_hmac
from .values import quick

HANDLE_BYTES = 32
"""256 random bits: ASVS 7.2.3 asks for 128."""

_SALT = b"jwt_refresh_middleware.refresh-token"
_VERSION = b"\x01"
_GENERATION_BYTES = 6
_PAYLOAD_LENGTH = 52  # 39 bytes in base64url: without spare bits
_LENGTH = _PAYLOAD_LENGTH + 1 + 43  # a dot, and a signature of 32 bytes


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """What a refresh token says. The handle is a secret: it is never stored, logged or shown.

    Attributes:
        handle: 32 random bytes, the same for all tokens of a session.
        generation: how many rotations came before this token.
        session_id: the row's key: SHA-256 of the handle, cut to 128 bits, in base64url. It leads back to no token.
    """

    handle: bytes = field(repr=False)
    generation: int
    session_id: str

    @staticmethod
    def of(handle: bytes, generation: int) -> "RefreshToken":
        """The token of ``handle`` at ``generation``."""
        return _token(handle, generation, b64url_encode(sha256(handle).digest()[:16]).decode("ascii"))

    @staticmethod
    def first() -> "RefreshToken":
        """The first token of a new session."""
        return RefreshToken.of(secrets.token_bytes(HANDLE_BYTES), 0)

    def at(self, generation: int) -> "RefreshToken":
        """The token of the same session at ``generation``: a pure function, so it can be handed out again."""
        return _token(self.handle, generation, self.session_id)


_token = quick(RefreshToken)


class _PreparedSigner(Signer):
    """An itsdangerous signer with HMAC-SHA-256 whose state is prepared once, and whose key is used as it is."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key, salt=_SALT, key_derivation="none", digest_method=sha256)
        self._state = prepared_hmac(key)

    def get_signature(self, value: str | bytes) -> bytes:
        """The signature of ``value``: what the base class gives, in a quarter of the time."""
        mac = self._state.copy()
        mac.update(value)
        return b64url_encode(mac.digest())


class RefreshSigner:
    """Reads and writes refresh tokens: HMAC-SHA-256 by itsdangerous, under a key derived from each secret."""

    def __init__(self, keys: KeyRing) -> None:
        """``keys``: of its secrets the first signs, all of them verify."""
        self._keys = keys
        self._use_secrets()
        keys.follow(self._use_secrets)

    def _use_secrets(self) -> None:
        self._signers = [_PreparedSigner(derived(secret, _SALT)) for secret in self._keys.secrets]
        self._newest = self._signers[0]

    def write(self, token: RefreshToken) -> str:
        """The one string that spells ``token`` under the newest key."""
        payload = b64url_encode(_VERSION + token.handle + token.generation.to_bytes(_GENERATION_BYTES, "big"))
        return (payload + b"." + self._newest.get_signature(payload)).decode("ascii")

    def read(self, text: object) -> RefreshToken:
        """The token that ``text`` spells.

        itsdangerous accepts several spellings of one signature (spare bits, padding, characters it skips). So nothing
        that came is decoded: what it says is signed again, and has to be, to the letter, what came.

        Raises:
            RefreshInvalid: not one of ours, or not the canonical spelling.
        """
        if not isinstance(text, str) or len(text) != _LENGTH or not text.isascii():
            raise RefreshInvalid
        raw = text.encode("ascii")
        signed = raw[:_PAYLOAD_LENGTH]
        for signer in self._signers:
            if compare_digest(signed + b"." + signer.get_signature(signed), raw):
                return _content(signed)
        raise RefreshInvalid


def _content(signed: bytes) -> RefreshToken:
    """What a payload says that was signed under one of our keys, in whatever version. Raises RefreshInvalid."""
    try:
        payload = b64url_decode(signed)
    except ValueError:
        raise RefreshInvalid from None
    if payload[:1] == _VERSION:
        return RefreshToken.of(payload[1:33], int.from_bytes(payload[33:], "big"))
    raise RefreshInvalid
