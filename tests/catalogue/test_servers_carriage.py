"""Groups E to J and the advisories over HTTP, on every server: the tests of the modules themselves.

After each attack the next good request is made on the same connection; see ``wire_target.py``. What the bytes of a
request are to a server is in ``test_servers.py``, the life cycle of refresh tokens in ``test_servers_refresh.py``.
"""

from collections.abc import Callable

import pytest

from .wire_service import Wire, WireService
from .wire_target import WireTarget, all_on_servers

_BYTES = "what the bytes are to a server: by hand in test_servers.py"
_PROCESS = "it looks at or changes what is only in the process"
_MANY = "it is about numbers: fewer, by hand, in test_servers_refresh.py"
_STORE = "a store of its own, which is an object: the like by hand in test_servers_refresh.py"
_LOADER = "a user loader of its own, which is a function: by hand in test_servers_refresh.py"
_WITHOUT = {
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
    "test_f_connections": {
        "test_behind_a_root_path_nothing_else_opens": "servers with a root path are in tests/matrix/test_root_path.py",
    },
    "test_e_answers": {"test_only_options_is_a_preflight": "servers differ in what is a method: test_servers.py"},
    "test_h_at_rest": {
        "test_what_is_spent_or_ended_is_so_after_the_database_was_killed": _STORE,
    },
    "test_h_life_cycle": {
        "test_fifty_at_once_are_one_rotation": _STORE,
        "test_h08_a_refresh_and_a_logout_at_once": _STORE,
        "test_an_old_token_and_the_current_one_at_once": _STORE,
        "test_all_sessions_end_during_twenty_refreshes": _STORE,
        "test_h12_an_account_that_was_switched_off_refreshes_nothing": _LOADER,
        "test_h12_an_account_that_was_deleted_has_no_sessions_left": _LOADER,
    },
    "test_h_stores": {
        "test_a_store_that_is_older_than_the_tokens_logs_nobody_out": _STORE,
        "test_a_failure_at_any_operation_costs_nothing": _STORE,
        "test_an_answer_that_was_lost_is_given_again": _STORE,
        "test_h21_a_client_that_leaves_at_any_moment_goes_on": _STORE,
    },
    "test_advisories_web": {
        "test_pysec_2026_248_a_target_without_a_slash": _BYTES,
        "test_cve_2025_68158_a_login_that_the_attacker_began": _PROCESS,
    },
    "test_h_refresh_tokens": {
        "test_h15_a_flood_of_junk_costs_the_store_nothing": _MANY,
        "test_h15_a_flood_of_forged_access_tokens_costs_the_store_nothing": _MANY,
    },
    "test_j_failure": {
        "test_j01_nothing_of_a_token_in_logs_reprs_or_errors": _PROCESS,
        "test_j01_nothing_of_a_token_in_the_store": _PROCESS,
        "test_a_user_loader_that_raises_lets_nobody_in": _LOADER,
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


globals().update(all_on_servers("HS256", "test_[e-j]_*.py", "test_advisories*.py", without=_WITHOUT))
