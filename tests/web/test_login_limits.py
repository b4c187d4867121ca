"""Guessing passwords over HTTP: what is counted, what is answered, what is told."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from jwt_refresh_middleware import Identity, Issuer, JWTRefreshMiddleware, MemoryStore
from jwt_refresh_middleware.errors import InvalidCredentials, RateLimited, SessionLimit, StoreUnavailable
from jwt_refresh_middleware.events import LoginFailed, RateLimitReached, StoreFailed
from jwt_refresh_middleware.login_limits import LoginLimits
from jwt_refresh_middleware.sessions import Device
from jwt_refresh_middleware.testing import Clock

from ..kinds import Servers
from ..servers import free_port
from .asgi import CLIENT, Reply
from .support import PASSWORD, SECRET, Service, check_password

HERE = {"client": CLIENT}
WRONG = {"username": "alice", "password": "wrong"}
RIGHT = {"username": "alice", "password": PASSWORD}


def elsewhere(number: int) -> dict[str, Any]:
    """Another address each."""
    return {"client": (f"198.51.{number // 256}.{number % 256}", 4711)}


@dataclass
class Asked:
    """``authenticate``, which notes what it was asked."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    failure: BaseException | None = None
    delay: Callable[[], Any] | None = None

    async def __call__(self, credentials: dict[str, Any]) -> Identity | str | None:
        self.calls.append(credentials)
        if self.delay is not None:
            await self.delay()
        if self.failure is not None:
            raise self.failure
        return await check_password(credentials)


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("limits.aio.storage.redis.redispy", "jwt_refresh_middleware.shared_windows"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(time=clock))
    return clock


@pytest.fixture(params=["memory", "redis"])
def storage(request: pytest.FixtureRequest, servers: Servers) -> str:
    if request.param == "memory":
        return "memory://"
    if reason := Servers.missing("redis"):
        pytest.skip(reason)
    url = servers.url("redis").rstrip("/") + "/7"
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
async def guarded(make_service: Any, asked: Asked, clock: Clock, storage: str) -> Any:
    """A service with the limits that are the default."""
    limits = LoginLimits(storage=storage, clock=clock)
    yield make_service(authenticate=asked, login_limits=limits)
    await limits.aclose()


@pytest.fixture
def in_memory(make_service: Any, asked: Asked, clock: Clock) -> Callable[..., Service]:
    def make(**options: Any) -> Service:
        return make_service(authenticate=asked, login_limits=LoginLimits(clock=clock, **options))

    return make


async def guess(service: Service, times: int = 1, credentials: Any = WRONG, **request: Any) -> list[Reply]:
    return [await service.post("login", json_body=credentials, **(HERE | request)) for _ in range(times)]


def statuses(replies: list[Reply]) -> list[int]:
    return [reply.status for reply in replies]


def limited(replies: list[Reply], retry_after: int) -> None:
    for reply in replies:
        assert (reply.status, reply.code) == (429, "rate_limited")
        assert reply.json() | {"detail": "", "title": ""} == {
            "type": "https://jwt-refresh-middleware.readthedocs.io/errors/#rate_limited",
            "title": "",
            "status": 429,
            "code": "rate_limited",
            "detail": "",
            "action": "retry",
            "error": "temporarily_unavailable",
        }
        assert reply.one("retry-after") == str(retry_after)
        assert reply.one("cache-control") == "no-store"
        assert reply.all("set-cookie") == [] and reply.one("www-authenticate") is None


async def test_the_sixth_guess_is_not_looked_at(guarded: Service, asked: Asked) -> None:
    replies = await guess(guarded, 8)
    assert statuses(replies) == [401] * 5 + [429] * 3
    limited(replies[5:], 900)
    assert len(asked.calls) == 5
    assert statuses(await guess(guarded, 1, RIGHT)) == [429], "the right password says no more than a wrong one"
    assert len(asked.calls) == 5


async def test_from_another_address_neither(guarded: Service, asked: Asked) -> None:
    replies = [(await guess(guarded, 1, **elsewhere(number)))[0] for number in range(9)]
    assert statuses(replies) == [401] * 5 + [429] * 4
    limited(replies[5:], 900)
    assert len(asked.calls) == 5


async def test_other_accounts_are_unaffected(guarded: Service) -> None:
    await guess(guarded, 9)
    assert (await guarded.login("bob")).access
    assert (await guarded.login("carol")).access


async def test_the_wait_is_exact(guarded: Service, clock: Clock) -> None:
    await guess(guarded, 1)
    clock.advance(100)
    await guess(guarded, 4)
    clock.advance(50.25)
    limited(await guess(guarded, 2), 750)
    clock.advance(749.7)
    limited(await guess(guarded, 1), 1)
    clock.advance(0.1)
    assert statuses(await guess(guarded, 2)) == [401, 429], "one is over, so one is let in"
    limited(await guess(guarded, 1), 100)
    clock.advance(100.1)
    assert statuses(await guess(guarded, 1, RIGHT)) == [200]


async def test_a_success_clears_the_account(guarded: Service) -> None:
    for _ in range(3):
        assert statuses(await guess(guarded, 4)) == [401] * 4
        assert statuses(await guess(guarded, 1, RIGHT)) == [200]
    assert statuses(await guess(guarded, 6)) == [401] * 5 + [429]


async def test_but_not_the_address(guarded: Service, asked: Asked) -> None:
    """Who has an account of their own could guess on for ever otherwise."""
    replies = []
    for number in range(30):
        replies += await guess(guarded, 1, {"username": f"user-{number}", "password": "1234"})
        if number % 3 == 0 and replies[-1].status == 401:
            assert statuses(await guess(guarded, 1, RIGHT)) == [200]
    assert statuses(replies) == [401] * 20 + [429] * 10
    limited(replies[20:], 900)
    assert statuses(await guess(guarded, 1, RIGHT)) == [429]
    assert statuses(await guess(guarded, 1, RIGHT, **elsewhere(1))) == [200]
    assert len(asked.calls) == 28


async def test_successes_do_not_count(guarded: Service) -> None:
    for number in range(30):
        assert (await guarded.login(("alice", "bob", "carol")[number % 3])).access


async def test_every_address_of_a_64_is_one(guarded: Service) -> None:
    replies = []
    for number in range(22):
        credentials = {"username": f"user-{number}", "password": "1234"}
        replies += await guess(guarded, 1, credentials, client=(f"2001:db8::{number:x}", 1))
    assert statuses(replies) == [401] * 20 + [429] * 2
    assert statuses(await guess(guarded, 1, client=("2001:db8:0:1::1", 1))) == [401]


async def test_a_refused_guess_counts_for_nobody(guarded: Service, clock: Clock) -> None:
    """A limited address must not use up the accounts of others, nor a limited account its visitors' addresses."""
    for number in range(20):
        await guess(guarded, 1, {"username": f"user-{number}", "password": "1234"})
    assert statuses(await guess(guarded, 9)) == [429] * 9
    assert statuses(await guess(guarded, 6, **elsewhere(1))) == [401] * 5 + [429]
    assert statuses(await guess(guarded, 40, **elsewhere(2))) == [429] * 40
    assert statuses(await guess(guarded, 1, {"username": "bob", "password": "x"}, **elsewhere(2))) == [401]


async def test_two_hundred_guesses_at_once(guarded: Service, asked: Asked) -> None:
    asked.delay = lambda: asyncio.sleep(0.05)
    posts = (guarded.post("login", json_body=WRONG, **elsewhere(number)) for number in range(200))
    replies = await asyncio.gather(*posts)
    assert sorted(statuses(replies)) == [401] * 5 + [429] * 195
    assert len(asked.calls) == 5
    assert statuses(await guess(guarded, 3)) == [429] * 3


async def test_two_hundred_accounts_at_once_from_one_address(guarded: Service, asked: Asked) -> None:
    asked.delay = lambda: asyncio.sleep(0.05)
    guesses = ({"username": f"user-{number}", "password": "1234"} for number in range(200))
    replies = await asyncio.gather(*(guarded.post("login", json_body=one) for one in guesses))
    assert sorted(statuses(replies)) == [401] * 20 + [429] * 180
    assert len(asked.calls) == 20


async def test_who_came_too_soon_after_others_is_told_to_wait_a_second(
    in_memory: Callable[..., Service], asked: Asked
) -> None:
    """Thirty people log in at nine o'clock, from one office: what is under way is no failure yet."""
    service, go_on = in_memory(), asyncio.Event()
    asked.delay = go_on.wait
    people = [asyncio.create_task(service.post("login", json_body=RIGHT)) for _ in range(5)]
    while len(asked.calls) < 5:
        await asyncio.sleep(0)
    limited(await guess(service, 2, RIGHT), 1)
    go_on.set()
    assert statuses(await asyncio.gather(*people)) == [200] * 5
    assert statuses(await guess(service, 1, RIGHT)) == [200]


async def test_forms_count_as_json_does(guarded: Service, asked: Asked) -> None:
    replies = [await guarded.post("login", form=WRONG) for _ in range(3)] + await guess(guarded, 3)
    assert statuses(replies) == [401] * 5 + [429]
    limited([await guarded.post("login", form=RIGHT)], 900)
    assert len(asked.calls) == 5


async def test_whatever_names_the_account_names_it(guarded: Service, asked: Asked) -> None:
    spellings = ["alice", "ALICE", " Alice ", "\uff41lice", "alice\n"]
    replies = [(await guess(guarded, 1, {"username": spelling}))[0] for spelling in spellings]
    assert statuses(replies) == [401] * 5
    limited(await guess(guarded, 1, {"email": "alice"}), 900)
    limited(await guess(guarded, 1, {"username": "made-up", "email": "alice"}), 900)
    limited(await guess(guarded, 1, {"username": 0, "name": "Alice"}), 900)


async def test_a_login_of_ones_own_does_not_clear_somebody_elses(guarded: Service) -> None:
    """The attacker's own name in one field, the victim's in another that ``authenticate`` does not look at."""
    for number in range(5):
        assert statuses(await guess(guarded, 1, {"username": "bob"}, **elsewhere(number))) == [401]
        own = RIGHT | {"email": "bob"}
        assert statuses(await guess(guarded, 1, own)) == [[200], [200], [200], [200], [429]][number]
    assert statuses(await guess(guarded, 1, {"username": "bob", "password": PASSWORD})) == [429]


@pytest.mark.parametrize("odd", [["alice"], {"a": 1}, 1.5, True, [[]], "\x00", "x" * 60_000, -5, "\U0001f600"])
async def test_odd_names_are_counted_and_break_nothing(
    in_memory: Callable[..., Service], asked: Asked, odd: Any
) -> None:
    service = in_memory()
    replies = await guess(service, 7, {"username": odd, "password": "x"})
    assert statuses(replies) == [401] * 5 + [429] * 2
    assert statuses(await guess(service, 1, RIGHT)) == [200]


async def test_lists_of_all_kinds_are_one_account(in_memory: Callable[..., Service], asked: Asked) -> None:
    service = in_memory()
    replies = [(await guess(service, 1, {"username": ["alice", number]}))[0] for number in range(7)]
    assert statuses(replies) == [401] * 5 + [429] * 2


@pytest.mark.parametrize("body", [b'{"username": "\\ud800"}', b"[]", b'{"username": "a", "username": "b"}', b"", b"{"])
async def test_what_cannot_be_read_is_no_attempt(in_memory: Callable[..., Service], asked: Asked, body: bytes) -> None:
    service = in_memory(per_address=(1, 900))
    for _ in range(3):
        reply = await service.post("login", body=body, headers={"content-type": "application/json"})
        assert (reply.status, asked.calls) == (400, [])
    cross = await service.post("login", json_body=WRONG, headers={"origin": "https://evil.example"})
    assert cross.status == 403
    assert statuses(await guess(service, 1, RIGHT)) == [200]


async def test_without_a_name_the_address_is_limited(in_memory: Callable[..., Service], asked: Asked) -> None:
    assert statuses(await guess(in_memory(), 22, {"pin": "1234"})) == [401] * 20 + [429] * 2


async def test_a_socket_without_an_address_is_limited_by_account(
    in_memory: Callable[..., Service], asked: Asked
) -> None:
    service = in_memory(per_address=(2, 900))
    assert statuses(await guess(service, 6, client=None)) == [401] * 5 + [429]
    assert statuses(await guess(service, 3, {"username": "bob"}, client=None)) == [401] * 3


async def test_the_address_behind_a_trusted_proxy_is_what_counts(make_service: Any, clock: Clock) -> None:
    limits = LoginLimits(per_account=None, per_address=(2, 900), clock=clock)
    service = make_service(login_limits=limits, trusted_proxies=["10.0.0.0/8"])
    proxy: dict[str, Any] = {"client": ("10.0.0.1", 1)}
    one, two = {"x-forwarded-for": "198.51.100.1"}, {"x-forwarded-for": "198.51.100.2"}
    assert statuses(await guess(service, 3, headers=one, **proxy)) == [401, 401, 429]
    assert statuses(await guess(service, 3, headers=two, **proxy)) == [401, 401, 429]
    made_up = [{"x-forwarded-for": f"7.7.7.{number}, 198.51.100.1"} for number in range(3)]
    assert [(await guess(service, 1, headers=one, **proxy))[0].status for one in made_up] == [429] * 3
    direct = [{"x-forwarded-for": f"7.7.7.{number}"} for number in range(3)]
    assert [(await guess(service, 1, headers=one))[0].status for one in direct] == [401, 401, 429]


async def test_an_unknown_account_gets_the_same_answers_in_the_same_way(guarded: Service, asked: Asked) -> None:
    known = await guess(guarded, 7)
    calls = len(asked.calls)
    unknown = await guess(guarded, 7, WRONG | {"username": "nobody"})
    assert unknown == known
    assert len(asked.calls) == 2 * calls == 10
    assert await guarded.event_names() == (["login_failed"] * 5 + ["rate_limited"] * 2) * 2
    assert [type(event) for event in guarded.events[:7]] == [type(event) for event in guarded.events[7:]]


async def test_one_event_each(in_memory: Callable[..., Service], asked: Asked) -> None:
    service = in_memory(per_account=(2, 900), per_address=(4, 600))
    device = Device(ip=CLIENT[0], user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    at = service.clock.now
    failed = LoginFailed(at=at, device=device)
    reached = [RateLimitReached(at=at, device=device, what=what) for what in ("account", "address")]
    await guess(service, 3)
    await guess(service, 3, WRONG | {"username": "bob"})
    await service.event_names()
    assert service.events == [failed, failed, reached[0], failed, failed, reached[1], reached[0]]


async def test_the_longer_wait_is_told(in_memory: Callable[..., Service], asked: Asked, clock: Clock) -> None:
    service = in_memory(per_account=(2, 900), per_address=(2, 600))
    limited((await guess(service, 3))[2:], 900)
    limited(await guess(service, 1, WRONG | {"username": "bob"}), 600)
    limited(await guess(service, 1, **elsewhere(1)), 900)


async def test_a_limit_that_is_over_by_now_was_reached(
    in_memory: Callable[..., Service], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = in_memory(per_account=(1, 900))
    await guess(service, 1)

    async def over(*_: Any) -> float:
        return 0

    monkeypatch.setattr("jwt_refresh_middleware.attempts.MemoryWindow.wait", over)
    limited(await guess(service, 1), 1)
    assert await service.event_names() == ["login_failed", "rate_limited"]
    assert service.events[-1].what == "account"


async def test_a_failed_login_is_told_with_its_address(guarded: Service) -> None:
    await guess(guarded, 1, **elsewhere(5))
    assert await guarded.event_names() == ["login_failed"]
    assert guarded.events[0].device.ip == "198.51.0.5"


async def test_the_log_is_not_flooded(
    in_memory: Callable[..., Service], asked: Asked, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monotonic = Clock()
    monkeypatch.setattr("jwt_refresh_middleware.web.throttle.time", SimpleNamespace(monotonic=monotonic))
    service = in_memory(per_address=(8, 900))
    with caplog.at_level(logging.WARNING, logger="jwt_refresh_middleware"):
        await guess(service, 100)
        assert len(caplog.records) == 1
        monotonic.advance(9.5)
        await guess(service, 10)
        assert len(caplog.records) == 1
        await guess(service, 50, {"username": "bob"})
        assert len(caplog.records) == 2, "an address is another thing than an account"
        monotonic.advance(0.5)
        await guess(service, 50, **elsewhere(1))
        assert len(caplog.records) == 3
    assert (await service.event_names()).count("rate_limited") > 190
    assert "alice" not in caplog.text and "wrong" not in caplog.text


@pytest.mark.parametrize("failure", [ConnectionError("the user database"), StoreUnavailable(), RateLimited()])
async def test_an_outage_of_the_user_database_shuts_nobody_out(
    guarded: Service, asked: Asked, failure: Exception
) -> None:
    await guess(guarded, 4)
    asked.failure = failure
    for _ in range(30):
        if isinstance(failure, ConnectionError):
            with pytest.raises(ConnectionError):
                await guess(guarded, 1)
        else:
            assert (await guess(guarded, 1))[0].code == failure.code  # type: ignore[attr-defined]
    asked.failure = None
    assert statuses(await guess(guarded, 2)) == [401, 429], "nor does it forget what was counted before"


@pytest.mark.parametrize("refusal", [InvalidCredentials(), SessionLimit()])
async def test_a_refusal_that_is_raised_counts(
    in_memory: Callable[..., Service], asked: Asked, refusal: Exception
) -> None:
    service = in_memory()
    asked.failure = refusal
    replies = await guess(service, 7)
    assert [reply.code for reply in replies] == [refusal.code] * 5 + ["rate_limited"] * 2  # type: ignore[attr-defined]
    expected = 5 if isinstance(refusal, InvalidCredentials) else 0
    assert (await service.event_names()).count("login_failed") == expected


async def test_a_guess_that_is_cancelled_counts(in_memory: Callable[..., Service], asked: Asked) -> None:
    """Some servers cancel the request of a client that is gone, which may know by then."""
    service, never = in_memory(), asyncio.Event()
    asked.delay = never.wait
    for number in range(5):
        task = asyncio.create_task(service.post("login", json_body=WRONG))
        while len(asked.calls) <= number:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    limited(await guess(service, 1), 900)


@pytest.mark.parametrize("verb", ["take", "wait"])
async def test_without_the_storage_nobody_is_asked(
    in_memory: Callable[..., Service],
    asked: Asked,
    verb: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = in_memory()
    await guess(service, 5)

    async def fails(*_: Any) -> Any:
        raise ConnectionError("no route")

    monkeypatch.setattr(f"jwt_refresh_middleware.attempts.MemoryWindow.{verb}", fails)
    replies = await guess(service, 10, RIGHT)
    assert [(reply.status, reply.code) for reply in replies] == [(503, "store_unavailable")] * 10
    assert {reply.one("retry-after") for reply in replies} == {"1"}
    assert len(asked.calls) == 5
    lines = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == ["the storage of login limits failed: ConnectionError: no route"]
    assert (await service.event_names())[5:] == ["store_unavailable"] * 10
    assert service.events[-1] == StoreFailed(at=service.clock.now, cause="ConnectionError")


@pytest.mark.parametrize("verb", ["clear", "give_back"])
async def test_what_cannot_be_given_back_does_not_undo_a_login(
    in_memory: Callable[..., Service], asked: Asked, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = in_memory()

    async def fails(*_: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(f"jwt_refresh_middleware.attempts.MemoryWindow.{verb}", fails)
    assert statuses(await guess(service, 1, RIGHT)) == [200]
    assert await service.event_names() == ["store_unavailable", "session_started"]


async def test_an_account_that_cannot_be_counted_gives_the_address_back(
    in_memory: Callable[..., Service], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = in_memory(per_address=(1, 900))
    limit = service.app._tokens.throttle._limits._accounts._window  # type: ignore[union-attr]

    async def fails(_: str) -> bool:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(limit, "take", fails)
        assert statuses(await guess(service, 3)) == [503] * 3
    assert statuses(await guess(service, 1)) == [401]


async def test_a_redis_that_is_away(make_service: Any, asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    limits = LoginLimits(storage=url, timeout=0.5)
    service = make_service(authenticate=asked, login_limits=limits)
    assert [reply.code for reply in await guess(service, 3)] == ["store_unavailable"] * 3
    assert asked.calls == []
    assert "alice" not in caplog.text and "hunter2" not in caplog.text and CLIENT[0] not in caplog.text
    await limits.aclose()


async def test_a_redis_that_does_not_answer(make_service: Any, asked: Asked) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        limits = LoginLimits(storage=url, timeout=0.1)
        service = make_service(authenticate=asked, login_limits=limits)
        async with asyncio.timeout(5):
            assert [reply.code for reply in await guess(service, 2)] == ["store_unavailable"] * 2
        assert asked.calls == []
        await limits.aclose()


async def test_two_processes_that_share_redis_count_together(
    make_service: Any, asked: Asked, clock: Clock, storage: str
) -> None:
    if storage == "memory://":
        return
    limits = [LoginLimits(storage=storage) for _ in range(2)]
    one, two = (make_service(authenticate=asked, login_limits=each) for each in limits)
    asked.delay = lambda: asyncio.sleep(0.05)
    posts = ((one, two)[n % 2].post("login", json_body=WRONG, **elsewhere(n)) for n in range(40))
    assert sorted(statuses(await asyncio.gather(*posts))) == [401] * 5 + [429] * 35
    assert len(asked.calls) == 5
    limited(await guess(two, 1), 900)
    with Redis.from_url(storage) as client:
        assert not [key for key in client.keys("*") if b"alice" in key or b"198" in key]
    for each in limits:
        await each.aclose()


async def test_the_middleware_closes_the_storage(clock: Clock) -> None:
    closed: list[bool] = []

    class Noted(LoginLimits):
        async def aclose(self) -> None:
            closed.append(True)

    issuer = Issuer(SECRET, MemoryStore())
    app = JWTRefreshMiddleware(Service().inner, issuer=issuer, authenticate=check_password, login_limits=Noted())
    coming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[str] = []

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert any(closed)


async def test_without_limits_nothing_is_limited(make_service: Any, asked: Asked) -> None:
    service = make_service(authenticate=asked)
    assert statuses(await guess(service, 60)) == [401] * 60
    assert len(asked.calls) == 60
    assert await service.event_names() == ["login_failed"] * 60


def test_limits_need_logins(make_service: Any) -> None:
    with pytest.raises(ValueError, match="login_limits"):
        make_service(authenticate=None, login_limits=LoginLimits())
