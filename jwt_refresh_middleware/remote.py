"""Keys from the JWK Set of an issuer elsewhere: fetched in the background, never by a request."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from .concurrency import SingleFlight, stop_task
from .encoding import json_object
from .key_states import Contents, in_order
from .key_texts import keys_of_set
from .keys import Key
from .rounds import Complaints, log

MAX_BYTES = 256 * 1024
"""A longer answer is none: a JWK Set of 64 RSA keys of 8192 bits has half of it."""


def _never() -> bool:
    return False


class FetchFailed(Exception):
    """The issuer did not answer, or with something else than keys."""


def checked_url(url: str) -> str:
    """``url``, if keys may be fetched from it.

    Raises:
        ValueError: not https, unless it is http on loopback; no host; a user name, a fragment, or a blank in it.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # its message may quote a password
        raise ValueError("the URL of a JWK Set is not one that can be read") from None
    if not host or "@" in parts.netloc or parts.fragment or not url.isprintable() or " " in url:
        raise ValueError("the URL of a JWK Set has a host, and neither user name nor fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(
            "keys are fetched by https, or by http from this machine: whoever can change them lets anybody in"
        )
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def http_library() -> ModuleType:
    """httpx2, or httpx. Raises ImportError if there is neither (extra ``gateway``)."""
    with suppress(ImportError):
        import httpx2

        return httpx2
    try:
        import httpx

        return httpx
    except ImportError:
        raise ImportError(
            "fetching keys needs httpx2 or httpx: pip install 'jwt-refresh-middleware[gateway]'"
        ) from None


def _needs_key_pairs() -> None:
    """Raise ImportError now, not at every fetch, if keys could not be read."""
    try:
        from . import signatures  # noqa: F401
    except ImportError as error:
        raise ImportError("key pairs need cryptography: pip install 'jwt-refresh-middleware[gateway]'") from error


class RemoteKeys:
    """The source of a ring whose keys an issuer publishes.

    They are fetched when it is opened, then at every ``refresh_interval``. A token with a ``kid`` that is not known
    asks for a fetch as well; it is answered without waiting for that. Two fetches never begin within ``cooldown``,
    whatever comes in, and also if it is closed and opened in between. If a fetch fails, the keys that are there are
    kept, and it is tried again after the cool-down. A cool-down that is longer than the interval is as long as that.

    Attributes:
        is_running, tell: as in :class:`.key_states.Source`.
        fetches: how many requests were made to the issuer.
    """

    def __init__(self, url: str, *, refresh_interval: float, cooldown: float, timeout: float) -> None:
        """All times in seconds. ``timeout``: for a whole fetch, and how long a start waits for the first."""
        self._url = checked_url(url)
        self._http = http_library()
        _needs_key_pairs()
        self._refresh_interval = refresh_interval
        self._cooldown = min(cooldown, refresh_interval)
        self._timeout = timeout
        self._name = url.partition("?")[0]  # what may be logged: a query may hold a secret
        self._etag: str | None = None
        self._body = self._judged = b""
        self._began = -math.inf
        self._client: Any = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted = asyncio.Event()
        self._first = asyncio.Event()
        self._is_wanted = False
        self._opening = SingleFlight()
        self._complaints = Complaints(f"no keys from {self._name}")
        self.fetches = 0
        self.is_running: Callable[[], bool] = _never
        self.tell: Callable[[Contents], None] = _nobody

    @property
    def url(self) -> str:
        """Where the keys are, without what a query may hide."""
        return self._name

    async def open(self) -> None:
        """Begin to fetch, once, and wait for the first answer: an issuer that is down delays a start, no more."""
        if not self.is_running():
            await self._opening.run(self._open)

    async def _open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wanted, self._first = asyncio.Event(), asyncio.Event()
        self._client = None
        cooling = self._began + self._cooldown - time.monotonic()
        self._task = self._loop.create_task(self._go_on(max(0.0, cooling)))
        if cooling <= 0:  # else it was closed just now, and nobody waits for the cool-down
            with suppress(TimeoutError):
                await asyncio.wait_for(self._first.wait(), self._timeout)
        self.is_running = self._loop.is_running

    async def ready(self) -> None:
        """Open it, if nobody has yet."""
        await self.open()

    async def close(self) -> None:
        """Stop fetching. The keys stay as they are."""
        await self._opening.finish()
        self.is_running = _never
        task, self._task = self._task, None
        if task is not None:
            await stop_task(task)

    def missed(self) -> None:
        """Ask for a fetch, as soon as one is allowed. Returns at once, also in another thread."""
        loop = self._loop
        if not self._is_wanted and loop is not None and self.is_running():
            self._is_wanted = True
            with suppress(RuntimeError):  # another thread has just closed the loop
                loop.call_soon_threadsafe(self._wanted.set)

    async def _go_on(self, cooling: float) -> None:
        await asyncio.sleep(cooling)
        async with AsyncExitStack() as closing:
            while True:
                self._is_wanted = False
                self._wanted.clear()
                self._began = time.monotonic()
                succeeded = await self._attempt(closing)
                self._first.set()
                await asyncio.sleep(self._cooldown)
                if succeeded:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._wanted.wait(), max(0.0, self._refresh_interval - self._cooldown))

    async def _attempt(self, closing: AsyncExitStack) -> bool:
        """One fetch; whether it succeeded. Raises nothing: whatever goes wrong, the keys stay as they are."""
        self.fetches += 1
        try:
            async with asyncio.timeout(self._timeout):
                await self._fetch(self._client or await self._connect(closing))
            return True
        except Exception as error:  # noqa: BLE001  a library, a proxy, an issuer: none of them may end the task
            self._complaints.about(error)
            return False

    async def _connect(self, closing: AsyncExitStack) -> Any:
        """A client of the library. Proxies of the environment count for other machines only."""
        options = {"follow_redirects": False, "timeout": self._timeout, "trust_env": self._url.startswith("https:")}
        self._client = await closing.enter_async_context(self._http.AsyncClient(**options))
        return self._client

    async def _fetch(self, client: Any) -> None:
        """Tell what the issuer publishes, if that has changed. Raises FetchFailed, and what the library raises."""
        headers = {"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"}
        if self._etag is not None:
            headers["if-none-match"] = self._etag
        async with client.stream("GET", self._url, headers=headers) as response:
            if response.status_code == 304 and self._etag is not None:
                return
            if response.status_code != 200:  # a redirect too: it would lead to somebody else's keys
                raise FetchFailed(f"status {response.status_code}")
            body = await _limited(response)
            etag = response.headers.get("etag")
        if body != self._body:
            self.tell(Contents(in_order(self._keys(body), 0.0), ()))
        self._etag, self._body = etag, body

    def _keys(self, body: bytes) -> list[Key]:
        """The keys in it that are good. What is wrong with the others is logged once, not at every fetch."""
        report = _say_nothing if body == self._judged else self._left_out
        self._judged = body
        try:
            content = json_object(body)
            keys = [key for key in keys_of_set(content, tolerant=report) if not _is_lost(key, content, report)]
        except ValueError as error:
            raise FetchFailed(str(error)) from None
        if not keys:
            raise FetchFailed("there is no usable key in it")
        return keys

    def _left_out(self, error: ValueError) -> None:
        log.warning("a key of %s is left out: %s", self._name, error)


def _is_lost(key: Key, content: Mapping[str, Any], report: Callable[[ValueError], None]) -> bool:
    """Whether the private half of ``key`` is in the set too, by whatever name: who can read it could sign with it."""
    public = {name: value for name, value in (key.public_jwk() or {}).items() if name not in ("kid", "alg", "use")}
    for jwk in content.get("keys", ()):
        if isinstance(jwk, Mapping) and "d" in jwk and jwk.items() >= public.items():
            report(ValueError("its private half is published with it: it is no secret any more"))
            return True
    return False


def _say_nothing(_error: ValueError) -> None:
    """It was said already."""


async def _limited(response: Any) -> bytes:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise FetchFailed(f"more than {MAX_BYTES} bytes")
    return body


def _nobody(_contents: Contents) -> None:
    """Nobody follows these keys yet."""
