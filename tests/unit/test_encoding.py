"""base64url and JSON are read in one spelling only."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_refresh_middleware.encoding import b64url_decode, b64url_encode, json_object
from tests.rotation.support import QUICK

_NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_TEXT = st.text(st.characters(exclude_categories=("Cs",)))
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@QUICK
@given(st.binary(max_size=200))
def test_what_was_encoded_is_decoded(raw: bytes) -> None:
    text = b64url_encode(raw)
    assert text == base64.urlsafe_b64encode(raw).rstrip(b"=")
    assert b64url_decode(text) == raw


@QUICK
@given(st.text("AQgwBCz019-_+/= \n!é", max_size=12).map(str.encode) | st.binary(max_size=12))
def test_only_the_canonical_spelling_is_decoded(text: bytes) -> None:
    try:
        raw = b64url_decode(text)
    except ValueError:
        return
    assert b64url_encode(raw) == text


@QUICK
@given(st.binary(min_size=1, max_size=40), st.data())
def test_no_other_last_character_spells_the_same_bytes(raw: bytes, data: st.DataObject) -> None:
    text = b64url_encode(raw)
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")).encode()
    if other == text[-1:]:
        return
    with suppress(ValueError):
        assert b64url_decode(text[:-1] + other) != raw


@pytest.mark.parametrize(
    "text",
    [
        "AB",
        "AAB",
        "A",
        "AAAAA",
        "AA==",
        "AAA=",
        "AA=",
        "=",
        "====",
        "AA\n",
        " AA",
        "A A",
        "AA!!!!",
        "++++",
        "////",
        "é",
        "AA\0",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        b64url_decode(text.encode())


def test_nothing_is_spelled_by_nothing() -> None:
    assert b64url_decode(b"") == b""


@QUICK
@given(st.dictionaries(_TEXT, _VALUES, max_size=6))
def test_what_json_wrote_is_read(value: dict[str, Any]) -> None:
    assert json_object(json.dumps(value).encode()) == value
    assert json_object(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) == value


_BLANK = st.text(" \t\r\n", max_size=2)
_NAMES = st.sampled_from(["a", "b", "a,b", "{", "a\\", '"', ""])  # few, so that they meet


@st.composite
def _objects(draw: st.DrawFn, depth: int = 2) -> tuple[str, bool]:
    """The text of an object with blanks anywhere, and whether a name is twice in one of its objects."""
    names, members, twice = draw(st.lists(_NAMES, max_size=4)), [], False
    for name in names:
        value = json.dumps(draw(st.sampled_from([1, "x,y", "}{", [1, 2], [], None])))
        if depth and draw(st.booleans()):
            value, inside = draw(_objects(depth - 1))
            twice |= inside
            value = f"[0,{value}]" if draw(st.booleans()) else value
        members.append(f"{draw(_BLANK)}{json.dumps(name)}{draw(_BLANK)}:{draw(_BLANK)}{value}{draw(_BLANK)}")
    return "{" + ",".join(members) + "}", twice or len(set(names)) < len(names)


@QUICK
@given(_objects())
def test_an_object_is_refused_exactly_if_a_name_is_there_twice(made: tuple[str, bool]) -> None:
    text, twice = made
    if twice:
        with pytest.raises(ValueError):
            json_object(text.encode())
    else:
        assert json_object(text.encode()) == json.loads(text)


@QUICK
@given(st.binary(max_size=60) | st.text('{}[]":,0123456789eE+-.\\ u\ntrfalsnN', max_size=40).map(str.encode))
def test_whatever_comes_is_an_object_or_a_value_error(raw: bytes) -> None:
    try:
        value = json_object(raw)
    except ValueError:
        return
    assert value == json.loads(raw)
    assert type(value) is dict


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b"}", b"[]", b"1", b"null", b'"x"', b"{}x", b"{}{}", b"{},", b"{'a':1}", b'{"a":1,}', b"{a:1}",
        b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'{"x":{"a":1,"a":2}}', b'{"x":[{"a":1,"a":2}]}',
        b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e400}', b'{"a":-1e400}', b'{"a":01}', b'{"a":.5}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'\xef\xbb\xbf{"a":1}', '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-16-le"), b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}', b'{"a":"\\ud800"}', b'{"\\udfff":1}', b'{"a":"\n"}',
        b'\x0c{"a":1}', b'\xc2\xa0{"a":1}',
    ],
)  # fmt: skip
def test_what_is_not_one_strict_object_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        json_object(raw)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("start", [b"", b'{"a":'])
def test_deep_nesting_is_refused(opening: bytes, start: bytes) -> None:
    with pytest.raises(ValueError):
        json_object(start + opening * 100_000)


def test_blanks_around_and_pairs_of_surrogates_are_json() -> None:
    assert json_object(b' \t\r\n{"a": "\\ud83d\\ude00"}\n ') == {"a": "\N{GRINNING FACE}"}
    assert json_object(b'{"a":"\\\\u0041"}') == {"a": "\\u0041"}
