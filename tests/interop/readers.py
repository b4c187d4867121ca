"""Services that check our access tokens with other people's libraries, each as its documentation has it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import jwt
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt

from .jose import Jose

Read = tuple[dict[str, Any], dict[str, Any]]
"""The header and the claims of a token that passed."""


class WrongType(Exception):
    """The ``typ`` of the header is another: joserfc and PyJWT leave that check to their caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a service accepts. ``url`` is that of our JWKS."""

    url: str
    algorithm: str
    issuer: str
    audience: str
    type: str = "at+jwt"


def _jose_options(wanted: Wanted) -> dict[str, Any]:
    return {
        "typ": wanted.type,
        "issuer": wanted.issuer,
        "audience": wanted.audience,
        "algorithms": [wanted.algorithm],
        "requiredClaims": ["sub", "exp", "iat", "jti"],
    }


def jose_remote(jose: Jose, token: str, wanted: Wanted) -> Read:
    read = jose.ask("verifyByUrl", token=token, url=wanted.url, options=_jose_options(wanted))
    return read["header"], read["claims"]


def jose_local(jose: Jose, token: str, wanted: Wanted) -> Read:
    jwks = httpx2.get(wanted.url).json()
    read = jose.ask("verifyBySet", token=token, jwks=jwks, options=_jose_options(wanted))
    return read["header"], read["claims"]


def joserfc(_: Jose, token: str, wanted: Wanted) -> Read:
    keys = joserfc_jwk.KeySet.import_key_set(httpx2.get(wanted.url).json())
    return read_with_joserfc(token, keys, wanted)


def read_with_joserfc(token: str, keys: Any, wanted: Wanted) -> Read:
    read = joserfc_jwt.decode(token, keys, algorithms=[wanted.algorithm])
    if read.header.get("typ") != wanted.type:
        raise WrongType
    joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": wanted.issuer},
        aud={"essential": True, "value": wanted.audience},
        exp={"essential": True},
        sub={"essential": True},
    ).validate(read.claims)
    return read.header, read.claims


def pyjwt(_: Jose, token: str, wanted: Wanted) -> Read:
    return read_with_pyjwt(token, jwt.PyJWKClient(wanted.url).get_signing_key_from_jwt(token), wanted)


def read_with_pyjwt(token: str, key: Any, wanted: Wanted) -> Read:
    read = jwt.decode_complete(
        token,
        key,
        algorithms=[wanted.algorithm],
        issuer=wanted.issuer,
        audience=wanted.audience,
        options={"require": ["iss", "aud", "sub", "exp", "iat", "jti"]},
    )
    if read["header"].get("typ") != wanted.type:
        raise WrongType
    return read["header"], read["payload"]


Reader = Callable[[Jose, str, Wanted], Read]
READERS: dict[str, Reader] = {
    "jose-remote": jose_remote,
    "jose-local": jose_local,
    "joserfc": joserfc,
    "PyJWT": pyjwt,
}
