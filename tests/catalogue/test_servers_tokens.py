"""Groups A to D over HTTP, on every server, for every algorithm: the tests of the modules themselves.

After each attack the next good request is made on the same connection; see ``wire_target.py``.
"""

from collections.abc import Callable
from typing import Any

import pytest

from .forge import PAIRS
from .wire_service import Wire, WireService
from .wire_target import WireTarget, on_servers

_BY_HAND = "it takes the ring of keys apart: by hand in test_servers_keys.py"
_WITHOUT: dict[str, dict[str, str]] = {
    "test_a_algorithms": {},
    "test_a_signatures": {},
    "test_a_confusion": {},
    "test_a_rotation": {
        "test_a16_inside_the_overlap_and_outside": _BY_HAND,
        "test_a16_a_key_that_is_taken_away_is_gone_at_once": _BY_HAND,
        "test_a17_fifty_clients_refresh_while_the_keys_rotate": _BY_HAND,
    },
    "test_b_encoding": {},
    "test_c_claims": {
        "test_c09_an_account_that_was_switched_off_keeps_its_access_token_until_it_expires": "a user loader of its own",
    },
    "test_d_confusion": {},
}
_OF_ONE_ALGORITHM = ("test_a_signatures", "test_a_confusion", "test_a_rotation")
"""Whose tests say themselves for which algorithm they are."""


@pytest.fixture
def target(wire: Wire, caplog: pytest.LogCaptureFixture) -> WireTarget:
    return WireTarget(caplog, wire, by_http=False)


@pytest.fixture
def make_service(wire: Wire) -> Callable[..., WireService]:
    return lambda **options: WireService(wire, **options)


for _algorithm in ("HS256", *PAIRS):
    for _name, _without in _WITHOUT.items():
        if _algorithm == "HS256" or _name not in _OF_ONE_ALGORITHM:
            _tests: dict[str, Any] = on_servers(_algorithm, _name, without=_without)
            globals().update({f"{test}_{_name.split('_')[1]}": run for test, run in _tests.items()})
