"""Groups E to J over HTTP, on every server: the tests of the modules themselves.

After each attack the next good request is made on the same connection; see ``wire_target.py``. What the bytes of a
request are to a server is in ``test_servers.py``, the life cycle of refresh tokens in ``test_servers_refresh.py``.
"""

from collections.abc import Callable
from typing import Any

import pytest

from .wire_service import Wire, WireService
from .wire_target import WireTarget, on_servers

_BYTES = "what the bytes are to a server: by hand in test_servers.py"
_PROCESS = "it looks at or changes what is only in the process"
_MANY = "it is about numbers: fewer, by hand, in test_servers_refresh.py"
_WITHOUT: dict[str, dict[str, str]] = {
    "test_e_carriage": {
        "test_token_in_query_or_form": "a server logs the query, and no token may be in the log: test_servers.py",
        "test_e16_e17_cors_outside_adds_its_headers_to_refusals": "by hand in test_servers_refresh.py",
        "test_e21_five_hundred_at_once_are_not_mixed_up": "it would be one after the other: test_servers_refresh.py",
    },
    "test_f_paths": {
        "test_f03_a_question_mark_that_was_encoded": _BYTES,
        "test_root_path": "servers with a root path are in tests/matrix/test_root_path.py",
        "test_f07_a_target_that_is_no_path": _BYTES,
        "test_only_post_changes_anything": _BYTES,
    },
    "test_g_cookies": {},
    "test_h_refresh_tokens": {
        "test_h15_a_flood_of_junk_costs_the_store_nothing": _MANY,
        "test_h15_a_flood_of_forged_access_tokens_costs_the_store_nothing": _MANY,
    },
    "test_i_devices": {},
    "test_j_failure": {
        "test_j01_nothing_of_a_token_in_logs_reprs_or_errors": _PROCESS,
        "test_j01_nothing_of_a_token_in_the_store": _PROCESS,
        "test_a_user_loader_that_raises_lets_nobody_in": "its user loader is a function of its own",
        "test_j04_a_clock_that_raises_lets_nobody_in": _PROCESS,
        "test_j06_keys_of_the_scope_are_overwritten": "nothing that comes over HTTP is a key of the scope",
        "test_j07_a_thousand_tokens_more_than_are_remembered": _PROCESS,
    },
}


@pytest.fixture
def target(wire: Wire, caplog: pytest.LogCaptureFixture) -> WireTarget:
    return WireTarget(caplog, wire, by_http=True)


@pytest.fixture
def make_service(wire: Wire) -> Callable[..., WireService]:
    return lambda **options: WireService(wire, **options)


for _name, _without in _WITHOUT.items():
    _tests: dict[str, Any] = on_servers("HS256", _name, without=_without)
    globals().update({f"{test}_{_name.split('_')[1]}": run for test, run in _tests.items()})
