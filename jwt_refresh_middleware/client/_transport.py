"""How the steps of a refresh are carried out, blocking or not.

The refresh has a client of its own and does not go through the flow of the request that needs it: a request that is
cancelled would take the answer with it, and with the answer the only copy of the rotated token. It also keeps the
caller's event hooks, redirects and cookies away from the refresh token.
"""

import asyncio
import inspect
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ._answers import Answer, Lost
from ._flight import running_trio
from ._libraries import RequestErrors, tls_of

_LARGEST_ANSWER = 256 * 1024


class _Excess(Exception):
    """The answer takes too long or is too large."""


_FAILURES: tuple[type[Exception], ...] = (*RequestErrors, _Excess)


@dataclass(frozen=True, slots=True, repr=False)
class Post:
    """Send the refresh token, with credentials to where those go. Answered with an Answer or Lost."""

    refresh: str
    credentials: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """Call a function of the program; answered with what it returns."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


Steps = Generator[Post | Pause | Call, Any, None]
"""A refresh without any I/O: it says what to do next and is told what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """What the refreshes of one auth have in common."""

    url: str
    step_up_url: str
    timeout: float
    client: Callable[[], Any] | None
    async_client: Callable[[], Any] | None


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries out steps for one request: by its library, under its user agent, which the session is bound to."""

    transport: Transport
    library: ModuleType
    user_agent: str | None

    def run(self, steps: Steps) -> None:
        """Blocking."""
        with closing(steps):
            answer = None
            while (step := _next(steps, answer)) is not None:
                answer = self._perform(step)

    async def run_async(self, steps: Steps) -> None:
        """In asyncio or trio."""
        with closing(steps):
            answer = None
            while (step := _next(steps, answer)) is not None:
                answer = await self._perform_async(step)

    def _perform(self, step: Post | Pause | Call) -> Any:
        if isinstance(step, Post):
            return self._post(step)
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        result = step.function(*step.arguments)
        if inspect.isawaitable(result):
            getattr(result, "close", bool)()
            raise TypeError("load, save and on_tokens must not be async for a client that is not")
        return result

    async def _perform_async(self, step: Post | Pause | Call) -> Any:
        if isinstance(step, Post):
            return await self._post_async(step)
        if isinstance(step, Pause):
            return await _sleep(step.seconds)
        result = step.function(*step.arguments)
        return await result if inspect.isawaitable(result) else result

    def _post(self, step: Post) -> Answer | Lost:
        limit = time.monotonic() + self.transport.timeout
        try:
            with self._client() as client:
                response = client.send(self._request(client, step), stream=True, auth=None, follow_redirects=False)
                with closing(response):
                    body = b""
                    for chunk in response.iter_bytes():
                        body = _within(limit, body + chunk)
                    return _answer(response, body)
        except _FAILURES as error:
            return _lost(error)

    async def _post_async(self, step: Post) -> Answer | Lost:
        limit = time.monotonic() + self.transport.timeout
        try:
            async with self._async_client() as client:
                request = self._request(client, step)
                response = await client.send(request, stream=True, auth=None, follow_redirects=False)
                try:
                    body = b""
                    async for chunk in response.aiter_bytes():
                        body = _within(limit, body + chunk)
                    return _answer(response, body)
                finally:
                    await response.aclose()
        except _FAILURES as error:
            return _lost(error)

    def _client(self) -> Any:
        make = self.transport.client
        return self.library.Client(verify=tls_of(self.library)) if make is None else make()

    def _async_client(self) -> Any:
        make = self.transport.async_client
        return self.library.AsyncClient(verify=tls_of(self.library)) if make is None else make()

    def _request(self, client: Any, step: Post) -> Any:
        """The time-out is said here, as a client that the program made may have none."""
        request = client.build_request(
            "POST",
            self.transport.url if step.credentials is None else self.transport.step_up_url,
            json={**(step.credentials or {}), "refresh_token": step.refresh},
            # Not compressed: a small answer could become a large one.
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": self.user_agent or ""},
            timeout=self.transport.timeout,
        )
        if self.user_agent is None:
            del request.headers["User-Agent"]
        return request


def _next(steps: Steps, answer: Any) -> Post | Pause | Call | None:
    try:
        return steps.send(answer)
    except StopIteration:
        return None


def _within(limit: float, body: bytes) -> bytes:
    """A time-out of the libraries is for each read: a server that drips could go on for ever."""
    if time.monotonic() > limit:
        raise _Excess("the answer took too long")
    if len(body) > _LARGEST_ANSWER:
        raise _Excess("the answer is too large")
    return body


def _answer(response: Any, body: bytes) -> Answer:
    headers = response.headers
    return Answer(response.status_code, headers.get("Content-Type", ""), headers.get("Retry-After", ""), body)


def _lost(error: Exception) -> Lost:
    """Words only: the exception itself holds the request, and with it the refresh token.

    Its text is the system's where no connection was made, and may quote the answer's headers otherwise.
    """
    name = type(error).__name__
    return Lost(f"{name}: {error}" if name == "ConnectError" else name.strip("_"))


async def _sleep(seconds: float) -> None:
    trio = running_trio()
    await (asyncio if trio is None else trio).sleep(seconds)
