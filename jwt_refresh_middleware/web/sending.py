"""A 500 that is held back until it is known whether it stands for one of our errors."""

from starlette.types import Message, Send


class Held:
    """The beginning of an answer with status 500.

    A Starlette app answers 500 to whatever its handlers raise before it raises it further; where it is wrapped from
    outside, or mounted in another one, that would go out in place of the answer to one of our errors.
    """

    __slots__ = ("_messages", "_send", "released")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._messages: list[Message] = []
        self.released = False

    async def take(self, message: Message) -> None:
        """Keep a message; but let a stream go, since nobody waits for the end of that."""
        self._messages.append(message)
        if self.released or message.get("more_body"):
            await self.release()

    async def release(self) -> None:
        """Send what was kept."""
        messages, self._messages = self._messages, []
        self.released = True
        for message in messages:
            await self._send(message)
