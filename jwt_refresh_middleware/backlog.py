"""What waits to be done in the background, bounded: who does not keep up loses the oldest, and it is logged."""

import time
from collections import deque
from typing import Generic, TypeVar

from .rounds import log

T = TypeVar("T")

_COMPLAIN_EVERY = 10.0


class Backlog(Generic[T]):
    """At most ``most`` things in order. When one more comes the oldest is dropped.

    That is logged, with the number of those that were dropped, at most once in ten seconds.
    """

    def __init__(self, complaint: str, most: int) -> None:
        """``complaint``: what the log says that could not be done."""
        self._complaint = complaint
        self._most = most
        self._waiting: deque[T] = deque()
        self._lost = 0
        self._complained_at = -_COMPLAIN_EVERY

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the next thing costs the oldest."""
        return len(self._waiting) >= self._most

    def append(self, thing: T) -> None:
        """Have ``thing`` wait."""
        if self.is_full:
            self._waiting.popleft()
            self.lose(1)
        self._waiting.append(thing)

    def take(self, most: int) -> list[T]:
        """The oldest ``most`` things, which wait no more."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def lose(self, number: int) -> None:
        """Count ``number`` things as dropped."""
        self._lost += number
        if time.monotonic() - self._complained_at >= _COMPLAIN_EVERY:
            self.complain()

    def complain(self) -> None:
        """Log what was dropped since the last line, if anything was."""
        if self._lost:
            log.error("%s: the oldest were dropped, %d since the last line like this", self._complaint, self._lost)
            self._lost, self._complained_at = 0, time.monotonic()
