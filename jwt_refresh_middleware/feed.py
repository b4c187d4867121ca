"""What a process knows of the sessions that ended in others: read from a store in the background, not by a request."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from .concurrency import Deadline, SingleFlight, stop_task
from .errors import StoreUnavailable
from .revocation import RevocationList, Told
from .rounds import Complaints, Rounds, log
from .stores.base import PushedRevocations, RevocationSource
from .telemetry import follow, learned
from .telemetry_store import measured
from .values import seconds

_OVERLAP = 60.0
"""Seconds that each look at the revocations goes back: a slow commit or another clock hides nothing."""
_LOOK_ALL_THE_SAME = 30
"""Where the store pushes, it is asked once in so many rounds even so."""
_LAGS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """How far a process is behind, all in seconds.

    Attributes:
        behind: since it last knew every session that had ended anywhere; an ended session's access token can have been
            let in for so long. Infinity before the first look.
        pushed: whether the store tells of an end at once; otherwise it is asked at each interval.
        learned: how many ends it was told of by others since it was opened.
        lag_median, lag_p99, lag_worst: from the end of a session elsewhere to knowing of it here, over the last 1000;
            what the clocks of two machines differ by is in it. None before the first.
    """

    behind: float
    pushed: bool
    learned: int
    lag_median: float | None
    lag_p99: float | None
    lag_worst: float | None


def _never() -> bool:
    return False


class RevocationFeed:
    """Ended sessions, for a gateway that has keys and no sessions of its own.

    It reads a store and writes nothing, so that an account with read-only rights will do. Pass it to a verifier, whose
    middleware opens and closes it; elsewhere use ``async with``. An :class:`Issuer` has one by itself.

    Attributes:
        ended: session id -> when it ended (seconds since the epoch), read-only.
        is_running: whether it was opened and the event loop runs in which its background tasks live.
    """

    def __init__(
        self,
        source: RevocationSource,
        *,
        access_ttl: timedelta = timedelta(minutes=15),
        interval: timedelta = timedelta(seconds=1),
        timeout: timedelta = timedelta(seconds=5),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is opened and no task is started yet.

        Args:
            source: a store.
            access_ttl: the longest life of an access token, its leeway included; an end is remembered for so long.
                Default 15 minutes.
            interval: how often a store is asked that does not push, or whose push is interrupted. Default 1 s.
            timeout: how long the store may take. Default 5 s.
            clock: seconds since the epoch.

        Raises:
            ValueError: a length of time that is too short.
        """
        self._source = source
        self._revoked = RevocationList(seconds(access_ttl, "access_ttl", least=1))
        self.ended: Mapping[str, float] = self._revoked.ended
        self.is_running: Callable[[], bool] = _never
        self._interval = seconds(interval, "interval", least=0.01)
        self._clock = clock
        self._deadline = Deadline(seconds(timeout, "timeout", least=0.001))
        self._rounds = Rounds(self._round, self._interval)
        self._watching: asyncio.Task[None] | None = None
        self._opening = SingleFlight()
        self._complaints = Complaints("the revocations cannot be read")
        self._opened_at = 0.0
        self._in_step_at = float("-inf")
        self._is_pushed = False
        self._round_number = 0
        self._learned = 0
        self._lags: deque[float] = deque(maxlen=_LAGS)
        follow(self)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the store, load what ended and go on learning; once, however often it is called.

        Raises whatever the store raises, and TimeoutError.
        """
        if not self.is_running():
            await self._opening.run(self._open)

    async def _open(self) -> None:
        self._source = measured(self._source)
        try:
            await self._deadline.wait(self._source.open())
            await self._follow()
        except BaseException:  # nobody closes what was never open
            with suppress(Exception):  # it is the first failure that counts
                await self._source.close()
            raise

    async def _follow(self) -> None:
        self._opened_at = self._clock()
        await self._catch_up(self._opened_at - self._revoked.keep)
        self._rounds.start()
        if isinstance(self._source, PushedRevocations):
            self._watching = asyncio.create_task(self._watch(self._source))
        self.is_running = asyncio.get_running_loop().is_running

    async def ready(self) -> None:
        """Open it, if nobody has yet. Raises StoreUnavailable."""
        try:
            await self._deadline.wait(self.open())
        except Exception as error:
            self._complaints.about(error)
            raise StoreUnavailable from error

    async def close(self) -> None:
        """Stop learning and close the store. Closing twice is no error."""
        await self._opening.finish()
        if self.is_running is not _never:
            await self.leave()
            await self._source.close()

    async def leave(self) -> None:
        """Stop learning; the store stays open."""
        self.is_running = _never
        await self._rounds.stop()
        task, self._watching = self._watching, None
        if task is not None:
            await stop_task(task)

    def add(self, session_id: str, at: float) -> None:
        """A session ended here, ``at`` so many seconds since the epoch."""
        self._revoked.add(session_id, at)

    def watch(self, session_id: str, told: Told) -> None:
        """Call ``told`` as soon as this process knows that the session has ended, once. It must not wait or raise."""
        self._revoked.watch(session_id, told)

    def unwatch(self, session_id: str, told: Told) -> None:
        """Forget it; no error if it was called already."""
        self._revoked.unwatch(session_id, told)

    def status(self) -> FeedStatus:
        """How far this process is behind."""
        lags = sorted(self._lags)
        return FeedStatus(
            behind=max(0.0, self._clock() - self._in_step_at),
            pushed=self._is_pushed,
            learned=self._learned,
            lag_median=lags[len(lags) // 2] if lags else None,
            lag_p99=lags[len(lags) * 99 // 100] if lags else None,
            lag_worst=lags[-1] if lags else None,
        )

    async def _round(self) -> None:
        """Ask the store, unless it tells by itself; forget what no access token can be alive of."""
        self._round_number += 1
        if not self._is_pushed or self._round_number % _LOOK_ALL_THE_SAME == 0:
            await self._catch_up(self._in_step_at - _OVERLAP)
        self._revoked.prune(self._clock())

    async def _catch_up(self, since: float) -> None:
        now = self._clock()
        self._learn(await self._deadline.wait(self._source.revocations(since)))
        self._in_step_at = now

    async def _watch(self, source: PushedRevocations) -> None:
        """Learn of each end as it happens, and of all that were missed whenever watching begins."""
        failing, task = False, asyncio.current_task()
        while True:
            try:
                async with aclosing(source.watch()) as pushed:
                    async for ended in pushed:
                        if not self._is_pushed:
                            await self._catch_up(self._in_step_at - _OVERLAP)
                            self._is_pushed, failing = True, False
                        self._learn(ended)
                        self._in_step_at = self._clock()
            except Exception as error:  # noqa: BLE001  the store is away: until it is back, it is asked in each round
                if not failing:
                    log.warning("the revocations are not pushed, the store is asked: %s", type(error).__name__)
                failing = True
            finally:
                self._is_pushed = False
            if task is not None and task.cancelling():  # hidden by a store whose clean-up raised something else
                return
            await asyncio.sleep(self._interval)

    def _learn(self, ended: Iterable[tuple[str, float]]) -> None:
        now = self._clock()
        for _, at in self._revoked.update(ended):
            if at >= self._opened_at:
                self._learned += 1
                self._lags.append(max(0.0, now - at))
                learned(self._lags[-1])
