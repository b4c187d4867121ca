"""Where the access token may go: to the issuer's own origin and to the hosts that the program names."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from ._libraries import URL, InvalidURL

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s/\\@?#\[\]:*]+)(:[0-9]{1,5})?")
_PORTS = {"https": 443, "http": 80}
_WEB_SOCKETS = {"wss": "https", "ws": "http"}  # RFC 6455, 4.1: the handshake is a request to the same server

Origin = tuple[str, str, int]
"""Scheme, host and port (RFC 6454, 4)."""


def origin(url: Any) -> Origin | None:
    """Of a URL of either library; None for other schemes."""
    scheme = _WEB_SOCKETS.get(url.scheme, url.scheme)
    default = _PORTS.get(scheme)
    return None if default is None else (scheme, url.raw_host.decode("ascii").lower(), url.port or default)


def is_loopback(host: str) -> bool:
    """Whether what is sent to ``host`` stays on this machine."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Origins:
    """The origins that the token may go to."""

    def __init__(self, refresh_url: str, allowed_hosts: Iterable[str], *, allow_http: bool) -> None:
        if isinstance(allowed_hosts, (str, bytes)):
            raise TypeError("allowed_hosts must be a collection of hosts, not one string")
        self._allow_http = allow_http
        self._issuer = self._of_refresh_url(refresh_url)
        self._hosts = frozenset(pair for host in allowed_hosts for pair in _host_and_ports(host))

    def _of_refresh_url(self, refresh_url: str) -> Origin:
        if not isinstance(refresh_url, str):
            raise TypeError(f"refresh_url must be a string, not {type(refresh_url).__name__}")
        url = _parse(refresh_url, "refresh_url")
        found = origin(url)
        if found is None or not found[1] or url.scheme in _WEB_SOCKETS:
            raise ValueError("refresh_url must be absolute, as https://users.example.com/auth/refresh")
        if url.userinfo or url.fragment:
            raise ValueError("refresh_url must have no user, password or fragment")
        if not self._is_safe(found):
            raise ValueError("refresh_url must be https, or http on loopback (RFC 6750, 5.3); see allow_http")
        return found

    def _is_safe(self, place: Origin) -> bool:
        return place[0] == "https" or self._allow_http or is_loopback(place[1])

    def __contains__(self, url: Any) -> bool:
        """Whether a request to ``url`` carries the token."""
        place = origin(url)
        return place is not None and (place == self._issuer or (place in self._hosts and self._is_safe(place)))


def _host_and_ports(host: str) -> list[Origin]:
    """``host`` means the scheme's own port; with a port, that port by either scheme (http only where it is safe)."""
    if not isinstance(host, str):
        raise TypeError(f"allowed_hosts must hold strings, not {type(host).__name__}")
    if _HOST.fullmatch(host) is None:
        raise ValueError(f"allowed_hosts: {host!r} is not a host or host:port (no scheme, no path, no wildcard)")
    places = [origin(_parse(f"{scheme}://{host}/", "allowed_hosts")) for scheme in _PORTS]
    return [place for place in places if place is not None]


def _parse(url: str, name: str) -> Any:
    try:
        parsed = URL(url)
        if parsed.port is None or 0 < parsed.port < 65_536:
            return parsed
    except InvalidURL:
        pass  # raised below, as the error itself quotes the URL
    raise ValueError(f"{name} is not a URL that can be read")
