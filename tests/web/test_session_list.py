"""The list of sessions as a person reads it: which device, where, since when."""

from collections.abc import Callable
from dataclasses import replace
from threading import current_thread, main_thread

import pytest

from jwt_refresh_middleware import Device, DevicePolicy
from jwt_refresh_middleware.places import Location
from jwt_refresh_middleware.sessions import Session
from jwt_refresh_middleware.web import session_list

from .support import START, Service

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1"
)
BERLIN, SOMEWHERE = "203.0.113.7", "2001:db8::1"


class Atlas:
    """A locator that knows two addresses, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def locate(self, ip: str) -> Location | None:
        self.asked.append(ip)
        if ip == BERLIN:
            return Location(latitude=52.5, longitude=13.4, city="Berlin", country="DE")
        return Location(latitude=0, longitude=0) if ip == SOMEWHERE else None


@pytest.fixture
def atlas() -> Atlas:
    return Atlas()


@pytest.fixture
def service(make_service: Callable[..., Service], atlas: Atlas) -> Service:
    return make_service(issuer={"locator": atlas})


async def listed(service: Service, **headers: str) -> list[dict[str, object]]:
    sessions: list[dict[str, object]] = (await service.ask("GET", "/auth/sessions", headers=headers)).json()["sessions"]
    return sessions


def a_session(number: int, **changes: object) -> Session:
    session = Session(
        id=f"s{number}",
        subject="alice",
        created_at=START,
        last_used_at=START + number,
        expires_at=START + 1e6,
        ends_at=START + 1e6,
        device=Device(ip=BERLIN, user_agent=f"app{number}/1"),
    )
    return replace(session, **changes)  # type: ignore[arg-type]


async def test_every_member(service: Service) -> None:
    tokens = await service.login(headers={"user-agent": FIREFOX}, client=(BERLIN, 1))
    (session,) = await listed(service, **tokens.bearer)
    assert list(session.items()) == [
        ("id", service.issuer.verifier.verify(tokens.access).session_id),
        ("created_at", "2027-01-15T08:00:00Z"),
        ("last_used_at", "2027-01-15T08:00:00Z"),
        ("expires_at", "2027-01-22T08:00:00Z"),
        ("authenticated_at", "2027-01-15T08:00:00Z"),
        ("ip", BERLIN),
        ("user_agent", FIREFOX),
        ("device", "Firefox on Linux"),
        ("place", "Berlin, DE"),
        ("step_up", False),
        ("current", True),
    ]


async def test_each_session_has_its_own_device_and_place(service: Service, atlas: Atlas) -> None:
    await service.login(headers={"user-agent": IPHONE}, client=("192.0.2.9", 1))
    await service.login(headers={"user-agent": "curl/8.11"}, client=(SOMEWHERE, 1))
    await service.issuer.login("alice")
    await service.login("bob", headers={"user-agent": FIREFOX}, client=(BERLIN, 1))
    tokens = await service.login(headers={"user-agent": FIREFOX}, client=(BERLIN, 1))
    sessions = await listed(service, **tokens.bearer)
    assert sorted(atlas.asked) == ["192.0.2.9", SOMEWHERE, BERLIN]  # of the session without an address, nothing
    assert {(one["device"], one["place"], one["current"]) for one in sessions} == {
        ("Firefox on Linux", "Berlin, DE", True),
        ("Safari on iPhone", None, False),  # the address is unknown
        ("curl", None, False),  # coordinates without a name
        (None, None, False),  # neither agent nor address
    }
    assert len(sessions) == 4


async def test_nobody_knows_a_place_without_a_locator(make_service: Callable[..., Service]) -> None:
    service = make_service()
    tokens = await service.login(headers={"user-agent": FIREFOX}, client=(BERLIN, 1))
    (session,) = await listed(service, **tokens.bearer)
    assert (session["device"], session["place"]) == ("Firefox on Linux", None)


async def test_the_place_is_the_last_one(service: Service) -> None:
    tokens = await service.login(client=("192.0.2.9", 1), headers={"user-agent": FIREFOX})
    moved = service.tokens(
        await service.post("refresh", headers={**tokens.by_cookie, "user-agent": FIREFOX}, client=(BERLIN, 1))
    )
    (session,) = await listed(service, **moved.bearer)
    assert (session["ip"], session["place"]) == (BERLIN, "Berlin, DE")


async def test_what_a_refresh_leaves_and_a_step_up_moves(service: Service) -> None:
    tokens = await service.login()
    service.clock.advance(60)
    tokens = service.tokens(await service.post("refresh", headers=tokens.by_cookie))
    (session,) = await listed(service, **tokens.bearer)
    assert (session["last_used_at"], session["authenticated_at"]) == ("2027-01-15T08:01:00Z", "2027-01-15T08:00:00Z")
    service.clock.advance(60)
    await service.issuer.confirm(str(session["id"]))
    (session,) = await listed(service, **tokens.bearer)
    assert session["authenticated_at"] == "2027-01-15T08:02:00Z"


async def test_a_session_that_has_to_prove_itself_is_marked(make_service: Callable[..., Service]) -> None:
    service = make_service(issuer={"device_policy": DevicePolicy(concurrent_networks="step_up")})
    here = await service.login(client=(BERLIN, 1))
    there = await service.login(client=(SOMEWHERE, 1))
    sessions = await listed(service, **here.bearer)
    doubted = service.issuer.verifier.verify(there.access).session_id
    assert {one["id"]: one["step_up"] for one in sessions} == {one["id"]: one["id"] == doubted for one in sessions}
    assert len(sessions) == 2


async def test_camel_case(make_service: Callable[..., Service], atlas: Atlas) -> None:
    service = make_service(issuer={"locator": atlas}, field_case="camel")
    tokens = await service.login(headers={"user-agent": FIREFOX}, client=(BERLIN, 1))
    (session,) = await listed(service, **tokens.bearer)
    expected = {"authenticatedAt": "2027-01-15T08:00:00Z", "device": "Firefox on Linux", "place": "Berlin, DE"}
    assert {name: session[name] for name in expected} == expected
    assert session["stepUp"] is False


async def test_markup_stays_text(service: Service) -> None:
    tokens = await service.login(headers={"user-agent": "<script>alert(1)<!--"})
    reply = await service.ask("GET", "/auth/sessions", headers=tokens.bearer)
    assert reply.json()["sessions"][0]["device"] == "<script>alert(1)<!--"
    assert reply.one("content-type") == "application/json"  # which no browser reads as a page


async def test_one_call_of_the_store_and_one_question_for_each_session(service: Service, atlas: Atlas) -> None:
    for _ in range(3):
        tokens = await service.login(client=(BERLIN, 1))
    service.store.calls.clear()
    atlas.asked.clear()
    assert len(await listed(service, **tokens.bearer)) == 3
    assert (service.store.calls, atlas.asked) == (["sessions"], [BERLIN] * 3)


async def test_only_those_used_last_are_described(atlas: Atlas) -> None:
    sessions = [a_session(number, created_at=START - number) for number in range(150)]
    sessions.reverse()
    described = await session_list.shown(sessions, current="s149", locator=atlas)
    assert [one["id"] for one in described] == [session.id for session in sessions]
    expected = [f"app{number}" if number >= 50 else None for number in range(149, -1, -1)]
    assert [one["device"] for one in described] == expected
    assert [one["place"] for one in described] == [label and "Berlin, DE" for label in expected]
    assert len(atlas.asked) == 100


async def test_labels_are_made_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def label(_user_agent: str | None) -> str:
        threads.append(current_thread())
        return "label"

    monkeypatch.setattr(session_list, "device_label", label)
    (described,) = await session_list.shown([a_session(1)], current=None, locator=None)
    assert described["device"] == "label"
    assert len(threads) == 1 and threads[0] is not main_thread()
