"""An access token among the sub-protocols of a handshake, ``["bearer", "<token>", …]``: browsers can add no header."""

from typing import NamedTuple

from starlette.types import Message, Scope

from ..access import BEARER
from ..errors import TokenMalformed
from .transport import bearer

PROTOCOL = "bearer"

_HEADER = b"sec-websocket-protocol"
_MALFORMED = b""  # what an Authorization header that nothing accepts looks like


class Offer(NamedTuple):
    """What a client offers that offers ``bearer``.

    Attributes:
        authorization: what an ``Authorization`` header with this token would say; one that is malformed if there is no
            token behind ``bearer``, or if it comes several times.
        others: the sub-protocols that are the app's.
    """

    authorization: bytes
    others: list[str]

    def beside(self, header: bytes | None) -> bytes:
        """What counts beside an ``Authorization`` header: two tokens are one too many, another scheme is no token."""
        try:
            return self.authorization if bearer(header) is None else _MALFORMED
        except TokenMalformed:
            return _MALFORMED

    def without(self, scope: Scope) -> Scope:
        """A copy of the scope in which neither ``bearer`` nor the token is left."""
        headers = [pair for pair in scope["headers"] if pair[0] != _HEADER]
        if self.others:
            headers.append((_HEADER, ", ".join(self.others).encode("latin-1", "replace")))
        return {**scope, "headers": headers, "subprotocols": self.others}


def offer_of(scope: Scope) -> Offer | None:
    """What a handshake offers; None if ``bearer`` is not among it."""
    offered: list[str] = scope.get("subprotocols") or []
    if PROTOCOL not in offered:
        return None
    at = offered.index(PROTOCOL)
    token, others = offered[at + 1 : at + 2], offered[:at] + offered[at + 2 :]
    if not token or PROTOCOL in token or PROTOCOL in others:
        return Offer(_MALFORMED, [name for name in others if name != PROTOCOL])
    return Offer(BEARER + token[0].encode("latin-1", "replace"), others)


def answered(accept: Message) -> Message:
    """The acceptance of a socket that offered ``bearer``: that is answered if the app has chosen none of its own."""
    if accept.get("subprotocol") or any(name.lower() == _HEADER for name, _ in accept.get("headers") or ()):
        return accept
    return {**accept, "subprotocol": PROTOCOL}
