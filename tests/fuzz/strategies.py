"""What comes in: pieces of what is right, put together at random, and right things with something done to them."""

from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

from .mutations import odd_bytes

T = TypeVar("T", str, bytes)

LATIN = st.binary(max_size=40)
SEEDS = st.integers(0, 2**32)


def glued(pieces: Sequence[T], most: int = 12) -> st.SearchStrategy[T]:
    """Any of the pieces, in any order."""
    empty = pieces[0][:0]
    return st.lists(st.sampled_from([*pieces]), max_size=most).map(empty.join)


def mutated(good: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of them, with a few bytes changed, put in or left out."""
    return st.builds(lambda one, seed: odd_bytes(Random(seed), one), st.sampled_from([*good]), SEEDS)


def headers(names: Sequence[bytes], values: Sequence[bytes]) -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    return st.lists(st.tuples(st.sampled_from([*names]), st.sampled_from([*values]) | LATIN), max_size=5)


_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


_TWICE = (b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'{"x":{"a":1,"a":2}}', b'{"x":[{"a":1,"a":1}],"y":"a,b"}')
_JSON = (b'{"a":1,"b":[1,{"a":"x,y"}],"\\u0061b":"\\ud83d\\ude00"}', b'{"a":{"b":1,"c":[]},"d":-1.5e3}', *_TWICE)


def json_like(good: Sequence[bytes] = _JSON) -> st.SearchStrategy[bytes]:
    """JSON, nearly JSON, and pieces of it."""
    pieces = [
        b"{", b"}", b"[", b"]", b":", b",", b'"a"', b'"a"', b'"\\u0061"', b'"', b"1", b"-0", b"1e999", b"NaN", b"true",
        b"null", b" ", b"\n", b"\\ud800", b"\xef\xbb\xbf", b"\xff", b"\xc3\xa9", b"\0",
    ]  # fmt: skip
    return mutated(good) | st.sampled_from([*good]) | glued(pieces, 20) | LATIN
