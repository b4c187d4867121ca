"""Which values a device policy takes. No policy is made but within a test: one that cannot be made fails that."""

import pytest

from jwt_refresh_middleware import DevicePolicy


def test_the_defaults_and_the_presets() -> None:
    policy = DevicePolicy()
    assert policy == DevicePolicy.roaming()
    assert (policy.ip, policy.on_ip_change) == ("subnet", "allow")
    assert (policy.user_agent, policy.on_user_agent_change) == ("family", "refuse")
    assert (policy.session_limit, policy.concurrent_networks, policy.impossible_travel) == (None, "off", "off")
    strict, off = DevicePolicy.strict(), DevicePolicy.off()
    assert (strict.ip, strict.on_ip_change, strict.user_agent) == ("exact", "refuse", "family")
    assert (off.ip, off.user_agent) == ("off", "off")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ip": "net"}, {"ip": None}, {"user_agent": "subnet"}, {"on_ip_change": "deny"}, {"on_user_agent_change": ""},
        {"refresh_rate": (0, 10)}, {"refresh_rate": (1, 0)}, {"refresh_rate": (1, -1)},
        {"ipv4_prefix": 0}, {"ipv4_prefix": 33}, {"ipv6_prefix": 0}, {"ipv6_prefix": 129}, {"session_limit": 0},
        {"on_session_limit": "end"}, {"concurrent_networks": "refuse"}, {"impossible_travel": None},
        {"concurrent_window": 0}, {"concurrent_window": -1}, {"max_speed": 0}, {"max_speed": float("nan")},
    ],
)  # fmt: skip
def test_unknown_values_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        DevicePolicy(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "edge",
    [
        {"refresh_rate": (1, 0.1)}, {"refresh_rate": None}, {"ipv4_prefix": 1}, {"ipv4_prefix": 32}, {"ipv6_prefix": 1},
        {"ipv6_prefix": 128}, {"session_limit": 1}, {"concurrent_window": 0.1, "max_speed": 0.1},
    ],
)  # fmt: skip
def test_the_last_values_that_work(edge: dict[str, object]) -> None:
    policy = DevicePolicy(**edge)  # type: ignore[arg-type]
    assert {name: getattr(policy, name) for name in edge} == edge
