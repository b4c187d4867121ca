"""Keys as text: JWK and JWK Set (RFC 7517), PEM (RFC 7468). Read strictly; what cannot be used says why.

cryptography is needed for key pairs only, and imported when the first of them is read or made.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .encoding import b64url_decode
from .keys import MIN_SECRET_BYTES, HmacKey, Key

if TYPE_CHECKING:
    from types import ModuleType

ALGORITHMS = ("HS256", "EdDSA", "Ed25519", "ES256", "RS256")
MAX_KEYS = 64
_MAX_KID = 256
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class UnusableKey(ValueError):
    """A key that cannot be used here. A set of somebody else's keys may hold some: they are left out."""


def _signatures() -> ModuleType:
    try:
        from . import signatures
    except ImportError as error:
        raise ImportError("key pairs need cryptography: pip install 'jwt-refresh-middleware[crypto]'") from error
    return signatures


def new_key(algorithm: str) -> Key:
    """A new random key. Raises ValueError for an algorithm that is not one of ``ALGORITHMS``."""
    if algorithm == "HS256":
        return HmacKey(secrets.token_bytes(MIN_SECRET_BYTES))
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unsupported algorithm {algorithm!r}; supported are {', '.join(ALGORITHMS)}")
    made: Key = _signatures().FAMILY[algorithm].generate(algorithm)
    return made


def key_of_jwk(jwk: object) -> Key:
    """The key that a JWK describes, private if it has private members.

    Raises:
        UnusableKey: a type, curve, algorithm or use that is not for signing here.
        ValueError: not a JWK, members that do not fit together, or a weak key.
    """
    jwk = _object(jwk)
    _check_use(jwk)
    kind = jwk.get("kty")
    read = _READERS.get(kind) if type(kind) is str else None
    if read is None:
        raise UnusableKey(f"a key of type {_shown(kind)} cannot be used; OKP, EC, RSA and oct can")
    algorithm = jwk.get("alg")
    if algorithm is not None and algorithm not in ALGORITHMS:
        raise UnusableKey(f"a key for {_shown(algorithm)} cannot be used; supported are {', '.join(ALGORITHMS)}")
    try:
        return read(jwk, algorithm, jwk.get("kid"))
    except UnusableKey:
        raise
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ValueError(f"not a usable JWK: {error}") from None


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("a JWK, or a JWK Set, is a JSON object (RFC 7517, 4 and 5)")  # noqa: TRY004  as for all others
    return value


def _check_use(jwk: Mapping[str, Any]) -> None:
    """RFC 7517, 4.2 and 4.3; and what may stand in a header as its name."""
    kid, operations = jwk.get("kid"), jwk.get("key_ops")
    if "use" in jwk and jwk["use"] != "sig":
        raise UnusableKey("this key is not for signatures: its use is another")
    if operations is not None and (
        not isinstance(operations, list)
        or not ({"verify", "sign"} if _PRIVATE.intersection(jwk) else {"verify"}).intersection(
            one for one in operations if type(one) is str
        )
    ):
        raise UnusableKey("this key is not for signatures: its key_ops do not say verify")
    if kid is not None and (type(kid) is not str or not 0 < len(kid) <= _MAX_KID or not kid.isprintable()):
        raise ValueError(f"a kid is printable text of at most {_MAX_KID} characters (RFC 7517, 4.5)")


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    text = jwk.get(name)
    if type(text) is not str or not text or not text.isascii():
        raise ValueError(f"the member {name} is missing, or not base64url")
    try:
        return b64url_decode(text.encode("ascii"))
    except ValueError:
        raise ValueError(f"the member {name} is not base64url (RFC 7515, 2)") from None


def _number(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_bytes(jwk, name), "big")


def _read_oct(jwk: Mapping[str, Any], algorithm: str | None, kid: str | None) -> Key:
    if algorithm not in (None, "HS256"):
        raise ValueError(f"a shared secret is for HS256, not for {algorithm}")
    return HmacKey(_bytes(jwk, "k"), kid or "")


def _read_okp(jwk: Mapping[str, Any], algorithm: str | None, kid: str | None) -> Key:
    """RFC 8037, 2."""
    if jwk.get("crv") != "Ed25519":
        raise UnusableKey(f"the curve {_shown(jwk.get('crv'))} cannot be used; Ed25519 can")
    made, public = _signatures(), _bytes(jwk, "x")
    if "d" not in jwk:
        key: Key = made.Ed25519Key(made.ed25519.Ed25519PublicKey.from_public_bytes(public), algorithm, kid)
        return key
    key = made.Ed25519Key(made.ed25519.Ed25519PrivateKey.from_private_bytes(_bytes(jwk, "d")), algorithm, kid)
    return _fitting(key, jwk, "x")


def _read_ec(jwk: Mapping[str, Any], algorithm: str | None, kid: str | None) -> Key:
    """RFC 7518, 6.2: coordinates of full length, of a point that is on the curve."""
    if jwk.get("crv") != "P-256":
        raise UnusableKey(f"the curve {_shown(jwk.get('crv'))} cannot be used; P-256 can")
    made = _signatures()
    if len(_bytes(jwk, "x")) != 32 or len(_bytes(jwk, "y")) != 32:
        raise ValueError("the coordinates of a point on P-256 have 32 bytes each (RFC 7518, 6.2.1)")
    if "d" not in jwk:
        point = made.ec.EllipticCurvePublicNumbers(_number(jwk, "x"), _number(jwk, "y"), made.ec.SECP256R1())
        key: Key = made.EcKey(point.public_key(), algorithm, kid)
        return key
    key = made.EcKey(made.ec.derive_private_key(_number(jwk, "d"), made.ec.SECP256R1()), algorithm, kid)
    return _fitting(key, jwk, "x", "y")


def _read_rsa(jwk: Mapping[str, Any], algorithm: str | None, kid: str | None) -> Key:
    """RFC 7518, 6.3. A private key without its factors gets them back."""
    made = _signatures()
    n, e = _number(jwk, "n"), _number(jwk, "e")
    made.check_rsa(n, e)  # before anything is computed with them
    public = made.rsa.RSAPublicNumbers(e, n)
    if "d" not in jwk:
        key: Key = made.RsaKey(public.public_key(), algorithm, kid)
        return key
    if "oth" in jwk:
        raise UnusableKey("an RSA key of more than two primes cannot be used")
    d = _number(jwk, "d")
    p, q = (_number(jwk, "p"), _number(jwk, "q")) if "p" in jwk else made.rsa.rsa_recover_prime_factors(n, e, d)
    numbers = made.rsa.RSAPrivateNumbers(
        p, q, d, made.rsa.rsa_crt_dmp1(d, p), made.rsa.rsa_crt_dmq1(d, q), made.rsa.rsa_crt_iqmp(p, q), public
    )
    key = made.RsaKey(numbers.private_key(), algorithm, kid)
    return _fitting(key, jwk)


def _fitting(key: Any, jwk: Mapping[str, Any], *names: str) -> Key:
    """The key, if the public half that stands beside the private one belongs to it."""
    if any(key.members()[name] != jwk[name] for name in names):
        raise ValueError("the public members do not belong to the private one")
    made: Key = key
    return made


_READERS: dict[str, Callable[[Mapping[str, Any], str | None, str | None], Key]] = {
    "oct": _read_oct,
    "OKP": _read_okp,
    "EC": _read_ec,
    "RSA": _read_rsa,
}


def keys_of_pem(pem: str | bytes, password: bytes | None = None) -> list[Key]:
    """The keys of one or several PEM blocks, in their order: PKCS#8, SPKI, PKCS#1, SEC 1.

    Raises:
        ValueError: no key in it, a kind of key that cannot be used, a wrong password, or a weak key.
    """
    text = pem.decode("ascii", "replace") if isinstance(pem, bytes) else pem  # an error would quote the bytes
    blocks = [found for found in _BLOCK.finditer(text) if found[1] != "EC PARAMETERS"]
    if not blocks or len(blocks) > MAX_KEYS:
        raise ValueError("there is no key in this PEM text" if not blocks else f"more than {MAX_KEYS} keys")
    return [_key_of_block(found[1], found[0].encode("ascii", "replace"), password) for found in blocks]


def _key_of_block(label: str, block: bytes, password: bytes | None) -> Key:
    made = _signatures()
    if not label.endswith(("PRIVATE KEY", "PUBLIC KEY")) or label.startswith("OPENSSH"):
        raise ValueError(f"a PEM block of {label} is not read; PRIVATE KEY and PUBLIC KEY are")
    try:
        key = made.load_public(block) if label.endswith("PUBLIC KEY") else made.load_private(block, password)
    except TypeError as error:  # encrypted without a password, or the other way round
        raise ValueError(f"this PEM block cannot be read: {error}") from None
    except ValueError:
        raise ValueError("this PEM block cannot be read: it is damaged, or the password is wrong") from None
    for family in (made.Ed25519Key, made.EcKey, made.RsaKey):
        if isinstance(key, family.types):
            found: Key = family(key)
            return found
    raise UnusableKey("this kind of key cannot be used; Ed25519, P-256 and RSA can")


def keys_of_set(jwks: object, *, tolerant: Callable[[ValueError], None] | None = None) -> list[Key]:
    """The keys of a JWK Set (RFC 7517, 5), or of a single JWK.

    Args:
        jwks: what was parsed of JSON.
        tolerant: told of each key that cannot be used, which is left out; shared secrets and private keys are among
            these: whoever can read the set can sign with them. Default: one key that cannot be used is an error for
            the whole set, and private keys are welcome.

    Raises:
        ValueError: not a JWK Set, a key that cannot be used, a ``kid`` twice, or shared secrets beside key pairs.
    """
    jwks = _object(jwks)
    listed = jwks.get("keys") if "keys" in jwks or "kty" not in jwks else [jwks]
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise ValueError(f"a JWK Set has a list of at most {MAX_KEYS} keys (RFC 7517, 5.1)")
    return check_set(_usable(listed, tolerant), tolerant)


def _usable(listed: list[object], tolerant: Callable[[ValueError], None] | None) -> list[Key]:
    keys = []
    for jwk in listed:
        try:
            # Unread: to find the factors of a private key that leaves them out may take minutes, and is for nothing.
            if tolerant is not None and isinstance(jwk, Mapping) and private_members(jwk):
                raise UnusableKey("a secret or private key stands in a set of public keys: it is no secret any more")
            keys.append(key_of_jwk(jwk))
        except ValueError as error:
            if tolerant is None:
                raise
            tolerant(error)
    return keys


def check_set(keys: list[Key], tolerant: Callable[[ValueError], None] | None = None) -> list[Key]:
    """The keys, if they can stand beside each other. Raises ValueError; ``tolerant`` as in :func:`keys_of_set`."""
    kids = [key.kid for key in keys]
    twice = {kid for kid in kids if kids.count(kid) > 1}
    if twice and tolerant is None:
        raise ValueError("the same key, or the same kid, is listed twice")
    if twice and tolerant is not None:
        tolerant(ValueError("a kid is listed twice; which key it means cannot be known"))
    left = [key for key in keys if key.kid not in twice]
    if len({isinstance(key, HmacKey) for key in left}) > 1:
        raise ValueError("shared secrets and key pairs do not stand in one set (RFC 8725, 2.1)")
    return left


def private_members(jwk: Mapping[str, Any]) -> frozenset[str]:
    """Which members of a JWK must not be published."""
    return _PRIVATE.intersection(jwk)


def _shown(value: object) -> str:
    """What an error may quote of it: short, printable text."""
    return repr(value) if type(value) is str and len(value) <= 32 and value.isprintable() else "of that name"
