"""What goes to the server over one WebSocket, and what state that leaves it in."""

from collections.abc import Awaitable
from typing import Literal

from starlette.types import Message, Send

from .subprotocols import answered

ANSWER = "websocket.http.response"
"""The extension by which a handshake can be refused with any answer, and what its messages begin with."""


class Outgoing:
    """Passes messages on, sees what state the socket is in, and answers ``bearer`` to who has offered it.

    Attributes:
        state: ``opening`` until the handshake is answered, ``open`` if it was accepted, ``closed`` from here.
    """

    __slots__ = ("_answers_bearer", "_send", "state")

    def __init__(self, send: Send, *, answers_bearer: bool) -> None:
        self._send = send
        self._answers_bearer = answers_bearer
        self.state: Literal["opening", "open", "closed"] = "opening"

    def __call__(self, message: Message) -> Awaitable[None]:
        """Pass it on."""
        kind = message["type"]
        if kind == "websocket.accept":
            self.state = "open"
            if self._answers_bearer:
                message = answered(message)
        elif kind in ("websocket.close", f"{ANSWER}.start"):
            self.state = "closed"
        return self._send(message)
