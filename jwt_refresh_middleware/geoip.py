"""Places of addresses from a file: GeoLite2 City, or any database of that format. The only importer of geoip2."""

import os
from collections.abc import Sequence
from functools import lru_cache, partial
from ipaddress import ip_address
from typing import Self

from .devices import address
from .places import Location

try:
    from geoip2.database import Reader
    from geoip2.errors import AddressNotFoundError
    from maxminddb import InvalidDatabaseError
except ImportError as error:
    raise ImportError("GeoIP2Locator needs geoip2: pip install 'jwt-refresh-middleware[geoip]'") from error

_REMEMBERED = 4096  # addresses; a look-up takes 25 µs, one that is remembered a hundredth of that


class GeoIP2Locator:
    """A :class:`~jwt_refresh_middleware.places.Locator` over a City database in a file (``.mmdb``).

    The file is mapped into memory: nothing is read over the network, and several workers share it. Replace it by
    renaming a new one over it, never by writing into it, and make a new locator then. To be closed; after that it
    finds nothing. May be used from several threads.
    """

    def __init__(self, path: str | os.PathLike[str], *, locales: Sequence[str] = ("en",)) -> None:
        """Open the database.

        Args:
            path: the file.
            locales: the languages to name towns in, the most wanted first. Default: English, which is always there.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no database, or one of another kind: without coordinates.
        """
        self._reader = _opened(path, locales)
        self._place = lru_cache(maxsize=_REMEMBERED)(partial(_place, self._reader))

    def locate(self, ip: str) -> Location | None:
        """The place of an IP address, IPv4-mapped and zoned ones too; None if the database has no coordinates of it.

        Nothing is raised, also for text that is no address. What was found is remembered for 4096 addresses.
        """
        return self._place(address(ip))

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
        self._place.cache_clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _opened(path: str | os.PathLike[str], locales: Sequence[str]) -> Reader:
    try:
        reader = Reader(path, locales=tuple(locales))
    except InvalidDatabaseError as error:
        raise ValueError(f"{os.fspath(path)} is not a MaxMind DB file") from error
    kind = reader.metadata().database_type
    if "City" not in kind:
        reader.close()
        raise ValueError(f"{os.fspath(path)} is a {kind} database; places need one of the kind City")
    return reader


def _place(reader: Reader, ip: str) -> Location | None:
    try:
        found = reader.city(ip_address(ip))
        where, city, country = found.location, found.city.name, found.country.iso_code
        if where.latitude is None or where.longitude is None:
            return None
        return Location(latitude=where.latitude, longitude=where.longitude, city=city, country=country)
    except (AddressNotFoundError, InvalidDatabaseError, TypeError, ValueError):
        return None  # not in it, no address, IPv6 in one for IPv4, closed, or a damaged entry: nobody is to notice
