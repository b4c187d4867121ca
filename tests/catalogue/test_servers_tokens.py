"""Groups A to D over HTTP, on every server, for every algorithm: the tests of the modules themselves.

After each attack the next good request is made on the same connection; see ``wire_target.py``. Key pairs have two of
the servers unless ``CATALOGUE_EVERYWHERE`` is set: what a server does to a request is not about the key.
"""

import os
from collections.abc import Callable

import pytest

from ..matrix.serving import SERVERS
from .forge import PAIRS
from .wire_service import Wire, WireService
from .wire_target import WireTarget, all_on_servers

_BY_HAND = "it takes the ring of keys apart: by hand in test_servers_keys.py"
_WITHOUT = {
    "test_a_rotation": {
        "test_a16_inside_the_overlap_and_outside": _BY_HAND,
        "test_a16_a_key_that_is_taken_away_is_gone_at_once": _BY_HAND,
        "test_a17_fifty_clients_refresh_while_the_keys_rotate": _BY_HAND,
    },
    "test_c_accounts": {
        "test_c09_an_account_that_was_switched_off_keeps_its_access_token_until_it_expires": "a user loader of its own",
    },
}
_OF_EVERY_ALGORITHM = ("test_a_algorithms.py", "test_b_*.py", "test_c_*.py", "test_d_*.py")
"""The others of group A say themselves for which algorithm they are."""


_SERVERS_OF_PAIRS = SERVERS if "CATALOGUE_EVERYWHERE" in os.environ else ["uvicorn-h11", "hypercorn"]


@pytest.fixture
def target(wire: Wire, caplog: pytest.LogCaptureFixture) -> WireTarget:
    return WireTarget(caplog, wire, by_http=False)


@pytest.fixture
def make_service(wire: Wire) -> Callable[..., WireService]:
    return lambda **options: WireService(wire, **options)


globals().update(all_on_servers("HS256", "test_[a-d]_*.py", without=_WITHOUT))
for _algorithm in PAIRS:
    _left_out = {name: tests for name, tests in _WITHOUT.items() if not name.startswith("test_a_")}
    _tests = all_on_servers(_algorithm, *_OF_EVERY_ALGORITHM, without=_left_out, servers=_SERVERS_OF_PAIRS)
    globals().update(_tests)
