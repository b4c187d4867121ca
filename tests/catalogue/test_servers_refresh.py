"""Groups G, H and J over HTTP, on every server: the life cycle of refresh tokens, and several clients at once.

What is about one refresh token alone (H14, H16, H22, most of group G, J03) ``test_servers_carriage.py`` runs there.
"""

import random
from typing import Any

import pytest

from ..leakage.pieces import windows
from ..matrix.wire import Line
from ..web.asgi import AGENT, CLIENT, Reply
from ..web.problems import assert_problem, deletes_cookie
from ..web.support import COOKIE, START, Tokens
from . import served
from .forge import ALPHABET, token
from .test_h_refresh_tokens import junk
from .wire_log import assert_log_silent, leaks
from .wire_service import Wire, WireService, made

DAY = 86_400
GRACE_OVER = 60
OTHER_AGENT = AGENT.replace("Firefox/140.0", "Chrome/140.0.0.0").replace("Gecko/20100101", "AppleWebKit/537.36")


@pytest.fixture
def service(wire: Wire) -> WireService:
    return WireService(wire, public=["/"])


async def refresh(service: WireService, tokens: Tokens, **headers: str) -> Reply:
    reply = await service.post("refresh", headers=tokens.by_cookie | headers)
    service.wire.keep_secret([tokens.refresh, tokens.access])
    return reply


async def rotated(service: WireService, tokens: Tokens) -> Tokens:
    return service.tokens(await refresh(service, tokens))


async def acknowledged(service: WireService, tokens: Tokens) -> Tokens:
    """The next generation, whose access token was used, so that the answer has arrived."""
    newer = await rotated(service, tokens)
    assert (await service.get_in(newer)).body == b"hello alice"
    return newer


async def assert_dead(service: WireService, *several: Tokens) -> None:
    """No token of theirs opens or renews anything."""
    for tokens in several:
        assert_problem(await service.get_in(tokens), "token_revoked")
        assert_problem(await refresh(service, tokens), "refresh_invalid")


def at_once(service: WireService, *requests: tuple[str, str, dict[str, Any]]) -> list[Reply]:
    """Each on a connection of its own, all sent before an answer is read."""
    service.wire.to_the_front(service.number)
    lines = [service.wire.another() for _ in requests]
    for line, (method, path, request) in zip(lines, requests, strict=True):
        line.send(made(method, path, **request)[0])
    replies = [line.reply() for line in lines]
    for line in lines:
        line.close()
    return replies


def cookie_parts(reply: Reply) -> tuple[str, str, set[str]]:
    """Its name, its value, its attributes."""
    pair, *attributes = (reply.one("set-cookie") or "").split("; ")
    name, _, value = pair.partition("=")
    return name, value, set(attributes)


async def test_g01_attributes_of_the_cookie_at_login_refresh_and_logout(service: WireService) -> None:
    login = await service.login()
    replies = [login.reply, await refresh(service, login), await service.post("logout", headers=login.by_cookie)]
    always = {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"}
    for reply, age in zip(replies, ("Max-Age=604800", "Max-Age=604800", "Max-Age=0"), strict=True):
        name, value, attributes = cookie_parts(reply)
        assert name == "__Host-refresh_token"
        assert len(name + value) < 4096
        assert {one for one in attributes if not one.startswith("Expires")} == always | {age}
        assert bool(value) == (age != "Max-Age=0")
        assert reply.one("cache-control") == "no-store"


async def test_h01_a_rotation(service: WireService) -> None:
    first = await service.login()
    second = await rotated(service, first)
    assert len({first.refresh, second.refresh}) == len({first.access, second.access}) == 2
    assert second.refresh not in second.reply.body.decode()
    assert second.reply.one("authorization") == f"Bearer {second.access}"
    for tokens in (first, second):
        assert (await service.get_in(tokens)).body == b"hello alice"
    assert await service.event_names() == ["session_started", "rotated"]


async def test_h02_the_replay_of_a_spent_token(service: WireService) -> None:
    first = await service.login()
    second = await acknowledged(service, first)
    third = await acknowledged(service, second)
    service.clock.advance(GRACE_OVER)
    reply = await refresh(service, first)
    assert_problem(reply, "refresh_invalid")
    assert deletes_cookie(reply)
    await assert_dead(service, first, second, third)
    assert (await service.event_names()).count("reuse_detected") == 1


async def test_h02_the_next_generation_is_enough(service: WireService) -> None:
    first = await service.login()
    second = await acknowledged(service, first)
    service.clock.advance(GRACE_OVER)
    assert_problem(await refresh(service, first), "refresh_invalid")
    await assert_dead(service, second)


async def test_h03_a_replay_inside_the_grace_gets_the_same_successor(service: WireService) -> None:
    first = await service.login()
    second = await rotated(service, first)
    service.clock.advance(5)
    again = await rotated(service, first)
    assert again.refresh == second.refresh
    assert (await rotated(service, again)).refresh not in (first.refresh, second.refresh)
    assert await service.event_names() == ["session_started", "rotated", "repeated", "rotated"]


async def test_h04_the_grace_is_of_one_generation(service: WireService) -> None:
    first = await service.login()
    second = await rotated(service, first)
    third = await rotated(service, second)
    reply = await refresh(service, first)
    assert_problem(reply, "refresh_invalid")
    assert deletes_cookie(reply)
    await assert_dead(service, second, third)


async def test_h05_the_grace_is_of_one_device(service: WireService) -> None:
    first = await service.login()
    second = await rotated(service, first)
    assert_problem(await refresh(service, first, **{"user-agent": OTHER_AGENT}), "refresh_invalid")
    await assert_dead(service, second)


async def test_h05_the_current_generation_from_another_device_changes_nothing(service: WireService) -> None:
    first = await service.login()
    reply = await refresh(service, first, **{"user-agent": OTHER_AGENT})
    assert_problem(reply, "device_mismatch")
    assert reply.all("set-cookie") == []
    assert (await refresh(service, first)).status == 200


async def test_h07_twenty_at_once_with_one_token(service: WireService) -> None:
    tokens = await service.login()
    replies = at_once(service, *[("POST", "/auth/refresh", {"headers": tokens.by_cookie})] * 20)
    renewed = [service.tokens(reply) for reply in replies]
    assert len({one.refresh for one in renewed}) == 1
    assert (await service.event_names()).count("rotated") == 1
    assert (await refresh(service, renewed[-1])).status == 200


@pytest.mark.parametrize("order", [1, -1], ids=["refresh-first", "logout-first"])
async def test_h08_a_refresh_and_a_logout_at_once(service: WireService, order: int) -> None:
    tokens = await service.login()
    requests = [(route, ("POST", f"/auth/{route}", {"headers": tokens.by_cookie})) for route in ("refresh", "logout")]
    requests = requests[::order]
    replies = dict(zip([route for route, _ in requests], at_once(service, *(r for _, r in requests)), strict=True))
    assert (replies["logout"].status, replies["logout"].json()) == (200, {"status": "logged_out"})
    await assert_dead(service, tokens)
    if replies["refresh"].status == 200:
        await assert_dead(service, service.tokens(replies["refresh"]))
    else:
        assert_problem(replies["refresh"], "refresh_invalid")


async def test_h09_a_thief_and_the_owner_at_once(service: WireService) -> None:
    stolen = await service.login()
    owned = await acknowledged(service, stolen)
    service.clock.advance(GRACE_OVER)
    pair = [("POST", "/auth/refresh", {"headers": tokens.by_cookie}) for tokens in (stolen, owned)]
    thief, owner = at_once(service, *pair)
    assert_problem(thief, "refresh_invalid")
    await assert_dead(service, stolen, owned)
    if owner.status == 200:
        await assert_dead(service, service.tokens(owner))


async def test_h10_after_a_logout(service: WireService) -> None:
    tokens, elsewhere = await service.login(), await service.login()
    reply = await service.post("logout", headers=tokens.by_cookie)
    assert (reply.status, reply.json()) == (200, {"status": "logged_out"})
    assert deletes_cookie(reply)
    await assert_dead(service, tokens)
    assert (await service.get_in(elsewhere)).status == 200
    assert (await refresh(service, elsewhere)).status == 200


async def test_h11_a_logout_everywhere_among_refreshes(service: WireService) -> None:
    several = [await service.login() for _ in range(10)]
    one = ("POST", "/auth/logout", {"headers": several[0].by_cookie, "json_body": {"all": True}})
    requests = [("POST", "/auth/refresh", {"headers": tokens.by_cookie}) for tokens in several]
    replies = at_once(service, *requests[:5], one, *requests[5:])
    assert replies.pop(5).status == 200
    renewed = [service.tokens(reply) for reply in replies if reply.status == 200]
    await assert_dead(service, *several, *renewed)


async def test_h12_somebody_whose_account_is_gone(wire: Wire) -> None:
    service = WireService(wire, issuer={"load_identity": served.load_known})
    tokens = await rotated(service, await service.login())
    wire.ask("dismiss", "alice")
    reply = await refresh(service, tokens)
    assert_problem(reply, "refresh_invalid")
    assert reply.all("set-cookie") == []


async def test_h13_idle_and_absolute_end(service: WireService) -> None:
    idle, busy = await service.login(), await service.login()
    for _ in range(4):
        service.clock.advance(6 * DAY)
        busy = await rotated(service, busy)
    assert_problem(await refresh(service, idle), "refresh_expired")
    service.clock.advance(6 * DAY - 1)
    busy = await rotated(service, busy)
    service.clock.advance(1)
    reply = await refresh(service, busy)
    assert_problem(reply, "refresh_expired")
    assert deletes_cookie(reply)
    assert service.clock() == START + 30 * DAY


@pytest.mark.parametrize(
    "failure", [OSError("refused"), TimeoutError(), RuntimeError()], ids=lambda f: type(f).__name__
)
async def test_h19_h20_a_store_that_fails_costs_nothing(service: WireService, failure: Exception) -> None:
    tokens = await service.login()
    service.store.failure = failure
    for route in ("refresh", "logout"):
        reply = await service.post(route, headers=tokens.by_cookie)
        assert_problem(reply, "store_unavailable")
        assert int(reply.one("retry-after") or 0) > 0
        assert reply.all("set-cookie") == []
    assert (await service.get_in(tokens)).body == b"hello alice", "what needs no store goes on"
    service.store.failure = None
    assert (await refresh(service, tokens)).status == 200
    assert "reuse_detected" not in await service.event_names()


async def test_h15_junk_costs_the_store_nothing(service: WireService) -> None:
    honest = await service.login()
    service.forget()
    answers = set()
    for text in filter(None, junk(200)):
        reply = await service.post("refresh", headers={"cookie": f"{COOKIE}={text}"})
        assert_problem(reply, "refresh_invalid")
        answers.add((reply.body, reply.headers))
    rng = random.Random(7)
    for _ in range(100):
        forged = f"{honest.access.rpartition('.')[0]}.{''.join(rng.choices(ALPHABET, k=43))}"
        assert_problem(await service.ask("GET", "/x", headers={"authorization": f"Bearer {forged}"}), "token_invalid")
    assert len(answers) == 1
    assert service.seen() == {"paths": [], "people": [], "store": []}
    assert (await service.get_in(honest)).body == b"hello alice"


async def test_e21_fifty_connections_are_not_mixed_up(service: WireService) -> None:
    service.wire.to_the_front(service.number)
    lines: list[Line] = [service.wire.another() for _ in range(50)]
    for turn in range(4):
        for number, line in enumerate(lines):
            bearer = token(sub=f"user-{number}-{turn}")
            line.send(made("GET", "/x", headers={"authorization": f"Bearer {bearer}"})[0])
        bodies = [line.reply().body for line in lines]
        assert bodies == [f"hello user-{number}-{turn}".encode() for number in range(50)]
    for line in lines:
        line.close()


async def test_e16_e17_cors_outside(service: WireService) -> None:
    """A refusal can be read by the page that may read the rest; a preflight needs no token, another OPTIONS does."""
    origin = {"origin": "https://app.example.com"}
    asked = {"access-control-request-method": "DELETE", "access-control-request-headers": "authorization"}
    for path, code in (("/x", "token_missing"), ("/auth/sessions", "method_not_allowed")):
        assert_problem(await service.ask("OPTIONS", path, headers=asked), code)
        assert_problem(await service.ask("OPTIONS", path, headers=origin), code)
    passed = await service.ask("OPTIONS", "/x", headers=origin | asked)
    assert (passed.status, passed.body) == (200, b"hello anonymous"), "to whatever answers preflights inside"
    service.wire.ask("allow_reading", service.number, ["https://app.example.com"])
    for path in ("/x", "/auth/sessions"):
        refused = await service.ask("GET", path, headers=origin)
        assert_problem(refused, "token_missing")
        assert refused.one("access-control-allow-origin") == "https://app.example.com"
        preflight = await service.ask("OPTIONS", path, headers=origin | asked)
        assert (preflight.status, preflight.one("access-control-allow-origin")) == (200, "https://app.example.com")
    foreign = await service.ask("GET", "/x", headers={"origin": "https://evil.example"})
    assert_problem(foreign, "token_missing")
    assert foreign.one("access-control-allow-origin") is None


BELIEVES = {"uvicorn-h11": True, "uvicorn-httptools": True, "hypercorn": False, "granian": False}
"""Whether a server takes the word of a proxy on its own machine for where a request comes from, without being told."""


async def test_e11_whom_a_server_believes(service: WireService) -> None:
    """``trusted_proxies`` is ours; what a server has already put into the scope we cannot see through."""
    spoofed = {"x-forwarded-for": "198.51.100.9"}
    await service.login(headers=spoofed)
    line = service.wire.line("127.0.0.1")
    credentials = {"username": "bob", "password": "correct horse battery staple"}
    line.send(made("POST", "/auth/login", headers=spoofed, json_body=credentials)[0])
    assert line.reply().status == 200
    ips = {name: [one.device.ip for one in await service.issuer.sessions(name)] for name in ("alice", "bob")}
    believed = "198.51.100.9" if BELIEVES[service.wire.server] else "127.0.0.1"
    assert ips == {"alice": [CLIENT[0]], "bob": [believed]}


async def test_j01_nothing_of_a_token_in_the_log(service: WireService) -> None:
    """Of this session, and of all tests before it that used the server; the rest of them is looked at in the end."""
    tokens = await service.login()
    newer = await acknowledged(service, tokens)
    service.clock.advance(GRACE_OVER)
    assert_problem(await refresh(service, tokens), "refresh_invalid")
    await assert_dead(service, newer)
    service.store.failure = OSError("refused")
    assert_problem(await refresh(service, tokens), "store_unavailable")
    service.store.failure = None
    assert {tokens.access, tokens.refresh, newer.access, newer.refresh} <= service.wire.secrets
    log = assert_log_silent(service.wire)
    assert "reuse_detected" in log, "what is looked through is the log of the package, too"
    assert leaks(f"{log}\nGET /?{newer.access[20:40]}", service.wire.secrets)
    assert windows(newer.access[20:40])
