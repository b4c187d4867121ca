"""base64url and JSON, read strictly: one spelling per value, or a ValueError.

RFC 7515, 2 (base64url without padding), RFC 7519, 4 and 7.2 (UTF-8, no duplicate names), draft RFC 8725bis, 3.14.
"""

import json
import math
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any

_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")  # what base64url does not use becomes what base64 refuses
_TO_URL = bytes.maketrans(b"+/", b"-_")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LAST = (_ALPHABET, b"", _ALPHABET[::16], _ALPHABET[::4])  # by length mod 4: last characters whose spare bits are zero
_PADDING = (b"", b"", b"==", b"=")
_BLANKS = " \t\r\n"


def b64url_encode(raw: bytes) -> bytes:
    """The base64url spelling of ``raw``, without padding."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def b64url_decode(text: bytes) -> bytes:
    """The bytes that ``text`` spells canonically.

    Raises:
        ValueError: ``text`` is not exactly what :func:`b64url_encode` would have written.
    """
    over = len(text) & 3
    if over and text[-1] not in _LAST[over]:
        raise ValueError("not canonical base64url")
    return a2b_base64(text.translate(_FROM_URL) + _PADDING[over], strict_mode=True)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member name")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


json_text: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
"""Compact JSON of a value, in ASCII. Raises ValueError for NaN and Infinity, TypeError for what is not JSON."""

json_quoted: Callable[[str], str] = json.encoder.encode_basestring_ascii
"""A str as a JSON string, in ASCII."""

Scan = Callable[[str, int], tuple[Any, int]]

_plain = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_looking = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
json_scan: Scan = _plain.scan_once  # type: ignore[attr-defined]  # raw_decode() without its wrapper
"""The JSON value at a place in a str, and where it ends. Raises StopIteration where there is none, ValueError."""
_scan_looking_for_duplicates: Scan = _looking.scan_once  # type: ignore[attr-defined]


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in ``raw``.

    Raises:
        ValueError: not UTF-8, a byte order mark, not one object, a duplicate name, NaN or Infinity, a number that does
            not fit, a lone surrogate, or nesting that is too deep.
    """
    try:
        text = raw.decode("utf-8").strip(_BLANKS)
        value: Any
        value, end = json_scan(text, 0)
        if end != len(text) or type(value) is not dict:
            raise ValueError("not one JSON object")
        # Far faster than looking at each name: every member but the first has a comma before it, and other commas, in a
        # string or a list, only add to the count. So if an object without objects in it kept one member more than
        # there are commas, none was dropped.
        if text.count(",") + 1 != len(value) or text.rfind("{"):
            value, _ = _scan_looking_for_duplicates(text, 0)
        if "\\" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate raises; so may one level too many
    except (RecursionError, StopIteration) as error:
        raise ValueError(f"not JSON: {type(error).__name__}") from None
    return value  # type: ignore[no-any-return]
