"""Work on a store that is opened for it, bounded in time; with an issuer, where sessions are ended.

Sessions are ended by an issuer, as in a service: other processes learn of it from the store, as of any other end. This
issuer signs nothing, and its secret is thrown away.
"""

import asyncio
import secrets
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from ..audit import AuditEntry
from ..errors import StoreUnavailable
from ..events import Event
from ..issuer import Issuer
from ..stores.base import SessionStore
from .refused import Failed, Refused
from .store_urls import Place, opened_audit, opened_store

T = TypeVar("T")

_LAST_WORDS = 1.0
_SECRET_NAMES = ("pass", "pwd", "secret", "key", "token")


def with_store(place: Place, work: Callable[[SessionStore], Awaitable[T]]) -> T:
    """What ``work`` makes of the store, which is opened for it. Raises Failed, Refused."""

    async def opened() -> T:
        async with opened_store(place) as store:
            await store.open()
            return await work(store)

    result: T = asyncio.run(_within(place, opened))
    return result


def with_issuer(place: Place, audit: str | None, work: Callable[[Issuer], Awaitable[T]]) -> T:
    """What ``work`` does with an issuer on this store; what came of it is noted in the audit log, if there is one."""
    seen: list[Event] = []

    async def see(event: Event) -> None:
        seen.append(event)

    async def opened() -> T:
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(opened_store(place))
            log = None
            if audit is not None:  # opened first: nothing is done that could not be noted
                log = await stack.enter_async_context(opened_audit(Place(url=audit, prefix=place.prefix)))
                await log.open()
            patience = timedelta(seconds=place.timeout)
            async with Issuer(secrets.token_urlsafe(32), store, store_timeout=patience, on_event=see) as issuer:
                result = await work(issuer)
            if log is not None:
                await _note(log.write, seen)
            return result

    result: T = asyncio.run(_within(place, opened))
    return result


async def _note(write: Callable[[list[AuditEntry]], Awaitable[None]], seen: list[Event]) -> None:
    entries = [AuditEntry.of(event) for event in seen if event.name == "revoked"]
    try:
        await write(entries)
    except Exception as error:
        raise Failed(
            f"ended: {len(entries)}, but that could not be noted in the audit log: {type(error).__name__}"
        ) from error


async def _within(place: Place, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the coroutine function ``work`` returns. Raises Failed if the store fails or takes too long.

    What is late, or interrupted, is cancelled, and has a moment to let go of its connections. The end of the event loop
    cancels it once more: a driver may have taken the first time for an error of its connection.
    """
    task = asyncio.create_task(work())
    try:
        await asyncio.wait([task], timeout=place.timeout)
        late = not task.done()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_LAST_WORDS)
    if late:
        raise Failed(_late(place))
    try:
        return task.result()
    except (Failed, Refused):
        raise
    except Exception as error:  # noqa: BLE001  a driver raises what it likes
        whole = "".join(traceback.format_exception(error))
        raise Failed(_told(error, place)) from None if _has_secret(whole, place) else error


def _late(place: Place) -> str:
    return f"the store did not answer within {place.timeout:g} s"


def _told(error: BaseException, place: Place) -> str:
    """What went wrong, for people, without anything secret of the URL."""
    while isinstance(error, StoreUnavailable) and error.__cause__ is not None:
        error = error.__cause__
    original: BaseException = getattr(error, "orig", None) or error
    if isinstance(original, TimeoutError):
        return _late(place)
    text = (str(original).strip().splitlines() or [""])[0]
    if not text or _has_secret(text, place):
        return f"the store failed: {type(original).__name__}"
    return f"the store failed: {type(original).__name__}: {text}"


def _has_secret(text: str, place: Place) -> bool:
    return any(secret in text for secret in _secrets(place.url))


def _secrets(url: str) -> set[str]:
    """Whatever in a URL may be a password, as it is written and as it is meant."""
    rest = url.partition("://")[2]
    found = {rest.rpartition("@")[0].partition(":")[2]}
    with suppress(ValueError):  # if it is no URL, strictly, what stands before the last @ has to do
        found.add(urlsplit(url).password or "")
    for pair in rest.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if any(word in name.lower() for word in _SECRET_NAMES):
            found.add(value)
    return {text for one in found for text in (one, unquote(one)) if text}
