"""What the tests of rotation share: a clock, a listener, devices and an issuer with everything injected."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import settings

from jwt_refresh_middleware import Device, DevicePolicy, Issuer, SessionStore, TokenPair
from jwt_refresh_middleware.errors import AuthError
from jwt_refresh_middleware.events import Event
from jwt_refresh_middleware.testing import NOW, Clock

QUICK = settings(max_examples=200, deadline=None, derandomize=True)
SECRET = "a secret of the tests, and certainly more than thirty-two bytes"
START = NOW
NEVER = timedelta(days=1)
"""Background rounds do not come within a test: what they do is done by hand."""

FIREFOX = Device(ip="203.0.113.7", user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
CHROME = Device(
    ip="203.0.113.7",
    user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
)


class Listener:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def __call__(self, event: Event) -> None:
        self.events.append(event)

    async def names(self) -> list[str]:
        """The names of all events so far, those that are still on their way included."""
        for _ in range(3):
            await asyncio.sleep(0)
        return [event.name for event in self.events]


def make_issuer(store: SessionStore, clock: Clock, listener: Listener | None = None, **options: Any) -> Issuer:
    """An issuer in which nothing happens by itself and no client is too fast."""
    options.setdefault("sync_interval", NEVER)
    options.setdefault("device_policy", DevicePolicy(refresh_rate=None))
    return Issuer(options.pop("secret", SECRET), store, clock=clock, on_event=listener, **options)


async def outcome(issuer: Issuer, token: str, device: Device = FIREFOX, *, proof: bool = False) -> TokenPair | str:
    """The pair that a refresh gives, or the code of the error; ``proof``: of a step-up instead."""
    try:
        return await (issuer.step_up if proof else issuer.refresh)(token, device=device)
    except AuthError as error:
        return error.code


def acknowledge(issuer: Issuer, pair: TokenPair) -> None:
    """Show the access token of ``pair`` to the issuer's own middleware, as any request does."""
    issuer.acknowledge(issuer.verifier.verify(pair.access_token))


def successors(outcomes: Sequence[TokenPair | str]) -> set[str]:
    """The refresh tokens among ``outcomes``; errors as their codes."""
    return {one if isinstance(one, str) else one.refresh_token for one in outcomes}
