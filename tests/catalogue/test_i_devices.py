"""I01 in every preset, E11, E12 and H23: where a request comes from, and on how many devices somebody is logged in."""

from collections.abc import Callable
from typing import Any

import pytest

from jwt_refresh_middleware import DevicePolicy

from ..web.asgi import AGENT, Reply
from ..web.problems import assert_problem, deletes_cookie
from ..web.support import PASSWORD, Service, Tokens

MakeService = Callable[..., Service]
HOME, NEIGHBOUR, AWAY = "203.0.113.7", "203.0.113.8", "198.51.100.9"
OTHER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


async def _refresh(service: Service, tokens: Tokens, ip: str, agent: str = AGENT, **headers: str) -> Reply:
    return await service.post(
        "refresh", headers={**tokens.by_cookie, "user-agent": agent, **headers}, client=(ip, 1234)
    )


POLICIES = {
    "roaming": (DevicePolicy.roaming(), "device_changed"),
    "off": (DevicePolicy.off(), None),
    "strict": (DevicePolicy.strict(), "device_mismatch"),
    "step-up": (DevicePolicy(on_ip_change="step_up"), "step_up_required"),
    "revoke": (DevicePolicy(on_ip_change="revoke"), "refresh_invalid"),
}


@pytest.mark.parametrize(("policy", "outcome"), POLICIES.values(), ids=POLICIES)
async def test_i01_another_network(make_service: MakeService, policy: DevicePolicy, outcome: str | None) -> None:
    service = make_service(issuer={"device_policy": policy})
    tokens = await service.login(client=(HOME, 1))
    reply = await _refresh(service, tokens, AWAY)
    names = await service.event_names()
    if reply.status == 200:
        assert (outcome in names) == (outcome is not None)
        return
    assert outcome is not None
    assert_problem(reply, outcome)
    assert deletes_cookie(reply) == (outcome == "refresh_invalid")
    # Where it is refused, the one at home has lost nothing; where the session ends, both have.
    at_home = await _refresh(service, tokens, HOME)
    assert at_home.status == (401 if outcome == "refresh_invalid" else 200)
    assert ("device_mismatch" if outcome != "step_up_required" else outcome) in names


@pytest.mark.parametrize("preset", ["roaming", "strict"])
async def test_i01_another_browser(make_service: MakeService, preset: str) -> None:
    service = make_service(issuer={"device_policy": getattr(DevicePolicy, preset)()})
    tokens = await service.login(client=(HOME, 1))
    reply = await _refresh(service, tokens, HOME, OTHER_AGENT)
    assert_problem(reply, "device_mismatch")
    assert reply.all("set-cookie") == []
    assert (await _refresh(service, tokens, HOME)).status == 200


SPOOFS: dict[str, Any] = {
    "E11-x-forwarded-for": {"x-forwarded-for": HOME},
    "E11-x-real-ip": {"x-real-ip": HOME},
    "E11-forwarded": {"forwarded": f"for={HOME}"},
    "E11-client-ip": {"client-ip": HOME, "true-client-ip": HOME, "cf-connecting-ip": HOME},
}


@pytest.mark.parametrize("headers", SPOOFS.values(), ids=SPOOFS)
@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",)], ids=["nobody", "others"])
async def test_e11_a_spoofed_address(make_service: MakeService, trusted: Any, headers: dict[str, str]) -> None:
    service = make_service(issuer={"device_policy": DevicePolicy.strict()}, trusted_proxies=trusted)
    tokens = await service.login(client=(HOME, 1))
    assert_problem(await _refresh(service, tokens, AWAY, **headers), "device_mismatch")
    assert (await _refresh(service, tokens, HOME, **dict.fromkeys(headers, AWAY))).status == 200


async def test_e11_what_stands_left_of_the_truth(make_service: MakeService) -> None:
    policy = DevicePolicy.strict()
    service = make_service(issuer={"device_policy": policy}, trusted_proxies=["10.0.0.0/8"])
    proxy = "10.0.0.1"
    tokens = await service.login(client=(proxy, 1), headers={"x-forwarded-for": HOME})
    spoofed = {"x-forwarded-for": f"{HOME}, {AWAY}"}
    assert_problem(await _refresh(service, tokens, proxy, **spoofed), "device_mismatch")
    assert (await _refresh(service, tokens, proxy, **{"x-forwarded-for": f"{AWAY}, {HOME}"})).status == 200


@pytest.mark.parametrize(
    ("at_login", "later"),
    [
        (HOME, f"::ffff:{HOME}"), (f"::FFFF:{HOME}", HOME), ("2001:DB8::1", "2001:db8:0:0:0:0:0:1"),
        ("fe80::1%eth0", "FE80::1%wlan0"), ("2001:db8::1", "2001:db8::1%lo"),
    ],
)  # fmt: skip
async def test_e12_one_address_in_several_spellings(make_service: MakeService, at_login: str, later: str) -> None:
    service = make_service(issuer={"device_policy": DevicePolicy.strict()})
    tokens = await service.login(client=(at_login, 1))
    assert (await _refresh(service, tokens, later)).status == 200


async def test_e12_a_network_of_ipv6(make_service: MakeService) -> None:
    service = make_service(issuer={"device_policy": DevicePolicy(on_ip_change="refuse")})
    tokens = await service.login(client=("2001:db8:0:1::1", 1))
    tokens = service.tokens(await _refresh(service, tokens, "2001:db8:0:1:ffff:ffff:ffff:ffff"))
    assert_problem(await _refresh(service, tokens, "2001:db8:0:2::1"), "device_mismatch")


async def test_h23_the_oldest_makes_room(make_service: MakeService) -> None:
    service = make_service(issuer={"device_policy": DevicePolicy(session_limit=2)})
    several = []
    for _ in range(3):
        service.clock.advance(1)
        several.append(await service.login())
    assert_problem(await service.post("refresh", headers=several[0].by_cookie), "refresh_invalid")
    assert_problem(await service.get_in(several[0]), "token_revoked")
    for tokens in several[1:]:
        assert (await service.get_in(tokens)).status == 200
        assert (await service.post("refresh", headers=tokens.by_cookie)).status == 200


async def test_h23_or_the_new_one_is_refused(make_service: MakeService) -> None:
    policy = DevicePolicy(session_limit=1, on_session_limit="refuse_new")
    service = make_service(issuer={"device_policy": policy})
    first = await service.login()
    service.clock.advance(60)
    reply = await service.post("login", json_body={"username": "alice", "password": PASSWORD})
    assert_problem(reply, "session_limit")
    assert reply.all("set-cookie") == []
    assert (await service.get_in(first)).status == 200
    await service.post("logout", headers=first.by_cookie)
    await service.login()
