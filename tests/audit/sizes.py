"""Measures what an entry takes in each audit log, and how fast they are written.

``python -m tests.audit.sizes [entries]``
"""

import asyncio
import secrets
import sys
import time
from pathlib import Path

from redis.asyncio import Redis
from sqlalchemy import text

from jwt_refresh_middleware import Device
from jwt_refresh_middleware.audit import AuditEntry, AuditLog
from jwt_refresh_middleware.audit.redis import RedisAudit
from jwt_refresh_middleware.audit.sqlalchemy import SQLAlchemyAudit
from jwt_refresh_middleware.events import Event, Revoked, SessionStarted
from jwt_refresh_middleware.testing import NOW

from ..kinds import Servers
from .kinds import a_log

AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


def events(number: int) -> list[Event]:
    """A login and a logout of one of a thousand people, three seconds later than those before."""
    at, subject, session_id = NOW + 3 * number, f"{number % 1000:032x}", secrets.token_urlsafe(16)
    device = Device(ip=f"203.0.113.{number % 250}", user_agent=AGENT)
    return [
        SessionStarted(at=at, subject=subject, session_id=session_id, device=device),
        Revoked(at=at + 1, subject=subject, session_id=session_id, device=device, reason="logout"),
    ]


async def size(kind: str, url: str, log: AuditLog) -> float:
    """Bytes that all entries take."""
    if isinstance(log, RedisAudit):
        async with Redis.from_url(url) as client:
            return float(await client.execute_command("MEMORY", "USAGE", log._stream, "SAMPLES", 0))
    if isinstance(log, SQLAlchemyAudit):
        name = log.table.name
        async with log.engine.connect() as db:
            if kind == "postgresql":
                return float((await db.execute(text(f"SELECT pg_total_relation_size('{name}')"))).scalar() or 0)
            await db.execute(text(f"ANALYZE TABLE {name}"))
            sizes = "SELECT data_length + index_length FROM information_schema.tables WHERE table_name = :name"
            return float((await db.execute(text(sizes), {"name": name})).scalar() or 0)
    await log.close()
    return float(sum(path.stat().st_size for path in Path(url).glob("sizes.db*")))


async def measure(kind: str, servers: Servers, count: int) -> None:
    url = servers.url(kind)
    entries = [AuditEntry.of(event) for number in range(count // 2) for event in events(number)]
    async with a_log(kind, url, "sizes") as log:
        await log.open()
        began = time.perf_counter()
        for first in range(0, count, 1000):
            await log.write(entries[first : first + 1000])
        took = time.perf_counter() - began
        began = time.perf_counter()
        assert len(await log.entries(subject=f"{1:032x}", most=50)) == 50
        read = time.perf_counter() - began
        taken = await size(kind, url, log)
    print(
        f"{kind:12} {taken / count:5.0f} bytes, {count / took:8.0f} written a second, 50 read in {read * 1000:6.1f} ms"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with Servers() as servers:
        for kind in ("sqlite", "redis", "postgresql", "mariadb"):
            if reason := Servers.missing(kind):
                print(f"{kind:12} {reason}")
            else:
                asyncio.run(measure(kind, servers, count))


if __name__ == "__main__":
    main()
