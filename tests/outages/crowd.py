"""Fifty clients that work all the time, and a monitor that notes what they are answered."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..rotation.support import Listener
from ..web.asgi import Reply, ask
from ..web.support import Tokens

CLIENTS = 50
SLACK = 1.0
"""Seconds beyond the store_timeout in which a 503 must have come."""
LONGEST_CALL, P99_CALL = 1.0, 0.5
_USE_EVERY = 0.04
_REFRESH_EVERY = (0.25, 0.5)
_TRY_AGAIN = 0.15
_TWO_TABS = 5
"""Every so manieth client refreshes in two tabs at once."""
_EVERYDAY = {"session_started", "rotated", "repeated", "late_repeated", "store_unavailable"}
_PATIENCE = 15.0
_SOON = 5.0

now = time.monotonic


async def until(condition: Callable[[], bool], what: str | Callable[[], str], seconds: float = _PATIENCE) -> float:
    """Wait for ``condition``; returns how long that took."""
    began = now()
    while not condition():
        assert now() - began < seconds, f"not within {seconds} s: {what if isinstance(what, str) else what()}"
        await asyncio.sleep(0.01)
    return now() - began


async def patiently(request: Callable[[], Awaitable[Reply]]) -> Reply:
    """The answer to ``request``, which is made again for a few seconds as long as the store is not there."""
    reply, end = await request(), now() + _SOON
    while reply.status == 503 and now() < end:
        await asyncio.sleep(_TRY_AGAIN)
        reply = await request()
    return reply


@dataclass(frozen=True, slots=True)
class Renewal:
    """One refresh that was answered."""

    began: float
    took: float
    status: int


class Pulse:
    """How long nothing at all ran in this process, at worst: what other programs on the machine cost, or starting one.

    A thread of its own notes it: an event loop that is held up by what runs in it holds up no other thread.
    """

    _BEAT = 0.01

    def __init__(self) -> None:
        self.missed = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._over.is_set():
            began = now()
            time.sleep(self._BEAT)
            self.missed = max(self.missed, now() - began - self._BEAT)

    async def stop(self) -> None:
        self._over.set()
        await asyncio.to_thread(self._thread.join)


class Monitor:
    """Everything that all clients were answered."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.calls: Counter[int] = Counter()
        self.waits: list[float] = []
        self.renewals: list[Renewal] = []
        self.successors: dict[str, set[str]] = {}
        self.wrong: list[str] = []

    def called(self, status: int, wait: float) -> None:
        self.calls[status] += 1
        self.waits.append(wait)

    def renewed(self, presented: str, reply: Reply, began: float) -> None:
        took = now() - began
        self.renewals.append(Renewal(began, took, reply.status))
        if reply.status == 200:
            self.successors.setdefault(presented, set()).add(Tokens(reply).refresh)
        else:
            self.refused("refresh", reply, took)

    def refused(self, what: str, reply: Reply, took: float) -> None:
        """What is not granted must be the 503 of the contract, in time."""
        retry_after = reply.one("retry-after")
        told = f"{what}: {reply.status} {reply.code} after {took:.2f} s, Retry-After {retry_after}"
        if (
            reply.status != 503
            or reply.code != "store_unavailable"
            or reply.json()["action"] != "retry"
            or retry_after is None
            or not retry_after.isdigit()
            or int(retry_after) < 1
        ):
            self.wrong.append(told)
        elif reply.all("set-cookie"):
            self.wrong.append(f"{told}, and the cookie was touched")
        elif took > self.timeout + SLACK:
            self.wrong.append(told)

    def worst(self, status: int) -> float:
        """The longest that a refresh with this answer took."""
        return max((renewal.took for renewal in self.renewals if renewal.status == status), default=0.0)

    def p99_call(self) -> float:
        return sorted(self.waits)[len(self.waits) * 99 // 100]


class Client:
    """Keeps one session: calls the protected route all the time, and refreshes now and then beside it."""

    def __init__(self, app: Any, name: str, monitor: Monitor, *, tabs: int = 1) -> None:
        self.app = app
        self.name = name
        self.monitor = monitor
        self.tabs = tabs
        self.renewed_at = 0.0
        self.refused_at = 0.0
        """When the last refresh was begun that was granted, and the last one that was not."""

    async def login(self) -> None:
        """All at once at the start, it may take longer than the timeout: then again, as anybody would."""
        reply = await patiently(lambda: ask(self.app, "POST", "/auth/login", json_body={"username": self.name}))
        self.tokens = Tokens(reply)

    async def call(self) -> Reply:
        return await ask(self.app, "GET", "/private", headers=self.tokens.bearer)

    async def post(self, route: str) -> Reply:
        return await ask(self.app, "POST", f"/auth/{route}", headers=self.tokens.by_cookie)

    async def use(self) -> None:
        """For ever. What is measured begins when the client wants to call: an event loop that stands still counts."""
        while True:
            due = now() + _USE_EVERY
            await asyncio.sleep(_USE_EVERY)
            reply = await self.call()
            self.monitor.called(reply.status, now() - due)

    async def refresh(self) -> bool:
        """Once, in every tab; whether a tab was granted new tokens."""
        began, presented = now(), self.tokens.refresh

        async def tab() -> Reply:
            reply = await self.post("refresh")
            self.monitor.renewed(presented, reply, began)
            return reply

        for reply in await asyncio.gather(*(tab() for _ in range(self.tabs))):
            if reply.status == 200:
                self.tokens = Tokens(reply)
                self.renewed_at = began
            else:
                self.refused_at = began
        return self.renewed_at == began

    async def keep_fresh(self, over: asyncio.Event) -> None:
        """Until it is over. On 503 the token is kept and tried again after a pause."""
        while not over.is_set():
            pause = random.uniform(*_REFRESH_EVERY) if self.renewed_at >= self.refused_at else _TRY_AGAIN
            await asyncio.sleep(pause)
            await self.refresh()


class Crowd:
    """All clients of one app, and one more who logs out during the outage."""

    def __init__(self, app: Any, listener: Listener, *, timeout: float, clients: int = CLIENTS) -> None:
        self.listener = listener
        self.monitor = Monitor(timeout)
        tabs = [2 if number % _TWO_TABS == 0 else 1 for number in range(clients)]
        self.clients = [Client(app, f"user-{n}", self.monitor, tabs=tabs[n]) for n in range(clients)]
        self.leaver = Client(app, "leaver", self.monitor)
        self.recovery = 0.0
        self.pulse = Pulse()
        self._over = asyncio.Event()
        self._working: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Everybody logs in and works; returns when everybody has refreshed."""
        await asyncio.gather(*(client.login() for client in [*self.clients, self.leaver]))
        began = now()
        for client in self.clients:
            self._working += [asyncio.create_task(client.keep_fresh(self._over)), asyncio.create_task(client.use())]
        await self.all_renewed(began)

    async def end(self) -> None:
        """Everybody finishes the refresh that is under way."""
        self._over.set()
        await asyncio.wait_for(asyncio.gather(*self._working[::2]), _PATIENCE)
        await self.leave()

    async def leave(self) -> None:
        """Everybody leaves at once."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.pulse.stop()

    async def all_refused(self) -> None:
        """Returns when everybody has been refused a refresh that was begun after now."""
        began, bound = now(), self.monitor.timeout * 2 + SLACK + 3
        await self._until_all(lambda client: client.refused_at > began, "a 503 for everybody", bound)

    async def all_renewed(self, began: float) -> float:
        """Returns when everybody was granted a refresh begun after ``began``: how long that took."""
        await self._until_all(lambda client: client.renewed_at > began, "a refresh for everybody", _PATIENCE)
        return max(client.renewed_at for client in self.clients) - began

    async def recover(self, healed: float, within: float) -> None:
        """Everybody goes on with the tokens they hold, soon after the server was there again."""
        await self.all_renewed(healed)
        self.recovery = now() - healed
        assert self.recovery <= within, f"it took {self.recovery:.2f} s until everybody had refreshed again"

    async def _until_all(self, condition: Callable[[Client], bool], what: str, seconds: float) -> None:
        def holds() -> bool:
            for task in self._working:
                if task.done():
                    task.result()
            return all(condition(client) for client in self.clients)

        await until(holds, lambda: f"{what}; {self.monitor.wrong[:3]}", seconds)

    async def cannot_log_out(self) -> None:
        """During the outage: 503, and the cookie stays."""
        began = now()
        reply = await self.leaver.post("logout")
        assert reply.status == 503
        self.monitor.refused("logout", reply, now() - began)

    async def can_log_out(self) -> None:
        """After it: with the token from before, for good."""
        reply = await patiently(lambda: self.leaver.post("logout"))
        assert (reply.status, reply.json()) == (200, {"status": "logged_out"}), reply
        assert "Max-Age=0" in (reply.one("set-cookie") or "")
        assert (await self.leaver.call()).code == "token_revoked"
        assert (await self.leaver.post("refresh")).code == "refresh_invalid"

    def check(self, *, also: Iterable[str] = ()) -> None:
        """Nobody noticed anything but 503s at refresh. ``also``: events that belong to this outage."""
        monitor = self.monitor
        assert not monitor.wrong, monitor.wrong[:5]
        assert set(monitor.calls) == {200}, monitor.calls
        assert {renewal.status for renewal in monitor.renewals} == {200, 503}
        doubled = [successors for successors in monitor.successors.values() if len(successors) > 1]
        assert not doubled, f"{len(doubled)} tokens had two successors"
        events = [event for event in self.listener.events if event.name not in {*_EVERYDAY, *also}]
        assert all(event.name == "revoked" and event.reason == "logout" for event in events), events
        assert len(events) <= 1
        assert any(event.name == "store_unavailable" for event in self.listener.events)
        assert max(monitor.waits) < LONGEST_CALL + self.pulse.missed
        assert monitor.p99_call() < P99_CALL + self.pulse.missed

    def report(self) -> str:
        """The worst that was measured."""
        monitor = self.monitor
        return (
            f"503 in {monitor.worst(503):.2f} s, 200 in {monitor.worst(200):.2f} s, recovery {self.recovery:.2f} s; "
            f"{len(monitor.waits)} calls, p99 {monitor.p99_call() * 1000:.0f} ms, "
            f"worst {max(monitor.waits) * 1000:.0f} ms, "
            f"nothing ran for {self.pulse.missed * 1000:.0f} ms at worst; "
            f"{sum(renewal.status == 503 for renewal in monitor.renewals)} of {len(monitor.renewals)} refreshes refused"
        )
