"""Three verifiers over the same keys at the same time: ours, PyJWT and joserfc, both as strict as they can be set.

None of the two looks at ``typ``, which their callers have to. A key is chosen as ours is: by the ``kid`` where the
token has one, else all are tried.
"""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self
from unittest.mock import patch

import jwt
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from jwt.algorithms import OKPAlgorithm

from jwt_refresh_middleware import AccessToken, KeyRing, Verifier
from jwt_refresh_middleware.errors import AuthError
from jwt_refresh_middleware.key_texts import keys_of_pem
from jwt_refresh_middleware.keys import HmacKey
from jwt_refresh_middleware.signatures import Ed25519Key
from jwt_refresh_middleware.testing import NOW, Clock

from .forging import AUDIENCE, ISSUER, RINGS, Ring, Signing, keys

REQUIRED = ("iss", "aud", "sub", "exp", "iat", "jti")
_SIZE = 100_000


class Verdict(NamedTuple):
    """What a judge says to a token.

    Attributes:
        claims: what it says, if it was accepted.
        reason: why it was refused: the code of an error of ours, the class of an error of theirs.
        crashed: an exception came out that is none of the judge's own.
        token: what ours makes of the claims.
    """

    claims: dict[str, Any] | None
    reason: str = ""
    crashed: bool = False
    token: AccessToken | None = None


Judge = Callable[[Ring, bytes], Verdict]


def ours() -> Judge:
    """Our verifiers, one for each ring, each with its caches: a token that passed is asked for once more."""
    verifiers = {
        ring: Verifier(KeyRing(_our_keys(ring)), issuer=ISSUER, audience=AUDIENCE, clock=Clock(NOW)) for ring in RINGS
    }

    def judge(ring: Ring, text: bytes) -> Verdict:
        try:
            token = verifiers[ring].verify(text)
            again = verifiers[ring].verify(text)
        except AuthError as error:
            return Verdict(None, error.code)
        except Exception as error:
            return Verdict(None, type(error).__name__, crashed=True)
        assert again == token
        return Verdict({name: token.claims[name] for name in token.claims}, token=token)

    return judge


def _our_keys(ring: Ring) -> list[Any]:
    return [_our_key(key) for key in keys().values() if key.ring == ring]


def _our_key(key: Signing) -> Any:
    if key.ring == "secrets":
        return HmacKey(key.private, key.kid)
    if "Ed25519" in key.names:
        return Ed25519Key(key.public, key.algorithm, key.kid)
    (plain,) = keys_of_pem(key.public_forms()[0])
    return type(plain)(key.public, key.algorithm, key.kid)  # type: ignore[call-arg]


class _Frozen(datetime):
    """What PyJWT takes the time from."""

    @classmethod
    def now(cls, tz: Any = None) -> Self:
        return cls.fromtimestamp(NOW, UTC if tz is None else tz)


@contextmanager
def clock_of_pyjwt() -> Iterator[None]:
    """It is ``NOW`` for PyJWT meanwhile."""
    with patch("jwt.api_jwt.datetime", _Frozen):
        yield


def _candidates(ring: Ring, kid: object, has_kid: bool) -> list[Signing]:
    if has_kid:
        return [key for key in keys().values() if key.ring == ring and key.kid == kid]
    return [key for key in keys().values() if key.ring == ring]


def _kid(text: bytes) -> tuple[object, bool]:
    """The ``kid`` as a lenient reader finds it. Raises PyJWTError."""
    header = jwt.get_unverified_header(text)
    return header.get("kid"), "kid" in header


def pyjwt() -> Judge:
    """PyJWT, which has not heard of the name Ed25519 (RFC 9864) and is told."""
    reader = jwt.PyJWT()
    reader._jws.register_algorithm("Ed25519", OKPAlgorithm())

    def judge(ring: Ring, text: bytes) -> Verdict:
        reason = "no key"
        try:
            for key in _candidates(ring, *_kid(text)):
                try:
                    return Verdict(
                        reader.decode(
                            text, key.public, algorithms=[*key.names], audience=AUDIENCE, issuer=ISSUER,
                            options={"require": [*REQUIRED], "enforce_minimum_key_length": True},
                        )
                    )  # fmt: skip
                except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as error:
                    reason = type(error).__name__
        except jwt.PyJWTError as error:
            reason = type(error).__name__
        except Exception as error:
            return Verdict(None, type(error).__name__, crashed=True)
        return Verdict(None, reason)

    return judge


class _Roomy(JWSRegistry):
    """As long as our tokens may be; names of headers that it does not know are ignored (RFC 7515, 4)."""

    max_header_length = max_payload_length = max_signature_length = _SIZE


def joserfc() -> Judge:
    imported = {
        key.kid: joserfc_jwk.OctKey.import_key(key.private)
        if key.ring == "secrets"
        else joserfc_jwk.import_key(key.public_forms()[0], _KTY[key.algorithm])
        for key in keys().values()
    }
    registries = {key.kid: _Roomy(algorithms=[*key.names], strict_check_header=False) for key in keys().values()}
    registry = joserfc_jwt.JWTClaimsRegistry(
        now=int(NOW),
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        **{name: {"essential": True} for name in ("sub", "exp", "iat", "jti")},  # type: ignore[arg-type]
    )

    def judge(ring: Ring, text: bytes) -> Verdict:
        reason = "no key"
        try:
            for key in _candidates(ring, *_kid(text)):
                try:
                    read = joserfc_jwt.decode(text, imported[key.kid], registry=registries[key.kid])
                    registry.validate(read.claims)
                    return Verdict(read.claims)
                except JoseError as error:
                    reason = type(error).__name__
        except jwt.PyJWTError:
            return Verdict(None, "no header")
        except Exception as error:
            return Verdict(None, type(error).__name__, crashed=True)
        return Verdict(None, reason)

    return judge


_KTY: dict[str, Any] = {"EdDSA": "OKP", "Ed25519": "OKP", "ES256": "EC", "RS256": "RSA"}


@contextmanager
def without_warnings() -> Iterator[None]:
    """joserfc warns of the name EdDSA at every token."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether two readings of claims say the same, types included: 1, 1.0 and true are three values."""
    return json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)
