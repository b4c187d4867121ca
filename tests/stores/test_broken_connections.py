"""The connection to the server breaks at every single message, before or after its work is done there."""

import secrets
from datetime import timedelta

import pytest

from jwt_refresh_middleware import DevicePolicy, Issuer
from jwt_refresh_middleware.events import Event
from jwt_refresh_middleware.testing import Clock
from jwt_refresh_middleware.testing.faults import live_a_life

from ..kinds import Servers, make_store
from ..proxy import Proxy, at_port, port_of

SECRET = "a secret of the tests, and certainly more than thirty-two bytes"
NEVER = timedelta(days=1)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", ["redis", "postgresql", "mariadb"])
async def test_a_connection_cut_at_any_message_costs_nobody_a_session(kind: str, after: bool, servers: Servers) -> None:
    if reason := Servers.missing(kind):
        pytest.skip(reason)
    url = servers.url(kind)
    namespace, names = secrets.token_hex(4), []

    async def note(event: Event) -> None:
        names.append(event.name)

    async with Proxy(port_of(url)) as proxy:
        store = make_store(kind, at_port(url, proxy.port), namespace)
        await store.open()
        cuts, cut_at = 0, 1
        while True:
            proxy.count_from_here(cut_at, cut_after=after)
            clock, policy = Clock(), DevicePolicy(refresh_rate=None)
            issuer = Issuer(SECRET, store, clock=clock, sync_interval=NEVER, device_policy=policy, on_event=note)
            # More than one attempt fails where all pooled connections are dead, or a new one is cut while it is made.
            await live_a_life(issuer, clock, f"user-{cut_at}", attempts=4)
            reached = proxy.chunks >= cut_at
            proxy.count_from_here()
            await issuer.aclose()
            if not reached:
                break
            cuts, cut_at = cuts + 1, cut_at + 1
        assert cuts >= 15, "that many messages there are at least"
        assert "reuse_detected" not in names
        await store.close()
