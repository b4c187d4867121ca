"""The app's ``send``, which knows whether an answer has begun."""

from collections.abc import Awaitable

from starlette.types import Message, Send


class Sending:
    """Passes messages on, but holds a 500 back until the app has returned or raised.

    A Starlette app answers 500 to whatever its handlers raise before it raises it further; where it is wrapped from
    outside, or mounted in another one, that would go out in place of the answer to one of our errors.
    """

    __slots__ = ("_held", "_send", "started")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self.started = False

    def __call__(self, message: Message) -> Awaitable[None]:
        """What the app calls: returns what it awaits."""
        if self.started:
            return self._send(message)
        if self._held or message.get("status") == 500:
            return self._hold(message)
        self.started = True
        return self._send(message)

    async def _hold(self, message: Message) -> None:
        self._held.append(message)
        if message.get("more_body"):  # a stream: nobody waits for the end of that
            await self.release()

    async def release(self) -> None:
        """Send what was held back."""
        held, self._held = self._held, []
        for message in held:
            self.started = True
            await self._send(message)
