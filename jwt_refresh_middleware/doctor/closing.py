"""Closing what was opened, without waiting for a server that does not answer."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

_LAST_WORDS = 2.0


async def closed(closing: Awaitable[object]) -> None:
    """Wait for ``closing``, for two seconds at most. What goes wrong then was found before, or is of no matter."""
    with suppress(Exception):
        async with asyncio.timeout(_LAST_WORDS):
            await closing
