"""What ``attack.py`` is to a service of one's own process, to one behind a server; and its tests, run again there."""

import asyncio
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ..matrix.serving import SERVERS
from ..web.asgi import HeaderList, Reply
from ..web.problems import assert_problem
from .attack import REFERENCE, Target, secrets_of
from .forge import secret_texts
from .repeated import again
from .served import USUAL
from .wire_service import Refusal, Wire, WireService

_PUBLIC = ["/", "/docs", "/public/*"]
_runner = asyncio.Runner()


class WireTarget(Target):
    """A service behind a server, and somebody honest who uses it on the connection on which the attacks come."""

    service: WireService

    def __init__(self, caplog: pytest.LogCaptureFixture, wire: Wire, *, by_http: bool) -> None:
        """``by_http``: the honest one logs in over HTTP as well."""
        self.caplog = caplog
        self.wire = wire
        self.service = WireService(wire, public=_PUBLIC, with_login=not by_http)
        self.honest = self.service.logged_in or _runner.run(self.service.login())
        wire.keep_secret([self.honest.access, self.honest.refresh])

    async def attack(
        self,
        code: str,
        *,
        method: str = "GET",
        path: str = "/private",
        headers: HeaderList = (),
        secrets: Iterable[str] = (),
        action: str | None = None,
        store: Iterable[str] = (),
        reference: bool = True,
        **request: Any,
    ) -> Reply:
        """As in :class:`Target`. What is no HTTP the server may refuse itself: then that is what is returned."""
        self.service.forget()
        said: Reply | None
        try:
            said = await self.service.ask(method, path, headers=headers, **request)
        except Refusal as refusal:
            said = refusal.reply
        else:
            if _breaks(headers):
                await self._is_as_without_the_rest(said, method, path, headers, **request)
            else:
                assert_problem(said, code, action=action)
                if reference and action is None:
                    plain = await self.plain(code, method, path)
                    assert (said.body, said.status) == (plain.body, plain.status)
        reply = said or Reply(400, (), b"")
        assert reply.status < 500
        self.assert_silent(reply, secrets_of(headers, secrets))
        await self.assert_unharmed()
        assert self.service.seen() == {"paths": ["/private"], "people": ["alice"], "store": list(store)}
        return reply

    async def plain(self, code: str, method: str, path: str) -> Reply:
        """What the plainest request is answered that leads to ``code``."""
        method = "GET" if code == "method_not_allowed" else method
        known = self.wire.plain
        if (code, method, path) not in known:
            known[code, method, path] = await self.service.ask(method, path, **REFERENCE[code])
        return known[code, method, path]

    async def _is_as_without_the_rest(
        self, reply: Reply, method: str, path: str, headers: HeaderList, **request: Any
    ) -> None:
        """A line break is where a header ends: what comes behind it gives nobody anything."""
        cut = [(name, _until_break(value)) for name, value in _pairs(headers)]
        self.wire.drop(USUAL)
        assert (await self.service.ask(method, path, headers=cut, **request)).status == reply.status
        self.service.forget()

    def assert_silent(self, reply: Reply, secrets: Iterable[str]) -> None:
        """The log of the server is looked through at the end: see ``test_servers_log.py``."""
        hidden = [text for secret in (*secrets, *secret_texts()) for text in {secret[:4096], secret[-4096:]}]
        self.wire.keep_secret(hidden)
        super().assert_silent(reply, hidden)

    async def assert_unharmed(self) -> None:
        """The honest one is still let in, on the same connection unless the server has said that it is over."""
        reply = await self.service.get_in(self.honest)
        assert (reply.status, reply.body) == (200, b"hello alice")


def _pairs(headers: HeaderList) -> list[tuple[Any, Any]]:
    return [*headers.items()] if isinstance(headers, Mapping) else [*headers]


def _breaks(headers: HeaderList) -> bool:
    return any(_until_break(value) != value for _, value in _pairs(headers))


def _until_break(value: str | bytes) -> str | bytes:
    return re.split(rb"[\r\n]", value)[0] if isinstance(value, bytes) else re.split(r"[\r\n]", value)[0]


def all_on_servers(
    algorithm: str, *patterns: str, without: Mapping[str, Mapping[str, str]], servers: Sequence[str] = SERVERS
) -> dict[str, Callable[..., Any]]:
    """The tests of all modules so named that need nothing but a service, to run on servers, by names of their own.

    New tests and modules are among them by themselves. ``without`` says of each module which are not, and why.
    """
    names = sorted(path.stem for pattern in patterns for path in Path(__file__).parent.glob(pattern))
    assert set(without) <= set(names), f"no such module: {set(without) - set(names)}"
    found: dict[str, Callable[..., Any]] = {}
    for name in names:
        left_out = {f"{test}_under_{algorithm}" for test in without.get(name, {})}
        tests = {test: run for test, run in again(algorithm, name).items() if _is_for_servers(run)}
        assert left_out <= set(tests), f"no such test: {left_out - set(tests)}"
        found |= {f"{test}_of_{name[5:]}": _wired(run, servers) for test, run in tests.items() if test not in left_out}
    return found


def _is_for_servers(run: Callable[..., Any]) -> bool:
    """What takes something else beside the service, to patch it or to look at it, is about its own process."""
    needed = set(inspect.signature(run).parameters)
    for mark in getattr(run, "pytestmark", ()):
        if mark.name == "parametrize":
            needed -= set(mark.args[0].replace(" ", "").split(",") if isinstance(mark.args[0], str) else mark.args[0])
    return needed in ({"target"}, {"make_service"}, {"target", "make_service"})


def _wired(run: Callable[..., Any], servers: Sequence[str]) -> Callable[..., Any]:
    """``run``; a server that refuses what is no HTTP has passed it."""

    @functools.wraps(run)
    def on_a_server(**fixtures: Any) -> None:
        with suppress(Refusal):
            _runner.run(run(**fixtures))

    return pytest.mark.parametrize("wire", servers, indirect=True)(on_a_server)
