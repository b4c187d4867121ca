"""What an issuer was told: for whoever looks at it from outside. Nothing of it is read while it works."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .devices import DevicePolicy
from .events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """The options of an :class:`Issuer` that it has no attribute for. All times in seconds.

    Attributes:
        access_ttl, refresh_ttl, reauth_after, reuse_leeway, store_timeout: as the options of these names.
        device_policy: as the option; the default one where none was given.
        on_event: as the option.
    """

    access_ttl: float
    refresh_ttl: float
    reauth_after: float
    reuse_leeway: float
    store_timeout: float
    device_policy: DevicePolicy
    on_event: Callable[[Event], Awaitable[None]] | None
