"""What a process holds, as Linux has it, and whether that grows."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Vitals(NamedTuple):
    """Of one process at one moment.

    Attributes:
        rss: resident memory, in bytes.
        fds: file descriptors.
    """

    rss: int
    fds: int


def vitals(pid: int | str = "self") -> Vitals:
    """Those of a process."""
    place = Path(f"/proc/{pid}")
    fds = len(os.listdir(place / "fd")) - (pid == "self")  # to list them takes one
    return Vitals(int((place / "statm").read_text().split()[1]) * _PAGE, fds)


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processor, in steps of some milliseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def slope(points: Sequence[tuple[float, float]]) -> float:
    """By how much ``y`` grows when ``x`` grows by one: the line of least squares."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def later(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """The points after the first quarter, in which caches fill and the allocator warms up."""
    return points[len(points) // 4 :]


class Growth:
    """What has a list ``rss``: bytes, by the number of requests before."""

    __slots__ = ()
    rss: list[tuple[float, float]]

    @property
    def rss_slope(self) -> float:
        """Bytes for each request, after the first quarter."""
        return slope(later(self.rss))

    @property
    def rss_growth(self) -> float:
        """Bytes from the middle to the end."""
        return self.rss[-1][1] - self.rss[len(self.rss) // 2][1]
