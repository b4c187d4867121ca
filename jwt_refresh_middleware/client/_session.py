"""The session as the client sees it: its tokens, their renewal step by step, and how long to leave the server alone."""

import copy
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from ._answers import Answer, Lost, judge, judge_step_up
from ._errors import RefreshError, RefreshUnavailable, SessionEnded
from ._tokens import Tokens
from ._transport import Call, Pause, Post, Steps

_LONGEST_BACKOFF = 30.0
_POLL = 0.02
T = TypeVar("T")
_Asking = Generator[Post | Pause | Call, Any, T]


class Lock(Protocol):
    """What several processes share: as ``multiprocessing.Lock`` and ``TokenFile`` have it."""

    def acquire(self, block: bool, /) -> bool:
        """With ``False`` it never waits."""
        ...

    def release(self) -> object:
        """Let the next one in."""
        ...


@dataclass(frozen=True, slots=True)
class Want:
    """What a request needs: other tokens than these.

    Attributes:
        stale: what it has; None if there is nothing.
        refused: the server did not take them.
        ended: the server said that their session is over.
    """

    stale: Tokens | None
    refused: bool = False
    ended: SessionEnded | None = None

    def is_met_by(self, held: Tokens, leeway: float) -> bool:
        """Whether ``held`` will do. One of the same generation is no better than the one that was refused."""
        if held is self.stale or held.is_expiring(leeway):
            return False
        return not (self.refused and self.stale is not None and self.stale.refresh == held.refresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The program's functions, as the options of RefreshAuth describe them."""

    on_tokens: Callable[[dict[str, Any]], Any] | None = None
    load: Callable[[], Any] | None = None
    save: Callable[[dict[str, Any]], Any] | None = None
    lock: Lock | None = None


class ClientSession:
    """Tokens, and the one way to new ones. Safe for threads."""

    def __init__(self, tokens: Tokens | None, hooks: Hooks, *, leeway: float, patience: float) -> None:
        self.hooks, self._leeway, self._patience = hooks, leeway, patience
        self._mutex = threading.Lock()
        self._tokens = tokens
        self._end: SessionEnded | None = None
        self._is_newer_than_saved = False
        self._spent: deque[str] = deque(maxlen=16)
        self._failures, self._retry_at = 0, 0.0
        self._failure: RefreshError = RefreshUnavailable()
        self._refreshed_at = float("-inf")

    @property
    def tokens(self) -> Tokens | None:
        """The current ones."""
        return self._tokens

    @property
    def ended(self) -> SessionEnded:
        """Why there are none."""
        return (self._end or SessionEnded("there are no tokens: log in and set them", code="no_tokens")).another()

    @property
    def age(self) -> float:
        """Seconds since the last refresh."""
        return time.monotonic() - self._refreshed_at

    @property
    def is_waiting(self) -> bool:
        """Whether the server is left alone after a failure."""
        return time.monotonic() < self._retry_at

    def set(self, tokens: Tokens | None) -> None:
        """After a login or a logout. A refresh that is under way does not overwrite it."""
        with self._mutex:
            if self._tokens is not None and (tokens is None or tokens.refresh != self._tokens.refresh):
                self._spent.append(self._tokens.refresh)
            self._tokens, self._end, self._is_newer_than_saved = tokens, None, tokens is not None
            self._failures, self._retry_at = 0, 0.0

    def needs(self, want: Want) -> bool:
        """Whether what a request has is still what there is: the look inside the lock."""
        return self._tokens is want.stale

    def renew(self, want: Want, *, locked: bool = True) -> Steps:
        """Get other tokens than ``want.stale``: those that another process saved, or new ones.

        The order is load, refresh, save, on_tokens. The new tokens are kept in memory before the program's functions
        are called: whatever those raise, the tokens are not lost.

        Raises:
            RefreshError: one of the tree; the tokens are dropped only with SessionEnded.
        """
        yield from self._exchange(partial(self._renewed, want), locked=locked)

    def step_up(self, credentials: Mapping[str, Any], *, locked: bool = True) -> Steps:
        """Get new tokens for ``credentials`` of the person whose session it is, in the same order.

        Raises:
            RefreshError: as ``renew``, or StepUpRefused. Whatever it is, refreshes go on as before.
        """
        yield from self._exchange(partial(self._stepped_up, credentials), locked=locked)

    def _exchange(self, obtain: Callable[[Tokens], "_Asking[Tokens | None]"], *, locked: bool) -> Steps:
        """What ``obtain`` makes of the tokens that are held or saved, kept everywhere; it says None for nothing new."""
        lock = (yield from self._acquire()) if locked else None
        try:
            held = yield from self._look_up(self._tokens)
            if held is None:
                raise self.ended
            tokens = yield from obtain(held)
            if tokens is None:
                return
            if self.hooks.save is not None:
                yield Call(self.hooks.save, (tokens.mapping(),))
                self._is_newer_than_saved = False
        finally:
            if lock is not None:
                lock.release()
        if self.hooks.on_tokens is not None:
            yield Call(self.hooks.on_tokens, (tokens.mapping(),))

    def _acquire(self) -> Generator[Pause, None, Lock | None]:
        """The lock; None after a while: to refresh without it is harmless, the server answers a race the same."""
        lock, limit = self.hooks.lock, time.monotonic() + self._patience
        while lock is not None and not lock.acquire(False):
            if time.monotonic() > limit:
                return None
            yield Pause(_POLL)
        return lock

    def _look_up(self, held: Tokens | None) -> Generator[Call, Any, Tokens | None]:
        """What is saved, if it is not what was spent here: to present that again would look like theft."""
        if self.hooks.load is None or self._is_newer_than_saved:
            return held
        mapping: Mapping[str, Any] | None = yield Call(self.hooks.load)
        saved = None if mapping is None else Tokens.given(mapping)
        if saved is None or saved.same_as(held) or saved.refresh in self._spent:
            return held
        self._replace(held, saved)
        return self._tokens

    def _renewed(self, want: Want, held: Tokens) -> "_Asking[Tokens | None]":
        """None if ``held`` is what is wanted, or somebody else provided tokens meanwhile."""
        if want.is_met_by(held, self._leeway):
            return None
        outcome: Tokens | RefreshError = self._failure
        if want.ended is not None and held is want.stale:
            outcome = want.ended
        elif not self.is_waiting:
            outcome = judge((yield from self._ask(Post(held.refresh))), held)
        if isinstance(outcome, RefreshError) and not isinstance(outcome, SessionEnded):
            raise self._note(outcome)
        return (yield from self._settle(held, outcome))

    def _stepped_up(self, credentials: Mapping[str, Any], held: Tokens) -> "_Asking[Tokens | None]":
        """However often the person is wrong, it says nothing about refreshes: they do not wait longer for it."""
        outcome = judge_step_up((yield from self._ask(Post(held.refresh, credentials))), held)
        if isinstance(outcome, RefreshError) and not isinstance(outcome, SessionEnded):
            raise outcome
        return (yield from self._settle(held, outcome))

    def _settle(self, held: Tokens, outcome: Tokens | SessionEnded) -> "_Asking[Tokens | None]":
        """Take the new tokens, or the end; None if somebody else provided some meanwhile."""
        if isinstance(outcome, SessionEnded):
            if not self._replace(held, None, outcome):
                return None
            if (yield from self._look_up(None)) is None:  # another process may have a new login
                raise outcome
            return None
        self._failures, self._retry_at = 0, 0.0
        self._refreshed_at = time.monotonic()
        return outcome if self._replace(held, outcome) else None

    def _ask(self, post: Post) -> "_Asking[Answer | Lost]":
        """Ask once more if nothing came: the answer may have been lost, and the server gives the same one again."""
        answer: Answer | Lost = yield post
        if isinstance(answer, Lost):
            yield Pause(random.uniform(0.2, 0.4))  # noqa: S311  it spreads load
            answer = yield post
        return answer

    def _note(self, failure: RefreshError) -> RefreshError:
        """Leave the server alone for as long as it asked for, else longer each time. Returns what to raise."""
        now = time.monotonic()
        if now >= self._retry_at:
            self._failures += 1
            wait = getattr(failure, "retry_after", 0.0) or min(2.0 ** min(self._failures - 2, 9), _LONGEST_BACKOFF)
            self._retry_at = now + wait * random.uniform(1.0, 1.2)  # noqa: S311
            self._failure = failure
        again = copy.copy(failure)
        if isinstance(again, RefreshUnavailable):
            again.retry_after = round(self._retry_at - now, 3)
        return again

    def _replace(self, held: Tokens | None, tokens: Tokens | None, end: SessionEnded | None = None) -> bool:
        """Only if nobody set others meanwhile: a refresh must not undo a login or a logout."""
        with self._mutex:
            if self._tokens is not held:
                return False
            if held is not None and (tokens is None or tokens.refresh != held.refresh):
                self._spent.append(held.refresh)
            self._tokens, self._end = tokens, end
            return True
