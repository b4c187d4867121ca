"""How long a WebSocket may stay open: until its access token is over or its session has ended, whichever is first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope

from ..access import BEARER, MAX_TOKEN_BYTES, Known
from ..encoding import json_object
from ..errors import AuthError, TemporaryError, TokenExpired, TokenInvalid, TokenRevoked
from ..revocation import Watchable
from .inbox import Inbox
from .outgoing import Outgoing

CLOSE_CODE = 4401

_NEAR = 30.0
"""Seconds before the end, but a quarter of the lease at most, from which on a token is looked for without the app."""
_LOOK_EVERY = 3600.0
"""The clock that a token is judged by may be set; the one of the timer is not."""
_LAST_WORDS = ("websocket.close", "websocket.http.response.start")
_LONGEST_RENEWAL = MAX_TOKEN_BYTES + 100


class SocketClosed(OSError):
    """The middleware has closed this socket: it cannot be sent on (ASGI: ``send`` raises an OSError then)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the leases of one middleware have in common.

    Attributes:
        clock: the verifier's, in seconds since the epoch.
        revoked: ended sessions by id.
        watchable: tells at once that a session has ended; None if nobody does.
        recognise: what is known of ``BEARER`` and a token. Raises an AuthError.
        refuse: closes the socket with an error, whatever its state is.
    """

    clock: Callable[[], float]
    revoked: Mapping[str | None, float]
    watchable: Watchable | None
    recognise: Callable[[bytes], Known]
    refuse: Callable[[AuthError, Scope, Outgoing], Awaitable[None]]


class Lease:
    """One socket of somebody who is known; what the app receives and sends goes through it.

    Attributes:
        ended: why the socket was closed from here, as the code of an error; None if it was not. Not the error itself:
            its traceback leads back here, and what goes round in a circle is left to the garbage collector.
    """

    __slots__ = (
        "_closing",
        "_has_begun",
        "_inbox",
        "_is_over",
        "_known",
        "_loop",
        "_near_at",
        "_scope",
        "_send",
        "_terms",
        "_timer",
        "ended",
    )

    def __init__(self, terms: Terms, known: Known, scope: Scope, receive: Receive, send: Outgoing) -> None:
        """``scope``: the app's, whose user changes with the token."""
        self._terms = terms
        self._scope = scope
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(receive, self._takes)
        self._closing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False  # ended, or left by the app or the client: there is nothing to watch any more
        self._has_begun = False  # the app has received its first message, which is always the same
        self.ended: str | None = None
        self._go_by(known)

    async def receive(self) -> Message:
        """The next message that is the app's; ``websocket.disconnect`` once the lease has ended."""
        message = None if self._has_ended() else await self._inbox.get()
        if message is None:
            message = self._farewell() if self._has_begun else {"type": "websocket.connect"}
        self._has_begun = True
        return message

    def _farewell(self) -> Message:
        return {"type": "websocket.disconnect", "code": CLOSE_CODE if self.ended else 1006, "reason": self.ended or ""}

    async def send(self, message: Message) -> None:
        """Pass on what the app says. Raises SocketClosed once the lease has ended; closing again is no error."""
        if not self._has_ended():
            if message["type"] in _LAST_WORDS:
                self._let_go()
            try:
                await self._send(message)
                return
            except Exception:
                if self.ended is None:
                    raise
        if message["type"] != "websocket.close":
            raise SocketClosed("the access token of this socket is over") from None

    async def finish(self) -> None:
        """The app has returned."""
        self._let_go()
        self._inbox.shut()
        if self._closing is not None:
            await asyncio.wait([self._closing])

    def end(self, error: AuthError) -> None:
        """Close the socket, and wake up whoever waits for a message of it. Nothing happens if it is over already."""
        if not self._is_over:
            self.ended = error.code
            self._let_go()
            self._inbox.shut()
            self._closing = self._loop.create_task(self._close(error))

    async def _close(self, error: AuthError) -> None:
        with suppress(
            Exception
        ):  # servers differ in what they raise if the client is gone, which is all that it can be
            await self._terms.refuse(error, self._scope, self._send)

    def _let_go(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._inbox.is_eager = False
            self._watch(on=False)
            if self._timer is not None:
                self._timer.cancel()

    def _go_by(self, known: Known) -> None:
        """From now on this token is the one that counts."""
        self._known = known
        self._watch(on=True)
        now = self._terms.clock()
        self._near_at = known.ends_at - min(_NEAR, (known.ends_at - now) / 4)
        self._look_later(now)

    def _look(self) -> None:
        if not self._has_ended():
            self._look_later(self._terms.clock())
            self._inbox.look()

    def _look_later(self, now: float) -> None:
        self._inbox.is_eager = is_near = now >= self._near_at
        if self._timer is not None:
            self._timer.cancel()
        goal = self._known.ends_at if is_near else self._near_at
        self._timer = self._loop.call_later(min(max(goal - now, 0), _LOOK_EVERY), self._look)

    def _has_ended(self) -> bool:
        """Whether it was ended from here, or is now: the clock may have jumped, and nobody may have told."""
        if not self._is_over:
            if self._known.ends_at <= self._terms.clock():
                self.end(TokenExpired())
            elif self._known.session_id in self._terms.revoked:
                self.end(TokenRevoked())
        return self.ended is not None

    def _watch(self, *, on: bool) -> None:
        """Be told when the session ends, or no longer."""
        watchable, session_id = self._terms.watchable, self._known.session_id
        if watchable is not None and session_id is not None:
            (watchable.watch if on else watchable.unwatch)(session_id, self._told)

    def _told(self) -> None:
        """The session has ended: said in this event loop, in another one, or in none."""
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            self.end(TokenRevoked())
        else:
            with suppress(RuntimeError):  # the loop is closed, and the socket with it
                self._loop.call_soon_threadsafe(self.end, TokenRevoked())

    def _takes(self, message: Message) -> bool:
        """Whether a message is none of the app's: it brought a fresh token, or came after the end."""
        if message["type"] == "websocket.disconnect":
            self._let_go()
            return False
        if self._has_ended():
            return True
        credentials = None if self._is_over else credentials_in(message.get("text"))
        if credentials is not None:
            self._renew(credentials)
        return credentials is not None

    def _renew(self, credentials: bytes) -> None:
        try:
            known = self._terms.recognise(credentials)
            if known.token.subject != self._known.token.subject:
                raise TokenInvalid
        except TemporaryError:  # it cannot be judged now: the one before still counts
            pass
        except AuthError as error:
            self.end(error)
        else:
            self._watch(on=False)
            self._go_by(known)
            _, self._scope["user"], self._scope["auth"] = known.companion


def credentials_in(text: str | None) -> bytes | None:
    """``BEARER`` and the token of ``{"type": "token", "access_token": "…"}``; None of any other message."""
    if not text or text[0] != "{" or len(text) > _LONGEST_RENEWAL or '"access_token"' not in text:
        return None
    try:
        content = json_object(text.encode("utf-8"))
    except ValueError:
        return None
    token = content.pop("access_token", None)
    if content != {"type": "token"} or not isinstance(token, str):
        return None
    return BEARER + token.encode("utf-8")
