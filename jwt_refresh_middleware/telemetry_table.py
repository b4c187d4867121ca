"""What is measured: the name, unit and attributes of every metric and span, by the conventions of OpenTelemetry.

No attribute says who it was: no subject, session, address or token, and each has a few values only.
"""

from dataclasses import dataclass
from typing import Literal

VERDICT = "jwt_refresh.verdict"
OUTCOME = "jwt_refresh.outcome"
CODE = "jwt_refresh.code"
EVENT = "jwt_refresh.event"
REASON = "jwt_refresh.reason"
LIMIT = "jwt_refresh.limit"
OPERATION = "jwt_refresh.operation"
STATUS = "http.response.status_code"
ERROR_TYPE = "error.type"

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: as OpenTelemetry has it.
        kind: what it is to whoever reads it.
        unit: ``s``, or what is counted, in braces (UCUM).
        description: one line, for people.
        attributes: the names of its attributes.
        buckets: the upper bounds of a histogram, in its unit.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_WAITS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds: from a store in the same process to ``store_timeout``. The default bounds are meant for milliseconds."""

REFRESHES = Metric(
    name="jwt_refresh.refreshes",
    kind="counter",
    unit="{refresh}",
    description="Refresh tokens that came, by what was done with them",
    attributes=(VERDICT,),
)
LOGINS = Metric(
    name="jwt_refresh.logins",
    kind="counter",
    unit="{login}",
    description="Logins, by how they went",
    attributes=(OUTCOME,),
)
STEP_UPS = Metric(
    name="jwt_refresh.step_ups",
    kind="counter",
    unit="{step_up}",
    description="Step-ups that were required, passed and failed",
    attributes=(OUTCOME,),
)
REFUSALS = Metric(
    name="jwt_refresh.refusals",
    kind="counter",
    unit="{response}",
    description="Requests that were answered with an error, by its code and status",
    attributes=(CODE, STATUS),
)
LIMITS = Metric(
    name="jwt_refresh.rate_limits",
    kind="counter",
    unit="{attempt}",
    description="Attempts that a limit refused, by the limit; an attempt can count for several",
    attributes=(LIMIT,),
)
ENDED = Metric(
    name="jwt_refresh.sessions.ended",
    kind="counter",
    unit="{session}",
    description="Sessions that this process ended before their time, by the reason",
    attributes=(REASON,),
)
EVENTS = Metric(
    name="jwt_refresh.events",
    kind="counter",
    unit="{event}",
    description="Events by name, but for the everyday ones of a refresh",
    attributes=(EVENT,),
)
STORE = Metric(
    name="jwt_refresh.store.operation.duration",
    kind="histogram",
    unit="s",
    description="How long the session store took",
    attributes=(OPERATION, OUTCOME),
    buckets=_WAITS,
)
DELAY = Metric(
    name="jwt_refresh.revocation.delay",
    kind="histogram",
    unit="s",
    description="From the end of a session in another process to knowing of it here",
    buckets=(*_WAITS, 10.0, 30.0, 60.0),
)
LAG = Metric(
    name="jwt_refresh.feed.lag",
    kind="gauge",
    unit="s",
    description="How long ago this process knew every session that had ended anywhere",
)
LOOKUPS = Metric(
    name="jwt_refresh.token_cache.lookups",
    kind="counter",
    unit="{lookup}",
    description="Access tokens that were remembered, and those that needed the full check",
    attributes=(OUTCOME,),
)

REASONS = frozenset(
    {
        "concurrent_networks",
        "device",
        "ended_by_user",
        "impossible_travel",
        "logout",
        "logout_all",
        "reuse",
        "revoked",
        "session_limit",
    }
)
"""Why sessions end where this package ends them. An app's own reasons may be any text: they are ``other``."""

LIMITED = frozenset({"account", "address", "refresh", "step_up"})
"""What this package limits, in the same way."""

METRICS = (REFRESHES, LOGINS, STEP_UPS, REFUSALS, LIMITS, ENDED, EVENTS, STORE, DELAY, LAG, LOOKUPS)
SPANS = ("jwt_refresh.login", "jwt_refresh.refresh", "jwt_refresh.step_up", "jwt_refresh.store.*")
"""The last stands for one for each operation of a store."""
