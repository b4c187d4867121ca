"""Redis and SQL servers go away in every way there is, while fifty clients work: nobody loses a session."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jwt_refresh_middleware.errors import StoreUnavailable
from jwt_refresh_middleware.stores.redis import RedisStore

from ..kinds import make_store
from ..proxy import at_port
from ..web.asgi import LifespanRun
from .conftest import OwnServers
from .crowd import SLACK, Client, Monitor, now, patiently, until
from .stage import Cable, Service, make_app, make_issuer, service
from .standbys import REPLICAS

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("nothing_left")]
KINDS = ["redis", "postgresql", "mariadb"]
SHORT = 1.0
"""The store_timeout of most of these tests; the default is 5 s."""
CLOSING = 6.0
"""Seconds that it may take to give up connections to a server that does not answer."""
LOCKED = 2.0
"""Seconds that MariaDB lets somebody hold a lock of whom it hears nothing more."""
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["kill", "stop"])
@pytest.mark.case("H20")
async def test_restart(kind: str, end: str, server: Any) -> None:
    async with service(kind, server.url, timeout=SHORT) as running:
        await asyncio.to_thread(getattr(server, end))
        await without_the_store(running)
        await asyncio.to_thread(server.start)
        await back_again(running, now())
    verdict(running, f"{kind} {end}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.case("H20")
async def test_paused_process(kind: str, server: Any) -> None:
    async with service(kind, server.url, timeout=SHORT) as running:
        server.pause()
        await without_the_store(running)
        server.resume()
        await back_again(running, now())
    verdict(running, f"{kind} pause")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("healing", ["heals", "resets", "lost"])
@pytest.mark.case("H20")
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
            await back_again(running, now(), within=SOON + (LOCKED if kind == "mariadb" else 0))
        verdict(running, f"{kind} partition, {healing}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.case("H20")
async def test_slow(kind: str, server: Any) -> None:
    async with Cable(server.port) as cable:
        async with service(kind, at_port(server.url, cable.port), timeout=SHORT) as running:
            cable.delay = 5.0
            await without_the_store(running)
            cable.delay = 0.0
            await back_again(running, now(), within=SOON + (LOCKED if kind == "mariadb" else 0))
        verdict(running, f"{kind} slow")


FOLLOWED = ("redis", "postgresql")


@asynccontextmanager
async def followed(kind: str, primary: Any) -> AsyncIterator[tuple[Any, Cable]]:
    """A replica of ``primary`` that is in step, and the cable by which it follows."""
    async with Cable(primary.port) as line:
        replica = REPLICAS[kind](primary, line.port)
        try:
            await asyncio.to_thread(replica.__enter__)
            await until(replica.follows, "a replica that follows")
            yield replica, line
        finally:
            await asyncio.to_thread(replica.close)


@pytest.mark.parametrize("kind", FOLLOWED)
@pytest.mark.parametrize("lag", [0.0, 0.8])
@pytest.mark.case("H17", "H20")
async def test_fail_over(kind: str, lag: float, own: OwnServers) -> None:
    """The primary dies and a replica takes over at the same address; it may lack what was written last."""
    with own.another(kind) as primary:
        async with followed(kind, primary) as (replica, line), Cable(primary.port) as cable:
            async with service(kind, at_port(primary.url, cable.port), timeout=SHORT) as running:
                if lag:
                    line.deaf = True
                    await running.crowd.all_renewed(now())
                    await asyncio.sleep(lag)
                await asyncio.to_thread(primary.kill)
                await without_the_store(running)
                line.drop()
                await asyncio.to_thread(replica.promote)
                cable.target = replica.port
                cable.drop()
                await back_again(running, now())
            verdict(running, f"{kind} fail-over, {lag} s behind", also={"generation_ahead"})
            ahead = sum(event.name == "generation_ahead" for event in running.crowd.listener.events)
            assert not lag or ahead > len(running.crowd.clients) / 2, "nothing was lost: it was not behind"


async def test_a_primary_that_was_made_a_replica(own: OwnServers) -> None:
    """It stays, and so do its connections; what it refuses is asked at the address again, where another one is now."""
    with own.another("redis") as primary:
        async with followed("redis", primary) as (replica, _), Cable(primary.port) as cable:
            async with service("redis", at_port(primary.url, cable.port), timeout=SHORT) as running:
                await asyncio.to_thread(replica.promote)
                primary.say(f"REPLICAOF 127.0.0.1 {replica.port}")
                await without_the_store(running)
                cable.target = replica.port
                await back_again(running, now())
            verdict(running, "redis demoted", also={"generation_ahead"})


@pytest.mark.parametrize("kind", KINDS)
async def test_a_start_while_it_is_silent(kind: str, server: Any) -> None:
    """The application fails to start, soon; it can be used all the same, and works as soon as the server answers."""
    store = make_store(kind, server.url, secrets.token_hex(4))
    if not isinstance(store, RedisStore):
        await store.open()  # makes its table
        await store.close()
    issuer = make_issuer(store, timeout=SHORT)
    app = make_app(issuer)
    server.pause()
    began = now()
    lifespan = LifespanRun(app)
    assert (await lifespan.tell("startup"))["type"] == "lifespan.startup.failed"
    with pytest.raises(TimeoutError):
        await lifespan.task
    print(f"\n{kind}: {now() - began:.2f} s")
    assert now() - began < SHORT + CLOSING
    client = Client(app, "ann", Monitor(SHORT))
    began = now()
    with pytest.raises(StoreUnavailable):
        await issuer.login("ann")
    assert now() - began < SHORT + SLACK
    server.resume()
    await asyncio.sleep(SHORT)
    await client.login()
    assert (await patiently(lambda: client.post("refresh"))).status == 200
    await issuer.aclose()
