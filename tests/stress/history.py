"""Histories of sessions, and whether one of them can be explained by requests that happened one after the other.

What is compared with is the smallest model of a session: the generation it is at, and whether it has ended. A history
is linearizable if each request can be given one moment between its beginning and its answer such that the model, taken
through the requests in that order, gives the answers that were given. Requests whose answer was lost may have happened
at any time after their beginning, or never.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

REFUSED, UNKNOWN = -1, -2
_BUDGET = 200_000


@dataclass(slots=True)
class Operation:
    """One request about a session. ``outcome``: the generation handed out, REFUSED, or UNKNOWN if it was lost or 503.

    ``presented`` is the generation of the refresh token; None for a request that ends the session.
    """

    presented: int | None
    began: float
    answered: float = inf
    outcome: int = UNKNOWN

    @property
    def kind(self) -> tuple[int | None, int]:
        return self.presented, self.outcome


class State(NamedTuple):
    """A session as the model has it."""

    generation: int = 0
    ended: bool = False


NEW = State()


def following(state: State, operation: Operation, *, reuse_of_previous: bool) -> Iterator[State]:
    """Every state that ``operation`` can lead to with its outcome; none if the model cannot give it.

    ``reuse_of_previous``: whether the generation before the current one may be taken for a reuse, as it is once the
    leeway is over; where it cannot be over yet, that would be a false alarm.
    """
    presented, outcome, current = operation.presented, operation.outcome, state.generation
    if presented is None:
        yield State(current, True)
    elif state.ended:
        if outcome in (REFUSED, UNKNOWN):
            yield state
    else:
        if presented == current and outcome in (current + 1, UNKNOWN):
            yield State(current + 1)
        if presented == current - 1 and outcome in (current, UNKNOWN):
            yield state
        is_old = presented < current - 1 or (presented == current - 1 and reuse_of_previous)
        if is_old and outcome in (REFUSED, UNKNOWN):
            yield State(current, True)


def linearizable(history: Sequence[Operation], start: State = NEW, *, reuse_of_previous: bool = False) -> bool | None:
    """Whether ``history`` can have happened to a session that was at ``start``; None if it was too much to find out."""
    operations = sorted(history, key=lambda operation: operation.began)
    search = _Search(operations, reuse_of_previous)
    todo, seen = [search.settle(start, 0)], set()
    while todo:
        state, done = todo.pop()
        if done & search.known == search.known:
            return True
        if (state, done) in seen:
            continue
        seen.add((state, done))
        if len(seen) > _BUDGET:
            return None
        todo += search.choices(state, done)
    return False


class _Search:
    """Wing and Gong's search; ``done`` has one bit for each operation that was given its moment."""

    def __init__(self, operations: Sequence[Operation], reuse_of_previous: bool) -> None:
        self._operations = operations
        self._reuse_of_previous = reuse_of_previous
        self.known = sum(1 << index for index, one in enumerate(operations) if one.answered < inf)

    def _next(self, done: int) -> Iterator[tuple[int, Operation]]:
        """The operations that can be next: begun before any other that is not done yet was answered."""
        waiting = [(index, one) for index, one in enumerate(self._operations) if not done >> index & 1]
        horizon = min((one.answered for _, one in waiting), default=inf)
        for index, one in waiting:
            if one.began > horizon:
                return
            yield index, one

    def settle(self, state: State, done: int) -> tuple[State, int]:
        """Take whatever changes nothing: no order that has it later can be better."""
        while True:
            before = done
            for index, one in self._next(done):
                if one.answered < inf and state in self._following(state, one):
                    done |= 1 << index
            if done == before:
                return state, done

    def choices(self, state: State, done: int) -> list[tuple[State, int]]:
        """Where the search can go on; of operations that are the same but for their times, the most urgent is enough.

        The last is tried first: what was answered, before what may never have happened.
        """
        urgent: dict[tuple[int | None, int], tuple[int, Operation]] = {}
        for index, one in self._next(done):
            if one.kind not in urgent or one.answered < urgent[one.kind][1].answered:
                urgent[one.kind] = index, one
        ordered = sorted(urgent.values(), key=lambda choice: -choice[1].answered)
        return [
            self.settle(after, done | 1 << index) for index, one in ordered for after in self._following(state, one)
        ]

    def _following(self, state: State, operation: Operation) -> list[State]:
        return [*following(state, operation, reuse_of_previous=self._reuse_of_previous)]
