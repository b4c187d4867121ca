"""What was told during a test, kept until it is looked through: at the end of a phase, or when it is much."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from .known import Known

_MOST_CHARACTERS = 1_000_000
_MOST_OBJECTS = 20_000


class Leak(NamedTuple):
    """Where something was told that must not be, and what kind of thing; never the thing itself."""

    place: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.place}"


class Watch:
    """Takes texts, and finds the leaks among them.

    Attributes:
        known: what is looked for.
        counts: how much was looked through, by kind of place.
    """

    def __init__(self) -> None:
        self.known = Known()
        self.counts: Counter[str] = Counter()
        self._texts: dict[str, str] = {}
        self._characters = 0
        self._objects: list[tuple[str, Any, Callable[[Any], str]]] = []
        self._found: dict[Leak, None] = {}
        self._lock = threading.RLock()

    def note(self, what: str, place: str, text: str) -> None:
        """``text`` was told at ``place``, which is one of the kind ``what``; it is looked through later."""
        self.counts[what] += 1
        if text not in self._texts:
            self._texts[text] = place
            self._characters += len(text)
            if self._characters > _MOST_CHARACTERS:
                self.look()

    def note_later(self, what: str, place: str, thing: Any, spell: Callable[[Any], str]) -> None:
        """The same for a value that is not complete yet."""
        self.counts[what] += 1
        self._objects.append((place, thing, spell))
        if len(self._objects) > _MOST_OBJECTS:
            self.look()

    def look(self) -> None:
        """Look through what there is."""
        with self._lock:
            objects, self._objects = self._objects, []
            texts, self._texts, self._characters = self._texts, {}, 0
            for place, thing, spell in objects:
                texts.setdefault(spelled(thing, spell), place)
            if any(self.known.leaks("\n".join(texts))):
                for text, place in texts.items():
                    self._found.update({Leak(place, kind): None for kind in self.known.leaks(text)})

    def found(self) -> list[Leak]:
        """Every leak since the last call."""
        self.look()
        with self._lock:
            found, self._found = [*self._found], {}
        return found


def spelled(thing: Any, spell: Callable[[Any], str]) -> str:
    """What ``spell`` makes of ``thing``; nothing of one that cannot be told, or not yet."""
    try:
        return spell(thing)
    except Exception:
        return ""
