"""Faults in what is thought of a device, and of the places where a subject is: every single check there is."""

from .every_check import every_check

_UNIT = "tests/unit/test_"
_OVER_A_STORE = "tests/rotation/test_watching.py::test_"
_WATCHED = (
    "a_session_in_two_networks_at_once_has_to_prove_itself[memory]",
    "a_rule_may_only_tell[memory]",
    "a_rule_may_end_the_session_that_moved[memory]",
    "a_login_elsewhere_is_marked_while_another_session_is_in_use[memory]",
    "a_login_elsewhere_may_end_the_others[memory]",
    "nobody_travels_that_fast[memory]",
    "a_rule_about_travels_needs_to_know_where_places_are",
    "the_oldest_makes_room[memory]",
    "or_the_new_one_is_refused[memory]",
    "what_makes_room_is_nowhere_any_more[memory]",
    "the_token_that_a_proof_has_spent_does_not_have_the_owner_asked_again[memory]",
    "a_spent_token_from_elsewhere_within_the_leeway_is_noticed[memory]",
    "what_watching_costs_in_store_operations",
    "somebody_faster_is_noticed",
)

FAULTS = (
    *every_check("devices.py", (_UNIT + "devices.py",), apart={"__post_init__": (_UNIT + "device_options.py",)}),
    *every_check("watching.py", (_UNIT + "watching.py",)),
    *every_check("doubts.py", tuple(_OVER_A_STORE + name for name in _WATCHED)),
)
