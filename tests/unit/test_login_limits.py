"""Windows, in memory and in Redis; what a login counts for, and what cannot be configured."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from jwt_refresh_middleware.attempts import _MOST_KEYS, Limit, MemoryWindow, Window
from jwt_refresh_middleware.login_limits import LoginLimits, StepUpLimit
from jwt_refresh_middleware.shared_windows import SharedStorage, SharedWindow
from jwt_refresh_middleware.testing import Clock

from ..kinds import Servers

KEY, OTHER = "one", "another"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What both kinds of windows go by."""
    clock = Clock()
    for module in ("limits.aio.storage.redis.redispy", "jwt_refresh_middleware.shared_windows"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(time=clock))
    return clock


@pytest.fixture
def redis_url(servers: Servers) -> str:
    if reason := Servers.missing("redis"):
        pytest.skip(reason)
    url = servers.url("redis").rstrip("/") + "/7"
    with SyncRedis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(params=["memory", "redis"])
async def window(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Window]:
    """Three in ten seconds."""
    if request.param == "memory":
        yield MemoryWindow(3, 10, clock)
        return
    storage = SharedStorage(request.getfixturevalue("redis_url"), 5.0)
    yield SharedWindow("account", 3, 10, storage)
    await storage.aclose()


async def takes(window: Window, times: int, key: str = KEY) -> int:
    return sum([await window.take(key) for _ in range(times)])


async def test_so_many_and_no_more(window: Window) -> None:
    assert await takes(window, 5) == 3
    assert await takes(window, 5, OTHER) == 3


async def test_it_moves(window: Window, clock: Clock) -> None:
    assert await window.take(KEY)
    clock.advance(6)
    assert await takes(window, 3) == 2
    clock.advance(4.1)
    assert await takes(window, 3) == 1, "only the first is over: there is no edge after which all are let in again"
    clock.advance(6)
    assert await takes(window, 5) == 2
    clock.advance(100)
    assert await takes(window, 5) == 3


async def test_a_refusal_does_not_make_it_longer(window: Window, clock: Clock) -> None:
    assert await takes(window, 3) == 3
    clock.advance(9)
    assert await takes(window, 3) == 0
    clock.advance(1.1)
    assert await takes(window, 5) == 3


async def test_the_wait_is_that_of_the_oldest(window: Window, clock: Clock) -> None:
    assert await window.wait(KEY) == 0
    assert await window.take(KEY)
    clock.advance(2)
    assert await takes(window, 1) == 1
    assert await window.wait(KEY) == 0
    assert await takes(window, 1) == 1
    assert await window.wait(KEY) == pytest.approx(8, abs=0.01)
    clock.advance(7.5)
    assert await window.wait(KEY) == pytest.approx(0.5, abs=0.01)
    assert not await window.take(KEY)
    clock.advance(await window.wait(KEY) + 0.001)
    assert await window.wait(KEY) == 0
    assert await window.take(KEY)
    assert await window.wait(KEY) == pytest.approx(2, abs=0.01)
    assert await window.wait(OTHER) == 0


async def test_what_is_given_back_is_one(window: Window, clock: Clock) -> None:
    assert await takes(window, 3) == 3
    await window.give_back(KEY)
    assert await window.wait(KEY) == 0
    assert await takes(window, 2) == 1
    await window.give_back(OTHER)
    assert await takes(window, 4, OTHER) == 3, "there is no credit"
    for _ in range(9):
        await window.give_back(KEY)
    assert await takes(window, 4) == 3


async def test_the_newest_is_given_back(window: Window, clock: Clock) -> None:
    assert await takes(window, 2) == 2
    clock.advance(5)
    assert await takes(window, 1) == 1
    await window.give_back(KEY)
    assert await takes(window, 1) == 1
    assert await window.wait(KEY) == pytest.approx(5, abs=0.01)


async def test_clearing_forgets_all_of_one(window: Window) -> None:
    assert await takes(window, 3) == 3
    assert await takes(window, 3, OTHER) == 3
    await window.clear(KEY)
    assert await takes(window, 4) == 3
    assert await takes(window, 1, OTHER) == 0


async def test_two_hundred_at_once(window: Window) -> None:
    assert sum(await asyncio.gather(*(window.take(KEY) for _ in range(200)))) == 3


async def test_they_say_whether_they_are_shared_and_look_at_addresses(redis_url: str) -> None:
    alone, shared = LoginLimits(per_address=None), LoginLimits(storage=redis_url)
    assert [(one.is_shared, one.limits_addresses) for one in (alone, shared)] == [(False, False), (True, True)]
    await shared.aclose()


async def test_two_processes_share_one_in_redis(redis_url: str) -> None:
    storages = [SharedStorage(redis_url, 5.0) for _ in range(2)]
    windows = [SharedWindow("account", 3, 10, storage) for storage in storages]
    assert sum(await asyncio.gather(*(windows[n % 2].take(KEY) for n in range(60)))) == 3
    await windows[0].clear(KEY)
    assert await takes(windows[1], 5) == 3
    for storage in storages:
        await storage.aclose()


async def test_redis_forgets_by_itself(redis_url: str) -> None:
    storage = SharedStorage(redis_url, 5.0)
    await SharedWindow("address", 3, 10, storage).take(KEY)
    async with Redis.from_url(redis_url) as client:
        keys = await client.keys("*")
        assert keys == [b"jrm-limits:address/one/3/10/second"]
        assert 0 < await client.ttl(keys[0]) <= 10
    await storage.aclose()
    await storage.aclose()


def test_connections_of_a_loop_that_is_gone_are_left_behind(servers: Servers) -> None:
    if reason := Servers.missing("redis"):
        pytest.skip(reason)
    storage = SharedStorage(servers.url("redis").rstrip("/") + "/7", 5.0)
    window = SharedWindow("account", 1000, 10, storage)

    async def use() -> bool:
        taken = await window.take("loops")
        await storage.aclose()
        return taken

    assert [asyncio.run(use()) for _ in range(2)] == [True, True]


async def now(value: Callable[[], object]) -> object:
    return value()


def test_each_event_loop_has_connections_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = SharedStorage("redis://localhost", 5.0)
    made, closed = storage._storage, []

    async def aclose(*_: object) -> None:
        closed.append(True)

    monkeypatch.setattr("redis.asyncio.BlockingConnectionPool.aclose", aclose)
    asyncio.run(storage.aclose())
    assert closed == [], "nothing was opened"

    async def use() -> None:
        assert storage.get() is made
        assert storage.get() is made
        await storage.aclose()

    asyncio.run(use())
    assert closed == [True]
    other = asyncio.run(now(storage.get))
    assert other is not made
    asyncio.run(storage.aclose())
    assert closed == [True], "what another loop has opened is not closed from here"


async def test_memory_holds_no_more_than_it_may(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt_refresh_middleware.attempts._MOST_KEYS", 100)
    window = MemoryWindow(3, 10, clock)
    assert await takes(window, 3, "hammered") == 3
    for number in range(1000):
        assert await window.take(str(number))
        assert len(window) <= 100
        assert not await window.take("hammered"), "what is used is not forgotten"
    assert await window.wait("999") == 0
    assert len(window) == 100


async def test_a_million_names_are_forgotten_when_they_are_over(clock: Clock) -> None:
    assert _MOST_KEYS == 50_000
    window = MemoryWindow(3, 10, clock)
    for number in range(3000):
        assert await window.take(str(number))
        clock.advance(0.1)
        assert len(window) <= 101
    clock.advance(10)
    for number in range(100):
        assert await window.take(f"late {number}")
    assert len(window) == 100


async def test_what_is_just_over_is_forgotten_for_the_next(clock: Clock) -> None:
    window = MemoryWindow(3, 10, clock)
    assert await window.take(KEY)
    clock.advance(9)
    assert await window.take(OTHER)
    assert len(window) == 2
    clock.advance(1)
    assert await window.take("a third")
    assert len(window) == 2


async def test_a_key_with_nothing_left_takes_no_room(clock: Clock) -> None:
    window = MemoryWindow(3, 10, clock)
    assert await window.take(KEY)
    assert await window.take(OTHER)
    await window.give_back(KEY)
    await window.clear(OTHER)
    assert await window.wait("a third") == 0
    await window.give_back("a third")
    assert len(window) == 0


async def test_what_is_under_way_may_be_over_in_a_moment(clock: Clock) -> None:
    limit = Limit("account", MemoryWindow(2, 900, clock))
    assert await limit.begin(KEY)
    assert await limit.begin(KEY)
    assert not await limit.begin(KEY)
    assert await limit.wait(KEY) == 1
    limit.end(KEY)
    assert await limit.wait(KEY) == 1
    limit.end(KEY)
    assert await limit.wait(KEY) == 900
    clock.advance(0.5)
    assert await limit.wait(KEY) == 900
    clock.advance(898.6)
    assert await limit.wait(KEY) == 1
    assert await limit.wait(OTHER) == 0
    assert not limit._under_way


async def test_an_attempt_that_could_not_begin_is_not_under_way() -> None:
    class Broken(MemoryWindow):
        async def take(self, key: str) -> bool:
            raise ConnectionError

    limit = Limit("account", Broken(2, 900, Clock()))
    with pytest.raises(ConnectionError):
        await limit.begin(KEY)
    assert not limit._under_way


def counted(limits: LoginLimits | StepUpLimit, credentials: Any, ip: str | None = None) -> list[tuple[str, str, bool]]:
    return [(count.limit.what, count.key, count.clears) for count in limits.of_login(credentials, ip)]


def names(credentials: Any, **options: Any) -> set[str]:
    return {key for what, key, _ in counted(LoginLimits(**options), credentials) if what == "account"}


@pytest.mark.parametrize("field", ["username", "email", "login", "name"])
def test_one_spelling_for_an_account(field: str) -> None:
    spellings = ["Alice", " alice\n", "ALICE", "\uff21\uff4c\uff49\uff43\uff45", "\u3000alice", "Alice" + " " * 5000]
    assert len(set.union(*(names({field: spelling}) for spelling in spellings))) == 1
    assert len(names({field: "alice"}) | names({field: "alicia"}) | names({field: "al ice"})) == 3
    assert names({field: "stra\u00dfe"}) == names({field: "STRASSE"})
    assert names({field: 12345}) == names({field: "12345"})


def test_every_field_that_names_an_account_counts() -> None:
    """Whichever of them ``authenticate`` looks at: a made-up name beside it must not hide whose password is guessed."""
    both = counted(LoginLimits(), {"username": "made up", "email": "victim@example.com"})
    assert {key for _, key, _ in both} == names({"username": "made up"}) | names({"email": "victim@example.com"})
    assert [clears for _, _, clears in both] == [False, False], (
        "nor may a login of one's own clear somebody else's count"
    )
    assert [clears for _, _, clears in counted(LoginLimits(), {"username": "a", "email": "A"})] == [True]


@pytest.mark.parametrize("credentials", [{}, {"username": None}, {"username": ""}, {"phone": "123"}, {"Username": "a"}])
def test_without_a_name_only_the_address_counts(credentials: Any) -> None:
    assert [what for what, _, _ in counted(LoginLimits(), credentials, "1.2.3.4")] == ["address"]


def test_fields_that_are_never_there_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    limits = LoginLimits()
    assert counted(limits, {"username": "a"}) and not caplog.records
    assert [counted(limits, {"phone": "123 secret"}) for _ in range(3)] == [[], [], []]
    assert [record.message for record in caplog.records] == [
        "a login had none of the fields username, email, login, name: only its address is limited"
    ]
    assert (
        counted(LoginLimits(per_account=None), {"phone": "1"}) == counted(LoginLimits(account=lambda _: None), {}) == []
    )
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "odd", [["victim"], {"name": "victim"}, 1.5, True, False, [], {}, [[["victim"]]], " \t", "\u200a", [float("nan")]]
)
def test_what_is_no_name_is_one_account(odd: Any) -> None:
    assert names({"username": odd}) == names({"username": ["anything"]})
    assert len(names({"username": odd})) == 1


@pytest.mark.parametrize(
    "long", ["x" * 65_536, "\ufdfa" * 20_000, "\ud800", "\x00", "\U0001f600", "e" + "\u0301" * 30_000, 10**4000, -1, 0]
)
def test_any_text_and_number_will_do(long: Any) -> None:
    (key,) = names({"username": long})
    assert len(key) == 32
    assert key not in names({"username": "alice"}) | names({"username": []})


def test_fields_of_ones_own() -> None:
    assert names({"username": "a", "phone": "1"}, account=["phone"]) == names({"username": "1"})
    digits = {"account": lambda credentials: "".join(filter(str.isdigit, credentials.get("phone", ""))) or None}
    assert names({"phone": "+49 123"}, **digits) == names({"phone": "(49) 12-3"}, **digits) == names({"name": "49123"})
    assert names({"phone": "none"}, **digits) == names({}, **digits) == set()


def test_no_name_is_kept() -> None:
    """People type passwords into the wrong field."""
    everything = repr(LoginLimits().of_login({"username": "correct horse"}, "203.0.113.7"))
    everything += repr(LoginLimits().of_step_up("the-session-id", "203.0.113.7"))
    assert not any(word in everything for word in ("correct", "horse", "203", "the-session"))


def places(*ips: str | None) -> list[str]:
    return [key for ip in ips for what, key, _ in counted(LoginLimits(), {}, ip) if what == "address"]


def test_one_key_for_an_address() -> None:
    assert len(set(places("203.0.113.7", "::ffff:203.0.113.7", "::FFFF:CB00:7107"))) == 1
    assert len(set(places("203.0.113.7", "203.0.113.8", "203.0.112.7"))) == 3
    assert len(set(places("2001:db8::1", "2001:DB8:0:0:ffff::2", "2001:db8::1%eth0"))) == 1
    assert len(set(places("2001:db8::1", "2001:db8:0:1::1"))) == 2
    assert places(None, "") == []
    assert len(set(places("testclient", "no:address", "unix"))) == 3


def test_the_address_is_counted_first() -> None:
    counts = counted(LoginLimits(), {"username": "a"}, "1.2.3.4")
    assert [(what, clears) for what, _, clears in counts] == [("address", False), ("account", True)]


def test_each_limit_may_be_left_out() -> None:
    credentials = {"username": "a"}
    assert [what for what, *_ in counted(LoginLimits(per_account=None), credentials, "1.2.3.4")] == ["address"]
    assert [what for what, *_ in counted(LoginLimits(per_address=None), credentials, "1.2.3.4")] == ["account"]
    assert counted(LoginLimits(per_account=None, per_address=None), credentials, "1.2.3.4") == []


async def step_ups(limits: LoginLimits | StepUpLimit, session: str = "s", ip: str | None = None) -> int:
    """How many step-ups begin and fail."""
    begun = 0
    for _ in range(12):
        *_, count = limits.of_step_up(session, ip)
        assert (count.limit.what, count.clears) == ("step_up", True)
        if await count.limit.begin(count.key):
            count.limit.end(count.key)
            begun += 1
    return begun


async def test_step_ups_are_limited_by_session(clock: Clock) -> None:
    for limits in (StepUpLimit(clock), LoginLimits(clock=clock), LoginLimits(per_account=None, clock=clock)):
        assert [await step_ups(limits), await step_ups(limits), await step_ups(limits, "t")] == [5, 0, 5]
    clock.advance(901)
    assert await step_ups(limits) == 5
    assert await step_ups(LoginLimits(per_account=(2, 10), clock=clock)) == 2
    await limits.aclose()
    await StepUpLimit().aclose()


def test_a_step_up_counts_for_its_address_with_the_logins() -> None:
    limits = LoginLimits()
    address, session = limits.of_step_up("s", "1.2.3.4")
    assert address == limits.of_login({}, "1.2.3.4")[0]
    assert session.key != limits.of_step_up("t", None)[0].key
    assert StepUpLimit().of_login({"username": "a"}, "1.2.3.4") == []
    assert [count.key for count in StepUpLimit().of_step_up("s", "1.2.3.4")] == ["s"]


def test_one_in_a_second_is_the_least() -> None:
    assert len(counted(LoginLimits(per_account=(1, 1), per_address=(1, 1)), {"username": "a"}, "1.2.3.4")) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"per_account": (0, 900)},
        {"per_account": (5, 0)},
        {"per_account": (5, 0.5)},
        {"per_address": (5.0, 10)},
        {"per_address": (-1, 10)},
        {"per_address": (True, 10)},
        {"per_address": (1, 2, 3)},
        {"per_address": ()},
        {"storage": ""},
        {"storage": "memory"},
        {"storage": "memcached://localhost"},
        {"storage": "async+redis://localhost"},
        {"storage": "localhost:6379"},
        {"storage": "redis://localhost:port"},
    ],
)
def test_what_cannot_be_is_found_at_start_up(options: Any) -> None:
    with pytest.raises(ValueError):
        LoginLimits(**options)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "rediss://user:p%40ss@redis.internal:6380/3",
        "redis://[::1]:6379",
        "unix:///run/redis.sock?db=2",
        "redis://:secret@10.0.0.1/0?protocol=3",
    ],
)
async def test_every_url_of_the_client_will_do(url: str) -> None:
    limits = LoginLimits(storage=url)
    assert [what for what, *_ in counted(limits, {"username": "a"}, "1.2.3.4")] == ["address", "account"]
    assert "secret" not in repr(vars(limits))
    await limits.aclose()


def test_a_password_in_a_url_is_not_told() -> None:
    with pytest.raises(ValueError) as raised:
        LoginLimits(storage="postgresql://user:hunter2@localhost")
    assert "hunter2" not in str(raised.value)


def test_one_str_is_no_list_of_names() -> None:
    with pytest.raises(TypeError, match="list"):
        LoginLimits(account="username")


@pytest.mark.parametrize("library", ["limits", "redis.asyncio"])
def test_a_library_that_is_missing_is_named(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "jwt_refresh_middleware.shared_windows")
    with pytest.raises(ImportError, match=r"jwt-refresh-middleware\[limits,redis\]"):
        LoginLimits(storage="redis://localhost")
    assert counted(LoginLimits(), {"username": "a"}), "in memory it needs none"
