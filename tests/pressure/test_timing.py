"""J02: MACs are compared in constant time, by the source and by the clock."""

import hmac
import random
from pathlib import Path

import pytest

import jwt_refresh_middleware
from jwt_refresh_middleware import keys, refresh

from ..web.support import Service
from .comparisons import constant_time, leaks
from .timing import (
    Comparison,
    Pair,
    access_pairs,
    compare,
    known_sessions,
    leaky,
    reading_access,
    reading_refresh,
    refresh_pairs,
    unsigned_session_ids,
    unsigned_sessions,
)

pytestmark = pytest.mark.case("J02")

_PACKAGE = Path(jwt_refresh_middleware.__file__).parent
_SOURCES = {f"{path.relative_to(_PACKAGE)}": path.read_text() for path in sorted(_PACKAGE.rglob("*.py"))}
_COUNT = 20_000
_FAR = 12.0
"""Beyond what a machine that does other things as well has ever shown, and far below what a leak shows: over 100."""


def test_no_mac_is_compared_but_in_constant_time() -> None:
    assert {name: found for name, source in _SOURCES.items() if (found := leaks(source))} == {}


def test_both_kinds_of_tokens_are_compared_by_hmac() -> None:
    assert [constant_time(_SOURCES[name]) for name in ("keys.py", "refresh.py")] == [1, 1]
    assert keys.compare_digest is refresh.compare_digest is hmac.compare_digest


_KEYS = "compare_digest(b64url_encode(self.sign(message)), signature)"
_REFRESH = 'compare_digest(signed + b"." + signer.get_signature(signed), raw)'
CHANGES = [
    ("keys.py", f"return {_KEYS}", "return b64url_encode(self.sign(message)) == signature"),
    ("keys.py", f"return {_KEYS}", "return signature == b64url_encode(self.sign(message))"),
    ("keys.py", f"return {_KEYS}", "return not b64url_encode(self.sign(message)) != signature"),
    ("keys.py", f"return {_KEYS}", "own = b64url_encode(self.sign(message)); return own == signature"),
    ("keys.py", f"return {_KEYS}", "return signature in (b64url_encode(self.sign(message)),)"),
    ("keys.py", f"return {_KEYS}", "return signature.startswith(b64url_encode(self.sign(message)))"),
    ("keys.py", f"return {_KEYS}", f"return signature[:4] == self.sign(message)[:4] and {_KEYS}"),
    ("refresh.py", f"if {_REFRESH}:", 'if signed + b"." + signer.get_signature(signed) == raw:'),
    ("refresh.py", f"if {_REFRESH}:", "if raw.endswith(signer.get_signature(signed)):"),
    ("refresh.py", f"if {_REFRESH}:", f"if raw[-1:] == signer.get_signature(signed)[-1:] and {_REFRESH}:"),
]


@pytest.mark.parametrize(("module", "old", "new"), CHANGES)
def test_a_comparison_that_ends_early_is_found(module: str, old: str, new: str) -> None:
    source = _SOURCES[module]
    assert source.count(old) == 1
    assert len(leaks(source.replace(old, new))) == 1


def _measured(kind: str, service: Service, pairs: list[Pair]) -> Comparison:
    reading = {"access": reading_access, "refresh": reading_refresh}[kind]
    return compare(kind, reading(service), pairs, _COUNT, seed=1)


kinds = pytest.mark.parametrize("kind", ["access", "refresh"])


def _tails(kind: str) -> list[Pair]:
    return {"access": access_pairs, "refresh": refresh_pairs}[kind](random.Random(2))


@pytest.mark.alone
@kinds
def test_how_much_of_a_signature_is_right_takes_no_time(kind: str) -> None:
    assert abs(_measured(kind, Service(), _tails(kind)).t) < _FAR


@pytest.mark.alone
@kinds
def test_a_comparison_byte_by_byte_would_be_seen(kind: str) -> None:
    """Or the test before proves nothing."""
    with leaky():
        found = _measured(kind, Service(), _tails(kind))
    assert found.t > 2 * _FAR
    assert not found.holds


@pytest.mark.alone
@kinds
async def test_whether_a_session_exists_takes_no_time(kind: str) -> None:
    """For who has no key: with a genuine signature the store is asked, but those are made by us alone."""
    service, dice = Service(), random.Random(3)
    handles, ids = await known_sessions(service)
    pairs = unsigned_session_ids(dice, ids) if kind == "access" else unsigned_sessions(dice, handles)
    assert abs(_measured(kind, service, pairs).t) < _FAR
    await service.aclose()
