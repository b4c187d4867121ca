"""Where addresses are, in an invented world. An app of your own has a database: ``GeoIP2Locator``."""

from ipaddress import ip_address, ip_network

from jwt_refresh_middleware.places import Location

# The networks that are for documentation, and so nobody's (RFC 5737).
_WORLD = (
    (ip_network("192.0.2.0/24"), Location(latitude=51.1, longitude=-2.7, city="Avalon (invented)")),
    (ip_network("198.51.100.0/24"), Location(latitude=31.0, longitude=-24.0, city="Atlantis (invented)")),
    (ip_network("203.0.113.0/24"), Location(latitude=4.9, longitude=-73.8, city="El Dorado (invented)")),
)


class Invented:
    """A locator for the addresses that the demonstration uses; it knows no other."""

    def locate(self, ip: str) -> Location | None:
        """See :class:`jwt_refresh_middleware.places.Locator`."""
        try:
            address = ip_address(ip)
        except ValueError:
            return None
        return next((location for network, location in _WORLD if address in network), None)
