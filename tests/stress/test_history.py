"""The checker of histories, on histories that are known to be possible or impossible."""

from math import inf

import pytest

from .history import REFUSED, UNKNOWN, Operation, State, linearizable


def _history(*requests: tuple[int | None, float, float, int]) -> list[Operation]:
    return [Operation(*request) for request in requests]


POSSIBLE = {
    "a rotation and a repeat": [(0, 0, 9, 1), (0, 1, 8, 1)],
    "one after the other": [(0, 0, 1, 1), (1, 2, 3, 2), (2, 4, 5, 3)],
    "a lost answer, asked for again": [(0, 0, inf, UNKNOWN), (0, 1, 2, 1), (1, 3, 4, 2)],
    "a lost answer that nobody asked for again explains a reuse": [
        (0, 0, 1, 1),
        (1, 2, inf, UNKNOWN),
        (0, 3, 4, REFUSED),
    ],
    "a logout in the middle": [(0, 0, 9, 1), (None, 1, 8, 0), (0, 2, 7, REFUSED)],
    "refused once it has ended": [(None, 0, 1, 0), (0, 2, 3, REFUSED)],
    "an old token ends it": [(0, 0, 1, 1), (1, 2, 3, 2), (0, 4, 5, REFUSED), (2, 6, 7, REFUSED)],
    "a request that was lost comes last": [(0, 0, inf, UNKNOWN), (0, 1, 2, 1), (1, 3, 4, 2), (2, 5, 6, REFUSED)],
}
IMPOSSIBLE = {
    "two successors": [(0, 0, 9, 1), (0, 1, 8, 2)],
    "refused for no reason": [(0, 0, 1, REFUSED)],
    "refused in a race": [(0, 0, 9, 1), (0, 1, 8, REFUSED)],
    "alive after its end": [(None, 0, 1, 0), (0, 2, 3, 1)],
    "an old token": [(0, 0, 1, 1), (1, 2, 3, 2), (0, 4, 5, 1)],
    "alive after a reuse": [(0, 0, 1, 1), (1, 2, 3, 2), (0, 4, 5, REFUSED), (2, 6, 7, 3)],
    "a rotation forgotten": [(0, 0, 1, 1), (1, 2, 3, 2), (0, 4, 5, 1)],
    "a generation skipped": [(0, 0, 1, 1), (1, 2, 3, 3)],
}


@pytest.mark.parametrize("requests", POSSIBLE.values(), ids=POSSIBLE)
def test_possible(requests: list[tuple[int | None, float, float, int]]) -> None:
    assert linearizable(_history(*requests)) is True


@pytest.mark.parametrize("requests", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible(requests: list[tuple[int | None, float, float, int]]) -> None:
    assert linearizable(_history(*requests)) is False


def test_the_previous_generation_may_be_a_reuse_after_its_leeway() -> None:
    requests = [(0, 0.0, 1.0, 1), (0, 2.0, 3.0, REFUSED)]
    assert linearizable(_history(*requests)) is False
    assert linearizable(_history(*requests), reuse_of_previous=True) is True


def test_a_round_begins_where_the_last_one_ended() -> None:
    assert linearizable(_history((7, 0, 1, 8)), State(7)) is True
    assert linearizable(_history((7, 0, 1, 8)), State(6)) is False


def test_fifty_at_once_with_lost_answers_are_decided() -> None:
    lost = [Operation(0, number / 100) for number in range(30)]
    answered = [Operation(0, 0.0, 5.0 + number, 1) for number in range(50)]
    after = [Operation(1, 60.0, 61.0, 2)]
    assert linearizable([*lost, *answered, *after]) is True
    assert linearizable([*lost, *answered, *after, Operation(0, 62.0, 63.0, 1)]) is False
