"""What the contract and the standards say, written once more: plainly, slowly, and with nothing of the package.

Each function is what the parser of the same purpose is compared with, whatever comes in.
"""

import base64
import ipaddress
import json
import math
import re
import unicodedata
from functools import cache
from typing import Any
from urllib.parse import unquote_to_bytes

from jwt_refresh_middleware.testing import NOW

from .forging import AUDIENCE, ISSUER

REFUSED = object()
"""What a reference gives where the parser has to refuse."""


def base64url(text: bytes) -> bytes | object:
    """RFC 7515, 2, in the one spelling that an encoder writes."""
    if not re.fullmatch(rb"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        return REFUSED
    raw = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=") == text else REFUSED


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a name twice")
    return dict(pairs)


def _no(name: str) -> Any:
    raise ValueError(name)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for name, inner in value.items() for text in (name, *_texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list):
        return [number for inner in value for number in _numbers(inner)]
    return [value] if isinstance(value, float) else []


def too_deep_to_tell(raw: bytes) -> bool:
    """Whether it may be nested so deep that the stack of whoever asks decides."""
    return raw.count(b"[") + raw.count(b"{") > 150


def json_object(raw: bytes) -> dict[str, Any] | object:
    """RFC 8259 in UTF-8 without a mark, one object, no name twice (RFC 7519, 4), finite numbers, whole characters."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no)
        if not all(math.isfinite(number) for number in _numbers(value)):
            return REFUSED
        for text in _texts(value):
            text.encode("utf-8")
    except (ValueError, RecursionError):
        return REFUSED
    return value if isinstance(value, dict) else REFUSED


def _is_date(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 253_402_300_800


def _is_clean(value: Any) -> bool:
    return isinstance(value, str) and value != "" and all(unicodedata.category(c) not in ("Cc", "Cs") for c in value)


def access_token(header: Any, claims: Any, names: tuple[str, ...], kid: str) -> bool:
    """Whether RFC 9068, 4 and the contract accept a token that says this and is signed by the key ``kid``."""
    if header is REFUSED or claims is REFUSED:
        return False
    typ, alg, named = header.get("typ"), header.get("alg"), header.get("kid", kid)
    if not isinstance(typ, str) or typ.lower() not in ("at+jwt", "application/at+jwt"):
        return False
    if alg not in names or named != kid:
        return False
    if {"crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"} & set(header):
        return False
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if AUDIENCE not in listed or not all(isinstance(one, str) for one in listed):
        return False
    dates = {name: claims[name] for name in ("exp", "iat", "nbf", "auth_time") if name in claims}
    texts = ["sub", "jti"] + ["sid"] * ("sid" in claims)
    generation = claims.get("gen", 0)
    return (
        claims.get("iss") == ISSUER
        and {"exp", "iat"} <= set(dates)
        and all(_is_date(value) for value in dates.values())
        and dates["iat"] <= NOW < dates["exp"]
        and dates.get("nbf", 0) <= NOW
        and all(_is_clean(claims.get(name)) for name in texts)
        and type(generation) is int
        and generation >= 0
        and isinstance(claims.get("scope", ""), str)
        and "cnf" not in claims  # RFC 9449, 7.2: a bound token is none for Bearer
    )


def authorization(value: bytes | None) -> bytes | object | None:
    """The token of a header: None without one or of another scheme; contract, 4, and RFC 6750, 2.1."""
    if value is None:
        return None
    if not value.strip(b" \t"):
        return REFUSED
    at = next((at for at, one in enumerate(value) if one in b" \t"), len(value))
    scheme, blank, rest = value[:at], value[at : at + 1], value[at + 1 :]
    if b" " not in value and scheme[:6].lower() == b"bearer":
        return REFUSED  # nothing that separates a scheme from a token
    if scheme.lower() != b"bearer":
        return None
    token = rest.strip(b" \t")
    if blank != b" " or not token or re.search(rb"[ \t,]", token):
        return REFUSED
    return token


def cookie(header: bytes | None, name: bytes) -> bytes | object | None:
    """The value of a cookie, to the letter; refused if it comes twice (RFC 6265, 5.4, as a server reads it)."""
    found = re.findall(rb"(?:\A|;)[ \t]*" + re.escape(name) + rb"=([^;]*)", header or b"")
    if len(found) > 1:
        return REFUSED
    return (found[0].strip(b" \t") or None) if found else None


def form(body: bytes) -> dict[str, str] | object:
    """application/x-www-form-urlencoded in UTF-8, no name twice (RFC 6749, 3.2), at most 100 fields."""
    pairs = [part.partition(b"=") for part in body.split(b"&")]
    if body.count(b"&") + 1 > 100:
        return REFUSED
    try:
        body.decode("utf-8")
        said = [(_unquoted(name), _unquoted(value)) for name, equals, value in pairs if name or equals]
    except UnicodeDecodeError:
        return REFUSED
    return dict(said) if len({name for name, _ in said}) == len(said) else REFUSED


def _unquoted(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")


def is_public(path: str, root_path: str, patterns: list[str]) -> bool:
    """Contract, 2: exact paths, and whole segments below ``/*``; only if the path less the root path is canonical."""
    if root_path and root_path in path and not (path == root_path or path.startswith(root_path + "/")):
        return False  # beyond the contract: some routers take it out wherever it stands
    if root_path and (path == root_path or path.startswith(root_path + "/")):
        path = path[len(root_path) :]
    segments = path.split("/")
    if any(segment in (".", "..") for segment in segments[1:]) or "//" in path:
        return False
    if any(c in ";%\\\ufffd" or unicodedata.category(c) == "Cc" for c in path):
        return False
    for pattern in patterns:
        wanted = pattern.split("/")
        if wanted[-1] == "*" and len(segments) >= len(wanted) and segments[: len(wanted) - 1] == wanted[:-1]:
            return True
        if wanted[-1] != "*" and path == pattern:
            return True
    return False


def _normal(host: str) -> str | None:
    """One spelling per address: no zone, IPv4-mapped as IPv4."""
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def _hop(entry: str) -> str | None:
    """An address, with a port or without, in brackets if it is one of IPv6 with a port."""
    text = entry.strip(" \t")
    found = (
        re.fullmatch(r"\[([^\]]*:[^\]]*)\](?::[0-9]{1,5})?", text)
        or re.fullmatch(r"([^:\[]*)(?::[0-9]{1,5})?", text)
        or re.fullmatch(r"([^\[]*:[^\[]*:[^\[]*)", text)
    )
    return _normal(found[1]) if found else None


_network = cache(ipaddress.ip_network)


def client_address(peer: str | None, forwarded: list[bytes], trusted: list[str]) -> str | None:
    """The first hop from the right that is no trusted proxy; the last one that can be read if one cannot."""
    networks = [_network(one) for one in trusted]

    def is_trusted(one: str) -> bool:
        return any(ipaddress.ip_address(one) in network for network in networks)

    nearest = _normal(peer) if peer else None
    if nearest is None or not is_trusted(nearest):
        return peer or None
    hops = b",".join(forwarded).decode("latin-1").split(",") if forwarded else []
    for entry in reversed(hops):
        hop = _hop(entry)
        if hop is None:
            break
        nearest = hop
        if not is_trusted(hop):
            break
    return nearest


def may_come_from(headers: dict[bytes, list[bytes]], scheme: str, allowed: list[str]) -> bool:
    """Contract, 3: Fetch Metadata first, then Origin; a header that comes twice is as good as one of nobody."""

    def one(name: bytes) -> str | None:
        values = headers.get(name, [])
        return None if not values else values[0].decode("latin-1") if len(values) == 1 else ""

    site, origin, host = one(b"sec-fetch-site"), one(b"origin"), one(b"host")
    if site in ("same-origin", "none"):
        return True
    if site is None and origin is None:
        return True
    if origin in allowed:
        return True
    port = {"http": "80", "https": "443"}.get(scheme)
    own = re.sub(rf":{port}\Z", "", host) if host and port else host
    return bool(origin and own and origin.lower() == f"{scheme}://{own}".lower())


def takes_gzip(value: bytes) -> bool:
    """RFC 9110, 12.5.3, strictly: False for a header that has anything in it that is not of its grammar."""
    weights: dict[str, float] = {}
    for element in value.decode("latin-1").lower().split(","):
        parts = [part.strip(" \t") for part in element.split(";")]
        if parts == [""]:
            continue
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", parts[0]) or parts[0] in weights or len(parts) > 2:
            return False
        weight = 1.0
        if len(parts) == 2:
            found = re.fullmatch(r"q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?)", parts[1])
            if found is None:
                return False
            weight = float(found[1])
        weights[parts[0]] = weight
    gzip = weights["gzip"] if "gzip" in weights else weights.get("*", 0.0)
    return gzip > 0 and gzip >= weights.get("identity", 0.0)
