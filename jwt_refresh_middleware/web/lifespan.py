"""The ASGI lifespan: the issuer opens before the app starts and closes after it stopped.

An app that knows no lifespan (it raises, returns, or answers with something else) is helped out: the protocol is
completed in its place.
"""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Step = Callable[[], Awaitable[None]]


class Lifespan:
    """One run of the lifespan protocol around an app."""

    def __init__(self, receive: Receive, send: Send, *, on_startup: Step, on_shutdown: Step) -> None:
        self._receive = receive
        self._send = send
        self._on_startup = on_startup
        self._on_shutdown = on_shutdown
        self._started = False  # startup was received and our own part of it done
        self._answered = False  # the app has answered the startup
        self._stopping = False  # shutdown was received

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the app in it. Raises what the app raised after it had taken part, and what opening the issuer raised."""
        failed_to_open = False
        try:
            try:
                await app(scope, self._receive_for_app, self._send_for_app)
            except _OpenFailed as failure:
                failed_to_open = True
                raise failure.cause from None
            except Exception:  # not a failure: this is how an app says that it knows no lifespan
                if self._answered:
                    raise
            if not self._answered:
                await self._complete()
        finally:
            if not failed_to_open:
                await self._on_shutdown()

    async def _receive_for_app(self) -> Message:
        message = await self._receive()
        if message["type"] == "lifespan.startup":
            await self._open()
        elif message["type"] == "lifespan.shutdown":
            self._stopping = True
        return message

    async def _open(self) -> None:
        try:
            await self._on_startup()
        except Exception as error:  # told to the server, which stops; the reason goes on to its log
            self._answered = True
            await self._send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            raise _OpenFailed(error) from error
        self._started = True

    async def _send_for_app(self, message: Message) -> None:
        kind = message["type"]
        if not kind.startswith("lifespan."):
            raise RuntimeError("this app answers a lifespan with something else")
        self._answered = True
        if kind != "lifespan.startup.complete":
            await self._on_shutdown()  # before the server, told of the end or of a failure, ends the process
        await self._send(message)

    async def _complete(self) -> None:
        if not self._started:
            await self._receive()
            try:
                await self._open()
            except _OpenFailed as failure:
                raise failure.cause from None
        await self._send({"type": "lifespan.startup.complete"})
        if not self._stopping:
            await self._receive()
        await self._on_shutdown()
        await self._send({"type": "lifespan.shutdown.complete"})


class _OpenFailed(BaseException):
    """Carries the failure through the app, which must not take it for one of its own."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause
