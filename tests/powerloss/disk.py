"""A disk that may lose its power: from the log of what was asked of it to what may stand on it afterwards.

What a crash leaves, as a file system may (POSIX), not as one usually does:

- What was written to a file before its last completed sync is there.
- Each write after it is cut at the sectors of 512 bytes; each piece may have arrived or not, whatever the others did. A
  sector is never half written, and one that did not arrive keeps what it held (SQLite's ``POWERSAFE_OVERWRITE``, on by
  default).
- A file may have grown to where a lost write ended; what fills it is zeros, or what a deleted file of that name held.
- Setting the size arrives or not, like a write.
- A name that was made or unlinked is as it was at the last sync *of the directory*; each change after it may have
  arrived or not. Syncing a file does not make its name durable, although on ext4, XFS and Btrfs it does.
"""

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

SECTOR = 512
_HEADER = struct.Struct("=iiqq")

Image = dict[str, bytes]
"""What stands on the disk: the contents by the name."""


class Event(NamedTuple):
    """One record of ``recorder.c``, which says what the kinds mean."""

    kind: str
    fd: int
    offset: int
    content: bytes


def read_log(raw: bytes) -> list[Event]:
    """All records of a log."""
    events, at = [], 0
    while at < len(raw):
        kind, fd, offset, length = _HEADER.unpack_from(raw, at)
        at += _HEADER.size
        events.append(Event(chr(kind), fd, offset, raw[at : at + length]))
        at += length
    return events


class Arrival(Enum):
    """Which of the changes that were not synced a crash leaves on the disk."""

    NONE = auto()
    """Not one."""
    ALL = auto()
    """Every one."""
    WRITES = auto()
    """Each write as a whole, or not at all."""
    SECTORS = auto()
    """Each sector of each write, or not."""
    TORN = auto()
    """Every one up to one in the midst of which the power went; nothing after it."""


class Change(NamedTuple):
    """A write, or a new size (``content`` is None), that was not synced yet."""

    offset: int
    content: bytes | None

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """The write, cut at the disk's sectors."""
        assert self.content is not None
        at = 0
        while at < len(self.content):
            end = at + SECTOR - (self.offset + at) % SECTOR
            yield self.offset + at, self.content[at:end]
            at = end


Decide = Callable[[int, int], bool]
"""Whether piece n of change m arrived."""


def _resize(content: bytearray, size: int, filler: bytes = b"") -> None:
    """Cut or grow; what is new holds the filler's bytes at that place, else zeros."""
    if size > len(content):
        fill = filler[len(content) : size]
        content += fill + bytes(size - len(content) - len(fill))
    del content[size:]


def _put(content: bytearray, offset: int, piece: bytes, filler: bytes = b"") -> None:
    _resize(content, max(len(content), offset), filler)
    content[offset : offset + len(piece)] = piece


@dataclass(slots=True)
class File:
    """A file without its name: as it stands on the disk for certain, as it is seen, and the way between the two."""

    durable: bytes = b""
    stale: bytes = b""
    seen: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def write(self, offset: int, content: bytes) -> None:
        _put(self.seen, offset, content)
        self.pending.append(Change(offset, content))

    def truncate(self, size: int) -> None:
        _resize(self.seen, size)
        self.pending.append(Change(size, None))

    def sync(self) -> None:
        self.durable = bytes(self.seen)
        self.pending.clear()

    def after_crash(self, arrival: Arrival, chance: random.Random) -> bytes:
        """What the disk holds."""
        if arrival is Arrival.NONE or not self.pending:
            return self.durable
        if arrival is Arrival.ALL:
            return bytes(self.seen)
        arrived = _decision(arrival, len(self.pending), chance)
        grows, filler = chance.random() < 0.5, self.stale if chance.random() < 0.5 else b""
        content = bytearray(self.durable)
        for number, change in enumerate(self.pending):
            if change.content is None:
                if arrived(number, 0):
                    _resize(content, change.offset, filler)
                continue
            for part, (offset, piece) in enumerate(change.pieces()):
                if arrived(number, part):
                    _put(content, offset, piece, filler)
                elif grows:
                    _resize(content, max(len(content), offset + len(piece)), filler)
        return bytes(content)


def _decision(arrival: Arrival, changes: int, chance: random.Random) -> Decide:
    share = chance.choice((0.1, 0.5, 0.9))
    if arrival is Arrival.SECTORS:
        return lambda number, part: chance.random() < share
    if arrival is Arrival.WRITES:
        whole = [chance.random() < share for _ in range(changes)]
        return lambda number, part: whole[number]
    torn, forwards = chance.randrange(changes), chance.randrange(1, 9)
    return lambda number, part: number < torn or (number == torn and part < forwards)


class Disk:
    """One directory and its files, driven by the events of a log."""

    def __init__(self, image: Image | None = None) -> None:
        """``image``: what stands on it, durably."""
        self._names = {name: File(durable=content, seen=bytearray(content)) for name, content in (image or {}).items()}
        self._durable_names = dict(self._names)
        self._pending_names: list[tuple[str, File | None]] = []
        self._opened: dict[int, File | None] = {}
        self._deleted: dict[str, bytes] = {}

    def apply(self, event: Event) -> None:
        """Let it happen."""
        if event.kind == "O":
            self._opened[event.fd] = self._open(event.content.decode()) if event.content else None
        elif event.kind == "U":
            name = event.content.decode()
            self._deleted[name] = bytes(self._names.pop(name).seen)
            self._pending_names.append((name, None))
        elif event.kind == "S" and self._opened[event.fd] is None:
            self._durable_names = dict(self._names)
            self._pending_names.clear()
        elif event.kind in "WTS":
            file = self._opened[event.fd]
            assert file is not None, "a directory is not written to"
            if event.kind == "W":
                file.write(event.offset, event.content)
            elif event.kind == "T":
                file.truncate(event.offset)
            else:
                file.sync()

    def _open(self, name: str) -> File:
        if name not in self._names:
            self._names[name] = File(stale=self._deleted.get(name, b""))
            self._pending_names.append((name, self._names[name]))
        return self._names[name]

    def is_settled(self) -> bool:
        """Whether a crash would leave exactly what is seen."""
        return not self._pending_names and not any(file.pending for file in self._names.values())

    def seen(self) -> Image:
        """What every process sees as long as the power stays on."""
        return {name: bytes(file.seen) for name, file in self._names.items()}

    def after_crash(self, arrival: Arrival, chance: random.Random) -> Image:
        """One of the images that may be found after the power went now."""
        names = dict(self._durable_names)
        lost_names = {Arrival.NONE: 1.0, Arrival.ALL: 0.0}.get(arrival, chance.choice((0.0, 0.5, 1.0)))
        for name, file in self._pending_names:
            if chance.random() < lost_names:
                continue
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file
        return {name: file.after_crash(arrival, chance) for name, file in names.items()}
