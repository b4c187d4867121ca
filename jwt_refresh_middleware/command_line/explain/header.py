"""The header of an access token: a verifier with a key made for this is asked about each member of it.

It stands beside the two members that have to be there, in a token that is right otherwise.
"""

import json
from collections.abc import Mapping
from typing import Any

from ...encoding import b64url_encode
from ...errors import AuthError
from ...key_texts import ALGORITHMS
from ...keyring import KeyRing
from ...keys import HmacKey
from ...verifier import Verifier
from .checks import Check, Expectations, check, named, short

_KEY = HmacKey(b"the key of tokens that nobody has".ljust(32, b"."))
_VERIFIER = Verifier(KeyRing([_KEY]), issuer="i", audience="i", clock=lambda: 1.0, cache_size=0)
_HEADER = {"alg": "HS256", "typ": "at+jwt"}
_PAYLOAD = {"iss": "i", "aud": "i", "sub": "s", "iat": 0, "exp": 9, "jti": "j"}


def _is_understood(name: str, value: str | None = None) -> bool:
    """Whether a verifier accepts a header with this member, in a token that is right otherwise."""
    signed = b".".join(b64url_encode(json.dumps(part).encode()) for part in (_HEADER | {name: value}, _PAYLOAD))
    try:
        _VERIFIER.verify(signed + b"." + b64url_encode(_KEY.sign(signed)))
    except AuthError:
        return False
    return True


def checks_of_header(header: dict[str, Any] | None, held_against: Expectations) -> list[Check]:
    """A check for each member of the header that a verifier looks at."""
    if header is None:
        return [Check(name, "not checked", "there is no header to read") for name in ("typ", "alg", "kid", "members")]
    kind = header.get("typ")
    is_access = _is_understood("typ", kind if type(kind) is str else None)
    others = [name for name in header if name not in ("typ", "alg", "kid")]
    strange = [name for name in others if not _is_understood(name)]
    return [
        check("typ", is_access, short(kind), f"{short(kind)}, where an access token has at+jwt (RFC 9068, 2.1)"),
        _algorithm(header, held_against),
        _key_id(header, held_against),
        check("members", not strange, "nothing that must be refused", f"refused with these: {', '.join(strange)}"),
    ]


def _algorithm(header: Mapping[str, Any], held_against: Expectations) -> Check:
    said = header.get("alg")
    known = said if type(said) is str and said in ALGORITHMS else None
    if known is None:
        return Check("alg", "refused", f"{short(said)}; known are {', '.join(ALGORITHMS)}")
    ours = named(header, held_against.keys) if held_against.keys is not None else []
    if not ours:
        return Check("alg", "not checked", f"{known}; whether its key is for that is not known")
    names = sorted({name for one in ours for name in one.key.accepted})
    return check("alg", known in names, known, f"{known}, and the key is for {' or '.join(names)}")


def _key_id(header: Mapping[str, Any], held_against: Expectations) -> Check:
    said = header.get("kid")
    if "kid" in header and (type(said) is not str or not said):
        return Check("kid", "refused", f"{short(said)} is no name of a key")
    if held_against.keys is None:
        return Check("kid", "not checked", "no keys were given" if "kid" in header else "it names no key")
    if "kid" not in header:
        return Check("kid", "passed", "it names no key: all are tried")
    return check(
        "kid", bool(named(header, held_against.keys)), short(said), f"none of the keys is called {short(said)}"
    )
