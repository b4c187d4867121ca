"""Where on Earth an address is: a place, what finds it, and how far two places are apart."""

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from typing import Protocol

from .rounds import Complaints

_EARTH_RADIUS = 6371.0088  # km, the mean radius (IUGG); a sphere is at most 0.6 % off


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place, as exact as the one who names it knows it: mostly the middle of a town.

    Attributes:
        latitude: degrees, -90 to 90; north is positive.
        longitude: degrees, -180 to 180; east is positive.
        city: its name, or None.
        country: ISO 3166-1 alpha-2 ("DE"), or None.

    Raises:
        ValueError: a coordinate out of its range, or one that is no number.
    """

    latitude: float
    longitude: float
    city: str | None = None
    country: str | None = None

    def __post_init__(self) -> None:
        for name, degrees, most in (("latitude", self.latitude, 90), ("longitude", self.longitude, 180)):
            if not -most <= degrees <= most:  # nor is NaN: it compares to nothing
                raise ValueError(f"{name} must be from -{most} to {most} degrees, not {degrees!r}")

    @property
    def name(self) -> str | None:
        """``Berlin, DE``, or what is known of it; None if neither is."""
        return ", ".join(filter(None, (self.city, self.country))) or None


class Locator(Protocol):
    """Finds the place of an address. ``GeoIP2Locator`` is one.

    It is asked at logins and refreshes while the answer waits: it answers from memory, without waiting for anything.
    """

    def locate(self, ip: str) -> Location | None:
        """The place of an IP address, in any spelling; None if it is not known. Raises nothing for such an address."""
        ...


class CarefulLocator:
    """Another locator; whatever that raises, the place is not known: nobody's refresh is to fail for it."""

    def __init__(self, locator: Locator) -> None:
        self._locator = locator
        self._complaints = Complaints("the locator failed")

    def locate(self, ip: str) -> Location | None:
        """See :class:`Locator`. An error is told in the log, each kind once in ten seconds."""
        try:
            return self._locator.locate(ip)
        except Exception as error:  # noqa: BLE001  somebody else's code
            self._complaints.about(error)
            return None


def distance(one: Location, two: Location) -> float:
    """The shortest way over the ground, in kilometres (haversine): 0 to 20 015."""
    north, south = radians(one.latitude), radians(two.latitude)
    across = sin(radians(two.longitude - one.longitude) / 2) ** 2
    chord = sin((south - north) / 2) ** 2 + cos(north) * cos(south) * across
    return 2 * _EARTH_RADIUS * asin(sqrt(min(chord, 1.0)))  # rounding may lift antipodes above 1
