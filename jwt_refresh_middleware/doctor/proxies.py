"""Proxies: whether the address of a client is what somebody trustworthy says, or what the client says itself."""

from collections.abc import Iterator

from .circumstances import Circumstances
from .findings import Check, Finding
from .subject import Subject

EVERYBODY = Check(
    id="proxy.everybody",
    severity="error",
    what="Everybody is believed about their address: `0.0.0.0/0` or `*` in `trusted_proxies`, "
    "`FORWARDED_ALLOW_IPS=*`, or uvicorn's ProxyHeadersMiddleware with `*`.",
    why="A client writes any address into `X-Forwarded-For`: limits by address, the device policy and the audit log "
    "are worth nothing.",
    advice="Name the proxies' own addresses or networks.",
)
WIDE = Check(
    id="proxy.wide",
    severity="warning",
    what="A network in `trusted_proxies` is very large: an IPv4 prefix under 8 bits, an IPv6 prefix under 16.",
    why="It holds others than your proxies, and they may say any address.",
    advice="Name the proxies' own addresses or networks.",
)
NOBODY = Check(
    id="proxy.nobody",
    severity="warning",
    what="The app is run behind a proxy, addresses matter (login limits, or a device policy that acts on them), and no "
    "proxy is trusted.",
    why="Every client has the proxy's address: one who guesses passwords shuts all others out, and a change of network "
    "is never seen.",
    advice="Set trusted_proxies to the proxy's address.",
)
CHECKS = (EVERYBODY, WIDE, NOBODY)


def look(subject: Subject, circumstances: Circumstances) -> Iterator[Finding]:
    """What is wrong with the trust in proxies."""
    where = subject.where
    allowed = [part.strip() for part in circumstances.environ.get("FORWARDED_ALLOW_IPS", "").split(",")]
    if "*" in allowed or "0.0.0.0/0" in allowed:
        yield EVERYBODY.found("the server believes everybody", "FORWARDED_ALLOW_IPS")
    for layer in subject.outside:
        if getattr(getattr(layer, "trusted_hosts", None), "always_trust", False):
            yield EVERYBODY.found("it believes everybody", type(layer).__name__)
    trusted = subject.settings.trusted_proxies
    for network in trusted:
        if network.prefixlen < (8 if network.version == 4 else 16):
            yield WIDE.found(f"{network} is trusted", where)
    is_read = trusted or any(allowed) or any(hasattr(layer, "trusted_hosts") for layer in subject.outside)
    if circumstances.proxied_by is not None and not is_read and (why := _why_addresses_matter(subject)):
        yield NOBODY.found(f"behind a proxy ({circumstances.proxied_by}) that is not trusted, with {why}", where)


def _why_addresses_matter(subject: Subject) -> str | None:
    issuer, limits = subject.settings.issuer, subject.settings.login_limits
    if limits is not None and limits.limits_addresses:
        return "login limits by address"
    policy = issuer.settings.device_policy if issuer is not None else None
    if policy is None:
        return None
    if policy.ip != "off" and policy.on_ip_change != "allow":
        return f"on_ip_change={policy.on_ip_change!r}"
    rules = {name: getattr(policy, name) for name in ("concurrent_networks", "impossible_travel")}
    return next((f"{name}={rule!r}" for name, rule in rules.items() if rule != "off"), None)
