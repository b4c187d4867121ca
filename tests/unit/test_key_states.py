"""States of keys: next, current, previous, gone. Values and pure functions; the time is an argument."""

from math import inf

import pytest

from jwt_refresh_middleware.key_states import Held, State, in_order, living, rotated
from jwt_refresh_middleware.key_texts import new_key

from .pairs import ALL, private_half, public_half

NOW, OVERLAP = 1000.0, 960.0
ONE, TWO, THREE = (private_half("EdDSA", number) for number in range(3))


def _shown(held: tuple[Held, ...]) -> list[tuple[str, str, float, float]]:
    names = {ONE.kid: "one", TWO.kid: "two", THREE.kid: "three"}
    return [(names.get(one.key.kid, "new"), one.state, one.since, one.until) for one in held]


def test_of_keys_without_a_state_the_first_private_one_signs() -> None:
    for keys, current in (([ONE, TWO], ONE), ([TWO, ONE], TWO), ([public_half("EdDSA", 2), ONE], ONE)):
        held = in_order(keys, NOW)
        assert held[0] == Held(current, "current", NOW)
        assert {one.state for one in held[1:]} == {"previous"}
        assert {one.until for one in held} == {inf}


def test_of_public_keys_the_first_is_current() -> None:
    keys = [public_half("EdDSA", 1), public_half("EdDSA", 0)]
    assert [(one.key, one.state) for one in in_order(keys, NOW)] == [(keys[0], "current"), (keys[1], "previous")]
    assert in_order([], NOW) == ()


def test_keys_with_states_are_sorted_and_kept() -> None:
    held = [Held(ONE, "next", 5), Held(TWO, "previous", 6, 7), Held(THREE, "current", 8)]
    assert in_order(held, NOW) == (held[2], held[1], held[0])


@pytest.mark.parametrize("state", ["current", "next"])
def test_no_two_keys_are_current_or_next(state: State) -> None:
    with pytest.raises(ValueError, match="one current key and at most one next"):
        in_order([Held(ONE, state, 0), Held(TWO, state, 0)], NOW)
    with pytest.raises(ValueError, match="twice"):
        in_order([Held(ONE, "current", 0), Held(public_half("EdDSA"), "next", 0)], NOW)


def test_the_first_rotation_publishes_and_changes_nothing_else() -> None:
    after = rotated([Held(ONE, "current", 3), Held(TWO, "previous", 4, NOW + 1)], NOW, OVERLAP)
    assert _shown(after) == [("one", "current", 3, inf), ("two", "previous", 4, NOW + 1), ("new", "next", NOW, inf)]


def test_a_rotation_takes_every_key_one_step_further() -> None:
    before = [
        Held(ONE, "current", 3),
        Held(TWO, "next", 4),
        Held(THREE, "previous", 1, NOW + 1),
        Held(private_half("ES256"), "previous", 1, NOW),
    ]
    assert _shown(rotated(before, NOW, OVERLAP)) == [
        ("two", "current", NOW, inf),
        ("one", "previous", NOW, NOW + OVERLAP),
        ("three", "previous", 1, NOW + 1),
        ("new", "next", NOW, inf),
    ]


@pytest.mark.parametrize("name", ALL)
def test_the_new_key_has_the_algorithm_of_the_current_one(name: str) -> None:
    after = rotated([Held(new_key(name), "current", 0)], NOW, OVERLAP)
    assert [one.key.algorithm for one in after] == [name, name]


def test_keys_that_cannot_sign_cannot_be_rotated() -> None:
    for held in ([], [Held(public_half("EdDSA"), "current", 0)], [Held(ONE, "previous", 0)], [Held(ONE, "next", 0)]):
        with pytest.raises(ValueError, match="cannot sign"):
            rotated(held, NOW, OVERLAP)


def test_a_key_is_gone_at_the_very_moment() -> None:
    held = [Held(ONE, "current", 0), Held(TWO, "previous", 0, NOW)]
    assert living(held, NOW - 0.001) == tuple(held)
    assert living(held, NOW) == (held[0],)
