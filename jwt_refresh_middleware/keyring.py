"""KeyRing: the keys of an issuer or a verifier."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self
from weakref import WeakMethod

from .encoding import json_object
from .key_file import KeyFile, write_key_file
from .key_states import Contents, Held, Source, in_order, living, rotated
from .key_texts import keys_of_pem, keys_of_set, new_key
from .keys import HmacKey, Key, checked_length
from .values import seconds

DEFAULT_OVERLAP = timedelta(minutes=16)
"""How long a key verifies after it has stopped signing: the default life of an access token, and a minute."""


class KeyRing:
    """Keys, the signing one first; all of them verify. Whoever follows a ring is told when it changes.

    A ring has either shared secrets (HS256) or key pairs, never both (RFC 8725, 2.1). Made from key pairs it can
    publish their public halves, and a gateway needs nothing else.

    Attributes:
        held: the keys with their states: the current one, previous ones, the next one.
        secrets: what refresh tokens are signed under is derived from these, newest first: they stay the same when the
            keys rotate. Empty for a ring of public keys.
        source: what changes the keys from outside; None if nothing does.
    """

    __slots__ = ("_clock", "_followers", "_overlap", "held", "secrets", "source")

    def __init__(
        self,
        keys: Iterable[Key | Held],
        *,
        secrets: Sequence[bytes] | None = None,
        source: Source | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a ring; usually by one of the ``from_`` methods.

        Args:
            keys: newest first: the first private one signs, all of them verify.
            secrets: what other secrets are derived from, at least 32 bytes each. Default: the private keys themselves.
            source: what changes the keys from outside.
            clock: seconds since the epoch.

        Raises:
            ValueError: no key, unless there is a source; the same key or ``kid`` twice; shared secrets beside key
                pairs; a secret that is too short.
        """
        self._clock = clock
        self._overlap = DEFAULT_OVERLAP.total_seconds()
        self._followers: list[WeakMethod[Callable[[], None]]] = []
        self.source = source
        self.held = in_order(keys, clock())
        if not self.held and source is None:
            raise ValueError("at least one key is needed")
        if secrets is None:
            secrets = [key.secret_of_its_own() for key in self.keys if key.is_private]
        self.secrets = tuple(checked_length(secret) for secret in secrets)

    @classmethod
    def from_secret(cls, secret: str | Sequence[str]) -> Self:
        """Keys for HS256 from one secret or several, newest first. The key is the secret's UTF-8 bytes as they are.

        Raises:
            ValueError: a secret of under 32 bytes, or none at all.
            TypeError: something that is not text.
        """
        return cls([HmacKey(_utf8(one)) for one in ([secret] if isinstance(secret, str) else list(secret))])

    @classmethod
    def from_pem(cls, *pems: str | bytes, password: bytes | None = None) -> Self:
        """Key pairs or public keys from PEM text (RFC 7468), each with one block or several, newest first.

        Args:
            pems: PKCS#8, PKCS#1 or SEC 1 for private keys, SPKI or PKCS#1 for public ones.
            password: of encrypted blocks.

        Raises:
            ValueError: no key, one that cannot be used or is weak, one twice, or a wrong password.
            ImportError: cryptography is not installed (extra ``crypto``).
        """
        return cls([key for pem in pems for key in keys_of_pem(pem, password)])

    @classmethod
    def from_jwks(cls, jwks: Mapping[str, Any]) -> Self:
        """Keys from a JWK Set (RFC 7517, 5) or a single JWK, newest first. Errors as in :meth:`from_pem`."""
        return cls(keys_of_set(jwks))

    @classmethod
    def from_env(cls, name: str, environ: Mapping[str, str] = os.environ) -> Self:
        """Keys from an environment variable: PEM text, the JSON of a JWK or a JWK Set, or a shared secret.

        Its first characters say which of them it is. Line breaks of PEM may be written as a backslash and an n.

        Raises:
            ValueError: the variable is missing, and what the other methods raise.
        """
        text = environ.get(name, "").strip()
        if not text:
            raise ValueError(f"the environment variable {name} holds no key")
        if text.startswith("-----BEGIN"):
            return cls.from_pem(text.replace("\\r", "").replace("\\n", "\n"))
        if text.startswith("{"):
            return cls.from_jwks(_json(name, text))
        return cls.from_secret(text)

    @classmethod
    def from_file(cls, path: str | Path, *, interval: timedelta = timedelta(seconds=1)) -> Self:
        """Keys from a file as ``python -m jwt_refresh_middleware keys`` writes it: a JWK Set with private members.

        Changes on disk are picked up in the background, while an issuer or a middleware with a verifier is open.

        Args:
            path: of the file.
            interval: how often it is looked at. Default 1 s.

        Raises:
            OSError: it cannot be read.
            ValueError: what is in it cannot be used.
        """
        file = KeyFile(Path(path), seconds(interval, "interval", least=0.01))
        contents = file.read()
        ring = cls(contents.held, secrets=contents.secrets, source=file)
        file.tell = ring.replace
        return ring

    @classmethod
    def generate(cls, algorithm: Literal["HS256", "EdDSA", "Ed25519", "ES256", "RS256"] = "HS256") -> Self:
        """New random keys: one that signs, and the one that will be next. They are gone with the process unless saved.

        Raises ValueError for an algorithm that is not supported, ImportError as :meth:`from_pem`.
        """
        current, now = new_key(algorithm), time.time()
        held = [Held(current, "current", now), Held(new_key(algorithm), "next", now)]
        return cls(held, secrets=[current.secret_of_its_own()])

    def save(self, path: str | Path) -> None:
        """Make a new file of the keys for :meth:`from_file`, private ones included; readable by its owner only.

        Of several processes that make it at once, one does.

        Raises:
            FileExistsError: there is one.
            ValueError: a key is public only.
            OSError: it cannot be written.
        """
        write_key_file(Path(path), Contents(self.held, self.secrets), new=True)

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys, the current one first."""
        return tuple(one.key for one in self.held)

    @property
    def signing(self) -> Key | None:
        """The key that signs; None if the ring only verifies."""
        first = self.held[0] if self.held else None
        return first.key if first is not None and first.state == "current" and first.key.is_private else None

    def rotate(self) -> None:
        """One step further: the next key signs, the current one only verifies, and there is a new next one.

        A ring without a next key gets one and goes on as it was: a key is published for a while before it signs. How
        long the next key was published is not looked at here; the command line does that. The key that has stopped
        signing is gone when its last access tokens are.

        Raises:
            ValueError: the ring cannot sign, or its keys come from elsewhere: those are rotated there.
        """
        if self.source is not None:
            raise ValueError("these keys come from elsewhere, and are rotated there")
        self.replace(Contents(rotated(self.held, self._clock(), self._overlap), self.secrets))

    def replace(self, contents: Contents) -> None:
        """Hold something else from now on, and tell all followers; or all stays as it is.

        Raises ValueError as the constructor does, or if a follower cannot work with it: an issuer has to sign.
        """
        before = Contents(self.held, self.secrets)
        held, secrets = in_order(contents.held, self._clock()), tuple(checked_length(one) for one in contents.secrets)
        try:
            self._hold(Contents(self._lasting(held), secrets))
        except Exception:  # whatever it is: a ring that has changed by half signs what nobody verifies
            self._hold(before)
            raise

    def _hold(self, contents: Contents) -> None:
        self.held, self.secrets = contents.held, contents.secrets
        for follower in [*self._followers]:
            told = follower()
            if told is None:
                self._followers.remove(follower)
            else:
                told()

    def follow(self, changed: Callable[[], None]) -> None:
        """Call the method ``changed`` whenever the keys have changed, as long as its object is alive."""
        self._followers.append(WeakMethod(changed))

    def serve(self, *, clock: Callable[[], float], access_ttl: float) -> None:
        """Keep the time of the issuer that signs with this ring, and each key as long as its tokens live (seconds)."""
        self._clock = clock
        self._overlap = max(self._overlap, access_ttl)
        self._hold(Contents(self._lasting(self.held), self.secrets))

    def _lasting(self, held: tuple[Held, ...]) -> tuple[Held, ...]:
        """No key is gone before the tokens are that it has signed, whatever a file says."""
        return tuple(replace(one, until=max(one.until, one.since + self._overlap)) for one in held)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys as a JWK Set (RFC 7517, 5), the next one too. Of shared secrets there are none."""
        published = (one.key.public_jwk() for one in living(self.held, self._clock()))
        return {"keys": [jwk for jwk in published if jwk is not None]}

    def __repr__(self) -> str:
        return f"KeyRing({[f'{one.key.kid} ({one.state})' for one in self.held]})"


def _utf8(secret: object) -> bytes:
    if not isinstance(secret, str):
        raise TypeError(f"a secret is a str, not {type(secret).__name__}")
    try:
        return secret.encode("utf-8")
    except UnicodeEncodeError:  # which holds the secret: what is raised in here would have it as its context
        pass
    raise ValueError("a secret is text that can be written in UTF-8")


def _json(name: str, text: str) -> dict[str, Any]:
    try:
        return json_object(_utf8(text))
    except ValueError:  # which may hold the text, and so would the context of what is raised in here
        pass
    raise ValueError(f"the environment variable {name} holds JSON that cannot be read")


def key_ring(keys: KeyRing | str | Sequence[str]) -> KeyRing:
    """``keys`` as a ring: as it is, or made from one secret or several. Errors as in :meth:`KeyRing.from_secret`."""
    return keys if isinstance(keys, KeyRing) else KeyRing.from_secret(keys)
