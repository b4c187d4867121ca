"""All seeded faults."""

from . import (
    of_cookies,
    of_decisions,
    of_devices,
    of_gateways,
    of_keys,
    of_logins,
    of_origins,
    of_paths,
    of_processes,
    of_proofs,
    of_redis,
    of_revocations,
    of_rotation,
    of_sqlalchemy,
    of_step_up,
    of_stores,
    of_strictness,
    of_telemetry,
    of_the_web,
    of_tokens,
)

_MODULES = (
    of_decisions,
    of_rotation,
    of_processes,
    of_tokens,
    of_devices,
    of_proofs,
    of_logins,
    of_keys,
    of_stores,
    of_redis,
    of_sqlalchemy,
    of_the_web,
    of_step_up,
    of_gateways,
    of_telemetry,
    of_cookies,
    of_origins,
    of_paths,
    of_revocations,
    of_strictness,
)

FAULTS = tuple(fault for module in _MODULES for fault in module.FAULTS)
