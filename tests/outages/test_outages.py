"""Redis and SQL servers go away in every way there is, while fifty clients work: nobody loses a session."""

import asyncio
from typing import Any

import pytest

from .crowd import now
from .stage import Cable, Service, at_port, service

pytestmark = pytest.mark.usefixtures("nothing_left")
KINDS = ["redis", "postgresql", "mariadb"]
SHORT = 0.5
"""The store_timeout of most of these tests; the default is 5 s."""
SOON = 3.0
"""Seconds after its return in which everybody must have refreshed with the token held."""


async def without_the_store(running: Service) -> None:
    """What holds while it is away: everybody is refused a refresh, and nobody can log out."""
    await asyncio.gather(running.crowd.all_refused(), running.crowd.cannot_log_out())


async def back_again(running: Service, healed: float, *, within: float = SOON) -> None:
    await running.crowd.recover(healed, within)
    await running.crowd.can_log_out()


def verdict(running: Service, case: str, **options: Any) -> None:
    print(f"\n{case}: {running.crowd.report()}")
    running.crowd.check(**options)


# MariaDB is not among them: a connection whose other end has vanished without a word is given back late by its driver.
THROUGH_A_CABLE = ("redis", "postgresql")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_restart(kind: str, end: str, server: Any) -> None:
    async with service(kind, server.url, timeout=SHORT) as running:
        await asyncio.to_thread(getattr(server, end))
        await without_the_store(running)
        await asyncio.to_thread(server.start)
        await back_again(running, now())
    verdict(running, f"{kind} {end}")


@pytest.mark.parametrize("kind", KINDS)
async def test_paused_process(kind: str, server: Any) -> None:
    async with service(kind, server.url, timeout=SHORT) as running:
        server.pause()
        await without_the_store(running)
        server.resume()
        await back_again(running, now())
    verdict(running, f"{kind} pause")


@pytest.mark.parametrize("kind", THROUGH_A_CABLE)
@pytest.mark.parametrize("healing", ["heals", "resets", "lost"])
async def test_partition(kind: str, healing: str, server: Any) -> None:
    """In the end what was kept back arrives; or all connections are reset; or the other side knows none of them."""
    async with Cable(server.port) as cable:
        async with service(kind, at_port(server.url, cable.port), timeout=SHORT) as running:
            cable.deaf = True
            await without_the_store(running)
            if healing == "resets":
                cable.drop()
            if healing == "lost":
                cable.lose()
            cable.deaf = False
            await back_again(running, now())
        verdict(running, f"{kind} partition, {healing}")


@pytest.mark.parametrize("kind", THROUGH_A_CABLE)
async def test_slow(kind: str, server: Any) -> None:
    async with Cable(server.port) as cable:
        async with service(kind, at_port(server.url, cable.port), timeout=SHORT) as running:
            cable.delay = 5.0
            await without_the_store(running)
            cable.delay = 0.0
            await back_again(running, now())
        verdict(running, f"{kind} slow")
