"""Group H: the life of a refresh token over HTTP, H01 to H13.

Every order of two requests, real stores and several processes are in ``tests/rotation``; what a store does to it is in
``test_h_stores.py``.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest

from jwt_refresh_middleware import DevicePolicy, Identity, MemoryStore
from jwt_refresh_middleware.events import ReuseDetected

from ..web.asgi import Reply
from ..web.problems import assert_problem, deletes_cookie
from ..web.support import START, Service, Tokens
from .attack import Target

MakeService = Callable[..., Service]
LEEWAY = 10.0
OTHER_BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"}
AT_ANY_SPEED = {"device_policy": DevicePolicy(refresh_rate=None)}


class Turns:
    """A store whose operations take turns of the event loop, so that requests overlap in them."""

    def __init__(self) -> None:
        self._store = MemoryStore()

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)

        async def call(*args: Any, **named: Any) -> Any:
            await asyncio.sleep(0)
            answer = await verb(*args, **named)
            await asyncio.sleep(0)
            return answer

        return call


async def renewed(service: Service, tokens: Tokens, **headers: str) -> Tokens:
    return service.tokens(await service.post("refresh", headers=tokens.by_cookie | headers))


async def line(service: Service, generations: int) -> list[Tokens]:
    """The tokens of a new session that was refreshed so often, all at one moment."""
    held = [await service.login()]
    for _ in range(generations):
        held.append(await renewed(service, held[-1]))
    return held


async def ends_the_session(target: Target, tokens: Tokens, **headers: str) -> None:
    """What is presented is refused, like anything made up, and the session is at its end: no further write follows."""
    reply = await target.attack(
        "refresh_invalid",
        method="POST",
        path="/auth/refresh",
        headers=tokens.by_cookie | headers,
        store=["advance", "revoke"],
    )
    assert deletes_cookie(reply)


async def nothing_lives(service: Service, held: Iterable[Tokens]) -> None:
    """The access tokens first: whoever asks for a refresh tells the issuer that the session is over."""
    held = list(held)
    for tokens in held:
        assert_problem(await service.get_in(tokens), "token_revoked")
    for tokens in held:
        assert_problem(await service.post("refresh", headers=tokens.by_cookie), "refresh_invalid")


async def generation(service: Service, tokens: Tokens) -> int:
    row = await service.issuer.session_of(tokens.refresh)
    assert row is not None
    return row.generation


async def test_h01_a_refresh_gives_new_tokens_and_spends_the_old_one(target: Target) -> None:
    service = target.service
    first = await service.login()
    second = await renewed(service, first)
    assert len({first.access, second.access}) == len({first.refresh, second.refresh}) == 2
    assert (await service.get_in(second)).body == b"hello alice"
    service.clock.advance(LEEWAY)
    await ends_the_session(target, first)


SPENT: dict[str, Callable[[Service, list[Tokens]], Awaitable[Any]]] = {
    "H02-its-successor-was-refreshed": lambda service, held: renewed(service, held[-1]),
    "H02-its-successor-was-used-and-the-leeway-is-over": lambda service, held: service.get_in(held[-1]),
}


@pytest.mark.parametrize("used", SPENT.values(), ids=SPENT)
async def test_a_spent_token_ends_everything_that_came_of_it(target: Target, used: Any) -> None:
    service = target.service
    held = await line(service, 1)
    newest = await used(service, held)
    held += [newest] if isinstance(newest, Tokens) else []
    service.clock.advance(LEEWAY)
    await ends_the_session(target, held[0])
    await nothing_lives(service, held)
    assert_problem(await service.post("refresh", headers=held[0].by_cookie), "refresh_invalid")
    names = Counter(await service.event_names())
    assert (names["reuse_detected"], names["revoked"]) == (1, 1), "one theft is told of once"
    (reuse,) = [event for event in service.events if isinstance(event, ReuseDetected)]
    told = (reuse.subject, reuse.session_id, reuse.presented, reuse.generation)
    assert told == ("alice", service.issuer.session_id_of(held[0].refresh), 0, len(held) - 1)


async def test_h03_within_the_leeway_the_answer_is_the_same_again(target: Target) -> None:
    service = target.service
    first, second = await line(service, 1)
    for _ in range(3):
        service.clock.advance(3)
        again = await renewed(service, first)
        assert (again.refresh, await generation(service, again)) == (second.refresh, 1)
    assert (await renewed(service, second)).refresh != second.refresh
    assert (await service.event_names())[-5:] == ["rotated", "repeated", "repeated", "repeated", "rotated"]


async def test_h04_the_leeway_is_for_one_generation(target: Target) -> None:
    held = await line(target.service, 2)
    await ends_the_session(target, held[0])
    await nothing_lives(target.service, held)


async def test_h05_the_leeway_is_for_one_device(target: Target) -> None:
    held = await line(target.service, 1)
    await ends_the_session(target, held[0], **OTHER_BROWSER)
    await nothing_lives(target.service, held)


async def test_h05_the_current_token_on_another_device_changes_nothing(target: Target) -> None:
    service = target.service
    _, current = await line(service, 1)
    before = await service.issuer.session_of(current.refresh)
    reply = await service.post("refresh", headers=current.by_cookie | OTHER_BROWSER)
    assert_problem(reply, "device_mismatch")
    assert reply.all("set-cookie") == []
    assert await service.issuer.session_of(current.refresh) == before
    assert (await renewed(service, current)).refresh != current.refresh


@pytest.mark.parametrize("seconds", [pytest.param(1, id="H06-at-once"), pytest.param(3600, id="H06-later")])
async def test_two_answers_to_one_token_are_one(target: Target, seconds: float) -> None:
    """Whichever of them the client has kept: none was displaced by the other."""
    service = target.service
    first = await service.login()
    lost = await renewed(service, first)
    service.clock.advance(seconds)
    kept = await renewed(service, first)
    assert kept.refresh == lost.refresh
    onwards = await renewed(service, lost)
    assert (await renewed(service, kept)).refresh == onwards.refresh
    assert await generation(service, onwards) == 2
    assert "reuse_detected" not in await service.event_names()


@pytest.mark.parametrize("how", [pytest.param(how, id=f"H07-{how}") for how in ("plain", "with-a-user-loader")])
async def test_fifty_at_once_are_one_rotation(make_service: MakeService, how: str) -> None:
    async def load(subject: str) -> Identity:
        await asyncio.sleep(0)
        return Identity(subject, ["read"])

    options = AT_ANY_SPEED | {"store": Turns()} | ({} if how == "plain" else {"load_identity": load})
    service = make_service(issuer=options)
    tokens = await service.login()
    for number in range(1, 6):
        replies = await asyncio.gather(*(service.post("refresh", headers=tokens.by_cookie) for _ in range(50)))
        assert {reply.status for reply in replies} == {200}
        answers = [service.tokens(reply) for reply in replies]
        assert (len({one.refresh for one in answers}), len({one.access for one in answers})) == (1, 50)
        assert {(await service.get_in(one)).status for one in answers} == {200}
        tokens = answers[-1]
        assert await generation(service, tokens) == number
    assert Counter(await service.event_names()) == {"session_started": 1, "rotated": 5, "repeated": 5 * 49}


async def race(service: Service, works: list[Awaitable[Reply]], held: list[Tokens]) -> None:
    """Do all of it at once; afterwards nothing lives that anybody held before or was given meanwhile."""
    replies = await asyncio.gather(*works)
    assert {reply.status for reply in replies} <= {200, 204, 401}
    given = [service.tokens(reply) for reply in replies if b"access_token" in reply.body]
    await nothing_lives(service, [*held, *given])
    assert await service.issuer.sessions("alice") == []


async def test_h08_a_refresh_and_a_logout_at_once(make_service: MakeService) -> None:
    service = make_service(issuer=AT_ANY_SPEED | {"store": Turns()})
    for position in range(6):
        held = await line(service, 1)
        works = [service.post("refresh", headers=held[-1].by_cookie) for _ in range(5)]
        works.insert(position, service.post("logout", headers=held[-1].by_cookie))
        await race(service, works, held)
    assert "reuse_detected" not in await service.event_names()


@pytest.mark.parametrize("thief", [{}, OTHER_BROWSER], ids=["H09-of-the-same-browser", "H09-of-another"])
@pytest.mark.parametrize("first", ["thief", "owner"])
async def test_an_old_token_and_the_current_one_at_once(
    make_service: MakeService, first: str, thief: dict[str, str]
) -> None:
    """The thief has one token of two generations ago, or of one, which is somebody else's browser then."""
    service = make_service(issuer=AT_ANY_SPEED | {"store": Turns()})
    for _ in range(5):
        held = await line(service, 1 if thief else 2)
        works = [
            service.post("refresh", headers=held[0].by_cookie | thief),
            service.post("refresh", headers=held[-1].by_cookie),
        ]
        await race(service, works if first == "thief" else works[::-1], held)
    names = Counter(await service.event_names())
    assert (names["reuse_detected"], names["revoked"]) == (5, 5)


@pytest.mark.parametrize("by", [pytest.param(number, id=f"H10-generation-{number}") for number in range(3)])
async def test_after_a_logout_with_any_generation(target: Target, by: int) -> None:
    service = target.service
    held = await line(service, 2)
    assert deletes_cookie(await service.post("logout", headers=held[by].by_cookie))
    await target.attack("token_revoked", headers=held[-1].bearer, reference=False)
    await nothing_lives(service, held)
    assert (await service.event_names()).count("reuse_detected") == 0


async def _everywhere(service: Service, tokens: Tokens) -> Reply:
    return await service.post("logout", headers=tokens.by_cookie, json_body={"all": True})


async def _all_others_and_this_one(service: Service, tokens: Tokens) -> Reply:
    """What a person does in a list of devices."""
    await service.ask("DELETE", "/auth/sessions", headers=tokens.bearer)
    own = service.issuer.session_id_of(tokens.refresh)
    return await service.ask("DELETE", f"/auth/sessions/{own}", headers=tokens.bearer)


async def _changed_password(service: Service, tokens: Tokens) -> Reply:
    """What an app does; the answer is only there to be one."""
    await service.issuer.logout_all("alice", reason="password changed")
    return await service.post("logout")


async def _by_an_admin(service: Service, tokens: Tokens) -> Reply:
    for session in await service.issuer.sessions("alice"):
        await service.issuer.revoke(session.id, reason="by an admin")
    return await service.post("logout")


ENDS = {
    "H11-logout-everywhere": _everywhere,
    "H11-list-of-devices": _all_others_and_this_one,
    "H11-password-changed": _changed_password,
    "H11-admin": _by_an_admin,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("position", [0, 10, 20])
async def test_all_sessions_end_during_twenty_refreshes(make_service: MakeService, end: Any, position: int) -> None:
    service = make_service(issuer=AT_ANY_SPEED | {"store": Turns()})
    held = [await service.login() for _ in range(5)]
    works = [service.post("refresh", headers=held[number % 5].by_cookie) for number in range(20)]
    works.insert(position, end(service, held[0]))
    await race(service, works, held)


class Accounts:
    """The app's: who exists, and how often that was asked."""

    def __init__(self) -> None:
        self.known = {"alice"}
        self.asked = 0

    async def __call__(self, subject: str) -> Identity | None:
        self.asked += 1
        return Identity(subject) if subject in self.known else None


async def test_h12_an_account_that_was_switched_off_refreshes_nothing(make_service: MakeService) -> None:
    """Not even the answer that it was given a moment before; switched on again it goes on."""
    accounts = Accounts()
    service = make_service(issuer={"load_identity": accounts})
    first, second = await line(service, 1)
    assert accounts.asked == 1
    accounts.known.clear()
    for tokens in (second, first):
        reply = await service.post("refresh", headers=tokens.by_cookie)
        assert_problem(reply, "refresh_invalid")
        assert reply.all("set-cookie") == []
    assert accounts.asked == 3
    accounts.known.add("alice")
    assert await generation(service, await renewed(service, second)) == 2
    assert accounts.asked == 4


async def test_h12_an_account_that_was_deleted_has_no_sessions_left(make_service: MakeService) -> None:
    accounts = Accounts()
    service = make_service(issuer={"load_identity": accounts})
    held = await line(service, 2)
    accounts.known.clear()
    await service.issuer.logout_all("alice", reason="account deleted")
    await nothing_lives(service, held)


SHORT = {"refresh_ttl": timedelta(days=7), "reauth_after": timedelta(days=30)}
DAY = 86_400.0


async def test_h13_no_refresh_moves_the_absolute_end(make_service: MakeService) -> None:
    """Neither a rotation nor the same answer again, at once and late."""
    service = make_service(issuer=SHORT)
    tokens = await service.login()
    for day in range(0, 28, 4):
        service.clock.advance(2 * DAY)
        await renewed(service, tokens)
        service.clock.advance(2 * DAY)
        tokens = await renewed(service, tokens)  # the answer before it was lost
        assert (await service.get_in(tokens)).status == 200
        row = await service.issuer.session_of(tokens.refresh)
        assert row is not None
        assert row.ends_at == START + 30 * DAY
        assert row.expires_at == START + min(day + 2 + 7, 30) * DAY
        assert (tokens.reply.one("set-cookie") or "").endswith(f"Max-Age={int(row.expires_at - service.clock())}")
    service.clock.now = START + 30 * DAY - 1
    last = await renewed(service, tokens)
    assert last.reply.json()["expires_in"] == 1, "no access token outlives its session"
    service.clock.advance(1)
    reply = await service.post("refresh", headers=last.by_cookie)
    assert_problem(reply, "refresh_expired")
    assert deletes_cookie(reply)
    assert_problem(await service.get_in(last), "token_expired")


async def test_h13_the_idle_end(make_service: MakeService) -> None:
    service = make_service(issuer=SHORT)
    tokens = await service.login()
    service.clock.advance(7 * DAY - 1)
    tokens = await renewed(service, tokens)
    service.clock.advance(7 * DAY)
    for _ in range(2):
        assert_problem(await service.post("refresh", headers=tokens.by_cookie), "refresh_expired")
    assert "reuse_detected" not in await service.event_names()
