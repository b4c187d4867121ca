"""Looking at the store behind an issuer: read-only, for a bounded time, and everything that was opened is closed."""

import asyncio
import importlib
import logging
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..issuer import Issuer
from ..rounds import log
from .findings import Finding
from .loading import told
from .store_findings import UNREACHABLE

_KINDS = {
    "jwt_refresh_middleware.stores.sqlite.SQLiteStore": "store_sqlite",
    "jwt_refresh_middleware.stores.redis.RedisStore": "store_redis",
    "jwt_refresh_middleware.stores.sqlalchemy.SQLAlchemyStore": "store_sqlalchemy",
}
"""Which module looks at what: it is imported where its library is there, since the store is."""


async def look(issuer: Issuer, *, patience: float, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """What is wrong with the store of an issuer; nothing is known of stores of other kinds, and nothing is opened.

    ``patience``: seconds for all of it.
    """
    store = issuer.backing.store
    names = [f"{cls.__module__}.{cls.__qualname__}" for cls in type(store).__mro__]
    kind = next((_KINDS[name] for name in names if name in _KINDS), None)
    if kind is None:
        return []
    looking: Any = importlib.import_module(f".{kind}", __package__)
    where: str = looking.place(store)
    found: list[Finding] = []
    with _quiet():
        try:
            async with asyncio.timeout(patience):
                await _gather(looking.look(store, issuer, where), found)
        except TimeoutError:
            found.append(UNREACHABLE.found(f"no answer within {patience:g} s", where))
        except Exception as error:  # noqa: BLE001  whatever a driver raises: the store cannot be used like this
            found.append(UNREACHABLE.found(told(error, environ), where))
    return found


async def _gather(findings: AsyncIterator[Finding], found: list[Finding]) -> None:
    async for finding in findings:
        found.append(finding)  # noqa: PERF401  what was found before it fails is kept


@contextmanager
def _quiet() -> Iterator[None]:
    """What the stores log while they are looked at is found here anyway."""
    loggers = [log, logging.getLogger("asyncio")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
