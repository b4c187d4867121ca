"""Metrics and spans where OpenTelemetry is set up; elsewhere nothing, at no cost.

There is nothing to configure: :func:`look` looks for a provider that does something, whenever an issuer or a feed opens
and a middleware is made. Until there is one, every function here returns at once, whether ``opentelemetry-api`` is
installed or not. The providers of OpenTelemetry are global, and so is what is made of them here.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .events import Event

if TYPE_CHECKING:
    from .telemetry_instruments import Instruments

V = TypeVar("V")

_current: Instruments | None = None
_work: ContextVar[Work | None] = ContextVar("jwt_refresh_work", default=None)
_NOTHING = nullcontext()
_followed: MutableMapping[int, weakref.ref[Followed]] = {}


class Followed(Protocol):
    """What is asked of a feed."""

    is_running: Callable[[], bool]

    def status(self) -> Any:
        """With ``behind``, in seconds."""


class Work:
    """A login, a refresh or a step-up: one span, and one count when it is over."""

    __slots__ = ("_instruments", "_name", "_outer", "_span", "verdict")

    def __init__(self, instruments: Instruments, name: str) -> None:
        self._instruments = instruments
        self._name = name
        self.verdict: str | None = None

    def __enter__(self) -> None:
        self._outer = _work.set(self)
        self._span = self._instruments.begin(f"jwt_refresh.{self._name}")

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._instruments.done(self._span, self._name, self.verdict, error)
        _work.reset(self._outer)


def look() -> Instruments | None:
    """What measures from now on: made of the global providers, as soon as one of them does something; else None."""
    global _current  # noqa: PLW0603  the providers are global too
    if _current is None:
        try:
            from .telemetry_instruments import Instruments, is_set_up
        except ImportError:
            return None
        if is_set_up():
            _current = Instruments(_lag)
    return _current


@contextmanager
def using(meter_provider: Any = None, tracer_provider: Any = None) -> Iterator[Instruments]:
    """Measure with these providers for a while: for tests, which can set the global ones only once.

    None stands for the global one. A provider is good for one use. What is to be measured must open, and a middleware
    be made, within. Raises ImportError if ``opentelemetry-api`` is not installed.
    """
    global _current  # noqa: PLW0603  the providers are global too
    from .telemetry_instruments import Instruments

    before, _current = _current, Instruments(_lag, meter_provider, tracer_provider)
    try:
        yield _current
    finally:
        _current = before


def work(name: str) -> AbstractContextManager[None]:
    """Measure what happens within: a ``login``, ``refresh`` or ``step_up``."""
    return _NOTHING if _current is None else Work(_current, name)


def judged(verdict: str) -> None:
    """Say what is done with the refresh token of the work under way."""
    doing = _work.get()
    if doing is not None:
        doing.verdict = verdict


def told(event: Event) -> None:
    """Count an event."""
    if _current is not None:
        _current.told(event)


def refused(code: str, status: int) -> None:
    """Count an answer that is an error."""
    if _current is not None:
        _current.refused(code, status)


def learned(seconds: float) -> None:
    """Count the end of a session elsewhere, known here so many seconds after it."""
    if _current is not None:
        _current.learned(seconds)


def follow(feed: Followed) -> None:
    """Measure how far behind ``feed`` is whenever it is open, for as long as it exists."""
    key = id(feed)
    _followed[key] = weakref.ref(feed, lambda _: _followed.pop(key, None))


def _lag() -> float | None:
    """Of the feed that is furthest behind. Called in a thread of the exporter's."""
    feeds = [feed() for feed in [*_followed.values()]]
    return max((feed.status().behind for feed in feeds if feed is not None and feed.is_running()), default=None)


def look_ups(
    remembered: Mapping[bytes, V], known: Callable[[bytes], V]
) -> tuple[Callable[[bytes], V | None], Callable[[bytes], V]]:
    """A verifier's two ways to a token, both counted where somebody measures, and as they are elsewhere.

    Args:
        remembered: by the header that carries it.
        known: the long way, for every header that is not found there to the letter, and for what is found but does not
            do. It is remembered too, or needs the full check.
    """
    instruments = look()
    if instruments is None:
        return remembered.get, known
    found: V | None = None

    def get(authorization: bytes) -> V | None:
        nonlocal found
        found = remembered.get(authorization)
        if found is not None:
            instruments.hits += 1
        return found

    def check(credentials: bytes) -> V:
        nonlocal found
        again, counted, found = remembered.get(credentials), found, None
        if again is None:
            instruments.misses += 1
        elif again is not counted:
            instruments.hits += 1
        return known(credentials)

    return get, check
