"""The address of a client, behind proxies that are trusted to say it."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import Scope

from ..devices import address
from ..rounds import log

Network = IPv4Network | IPv6Network

_MOST_HOPS = 32
_MOST_BYTES = 2048
_LOOKS = 100
"""How many of the first requests are looked at for a proxy that was forgotten."""


class ClientAddresses:
    """Says where requests come from.

    The peer of the connection is the client, unless it is a trusted proxy: then ``X-Forwarded-For`` is read, from the
    right, where each proxy has added whom it was connected to. The first address that is no trusted proxy is the
    client; whatever stands to the left of it, the client may have made up. ``Forwarded`` (RFC 7239) and ``X-Real-IP``
    are not read: a proxy that does not know a header passes on what the client wrote into it.

    Attributes:
        trusted: the networks of the trusted proxies.
    """

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        """``trusted_proxies``: addresses and networks. Raises ValueError for what is none, TypeError for one str."""
        if isinstance(trusted_proxies, str):
            raise TypeError('trusted_proxies is a list: ["10.0.0.0/8"]')
        self._trusted = [_network(text) for text in trusted_proxies]
        self.trusted = tuple(self._trusted)
        self._looks = 0 if self._trusted else _LOOKS

    def of(self, scope: Scope) -> str | None:
        """The address of the client; None if the peer has none (a Unix socket), which is not trusted then."""
        client = scope.get("client")
        peer: str | None = (client[0] or None) if client else None
        if self._looks and peer:
            self._look(scope, address(peer))
        if not self._trusted or not peer or not self._is_trusted(address(peer)):
            return peer
        return self._forwarded(scope, address(peer))

    def _forwarded(self, scope: Scope, peer: str) -> str:
        nearest = peer
        for entry in _hops(scope):
            hop = _address(entry)
            if hop is None:
                break
            nearest = hop
            if not self._is_trusted(hop):
                break
        return nearest

    def _look(self, scope: Scope, peer: str) -> None:
        """Warn, once, of what looks like a proxy that nobody has named; a server that has read the header is in it."""
        self._looks -= 1
        hops = [_address(entry) for entry in _hops(scope)]
        if any(hops) and peer not in hops and _is_private(peer):
            self._looks = 0
            log.warning("%s sends X-Forwarded-For and is none of trusted_proxies: a proxy's clients are all one", peer)

    def _is_trusted(self, normal: str) -> bool:
        try:
            parsed = ip_address(normal)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _hops(scope: Scope) -> list[str]:
    """The entries of all ``X-Forwarded-For`` headers, the last first; no more than a chain of proxies can be long."""
    whole = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    if not whole:
        return []
    entries = whole[-_MOST_BYTES:].decode("latin-1").split(",")
    if len(whole) > _MOST_BYTES:
        del entries[0]  # it may be the end of one
    return entries[: -_MOST_HOPS - 1 : -1]


def _address(entry: str) -> str | None:
    """The address in an entry, without its port; None if there is none."""
    text = entry.strip(" \t")
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or not _is_port(port) or ":" not in text:
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(":" + port):
            return None
    normal = address(text)
    try:
        ip_address(normal)
    except ValueError:
        return None
    return normal


def _is_private(normal: str) -> bool:
    try:
        return ip_address(normal).is_private
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    digits = text[1:]
    return not text or (text[0] == ":" and len(digits) <= 5 and digits.isascii() and digits.isdigit())


def _network(text: str) -> Network:
    """A network to compare normal addresses with: an IPv4-mapped one is one of IPv4."""
    try:
        network = ip_network(str(text))
    except ValueError as error:
        raise ValueError(f"trusted_proxies: {error}") from None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network[0].ipv4_mapped is not None:
        network = IPv4Network(f"{network[0].ipv4_mapped}/{network.prefixlen - 96}")
    if network.prefixlen == 0:
        raise ValueError(f"trusted_proxies: {text} would let everybody say any address")
    return network
