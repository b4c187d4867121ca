"""How one key follows another: next (published, does not sign yet) -> current -> previous (verifies) -> gone.

Values and pure functions, no I/O: the time is an argument, in seconds since the epoch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal, Protocol

from .key_texts import check_set, new_key
from .keys import Key

State = Literal["next", "current", "previous"]


@dataclass(frozen=True, slots=True)
class Held:
    """A key with its state.

    Attributes:
        key: the key.
        state: ``next`` is published and does not sign yet, ``current`` signs, ``previous`` only verifies.
        since: when it took this state, in seconds since the epoch.
        until: when it is gone, in seconds since the epoch; infinity while nothing has followed it.
    """

    key: Key
    state: State
    since: float
    until: float = inf


@dataclass(frozen=True, slots=True)
class Contents:
    """What a ring holds, or is to hold from now on: keys with their states, and what other secrets are derived from."""

    held: tuple[Held, ...]
    secrets: tuple[bytes, ...] = field(repr=False)


class Source(Protocol):
    """Where a ring's keys come from if they change from outside: looked at in the background, never by a request.

    Attributes:
        is_running: whether it was opened and the event loop runs in which its background task lives.
        tell: called with what the ring is to hold, whenever that changes.
    """

    is_running: Callable[[], bool]
    tell: Callable[[Contents], None]

    async def open(self) -> None:
        """Begin to look, once, however often it is called; wait for the first keys, but not for long."""

    async def ready(self) -> object:
        """Open it, if nobody has yet."""

    async def close(self) -> None:
        """Stop looking. Closing twice is no error."""

    def missed(self) -> None:
        """Somebody asked for a ``kid`` that the ring does not have. Returns at once."""


def in_order(keys: Iterable[Key | Held], now: float) -> tuple[Held, ...]:
    """The keys, the one that signs first. Of keys without a state that is the first private one.

    Raises:
        ValueError: the same key or ``kid`` twice, shared secrets beside key pairs, or two that are current or next.
    """
    listed = [*keys]
    check_set([one.key if isinstance(one, Held) else one for one in listed])
    plain = [one for one in listed if not isinstance(one, Held)]
    signing = next((key for key in plain if key.is_private), plain[0] if plain else None)
    held = [
        one if isinstance(one, Held) else Held(one, "current" if one is signing else "previous", now) for one in listed
    ]
    if any(sum(one.state == state for one in held) > 1 for state in ("current", "next")):
        raise ValueError("a ring has one current key and at most one next key")
    return tuple(sorted(held, key=lambda one: _ORDER[one.state]))


_ORDER: dict[str, int] = {"current": 0, "previous": 1, "next": 2}


def rotated(held: Iterable[Held], now: float, overlap: float) -> tuple[Held, ...]:
    """One step further: the next key signs, the one that signed until now verifies for ``overlap`` seconds more.

    A new next key is made. Where there was none before, nothing else changes: a key has to be published before it
    signs.

    Raises:
        ValueError: no key among them can sign.
    """
    left = living(held, now)
    current = next((one for one in left if one.state == "current"), None)
    if current is None or not current.key.is_private:
        raise ValueError("keys that cannot sign cannot be rotated")
    following = Held(new_key(current.key.algorithm), "next", now)
    if all(one.state != "next" for one in left):
        return in_order([*left, following], now)
    return in_order([*(_step(one, now, overlap) for one in left), following], now)


def _step(one: Held, now: float, overlap: float) -> Held:
    if one.state == "next":
        return replace(one, state="current", since=now)
    if one.state == "current":
        return replace(one, state="previous", since=now, until=now + overlap)
    return one


def living(held: Iterable[Held], now: float) -> tuple[Held, ...]:
    """Those that are not gone."""
    return tuple(one for one in held if one.until > now)
