"""A service in the process of a server that a test uses like one of its own: requests go over a socket, byte by byte.

What tests do beside requests (set the clock, look at the store, ask the issuer) is asked of the process: see
``served.py``.
"""

import io
import json
import pickle
import re
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from ..matrix.serving import Running
from ..matrix.wire import Line
from ..web.asgi import AGENT, CLIENT, HOST, HeaderList, Reply, Text, raw_headers
from ..web.support import Service, Tokens
from . import forge
from .served import USUAL

_OF_A_SERVER = {b"date", b"server", b"connection", b"transfer-encoding", b"keep-alive"}
_PATIENCE = 20.0
_IDLE = 2.0
"""Servers close a connection on which nothing came for so long, or for longer."""

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
_MOST = 16_000
"""Every server reads as many bytes of headers as that; hypercorn not many more."""

_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(rb"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


class Refusal(Exception):
    """The server has refused by itself what is no HTTP, or too much of it; None: it hung up without a word."""

    def __init__(self, reply: Reply | None) -> None:
        super().__init__(reply)
        self.reply = reply


class Connection(Line):
    """From an address of our choice."""

    def __init__(self, port: int, source: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _PATIENCE, source_address=(source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self.is_over = False
        self.used = time.monotonic()
        """When the last answer on it was read."""

    def is_open(self) -> bool:
        """Whether there may be another request on it; servers close what was idle for some seconds."""
        if self.is_over:
            return False
        self._socket.setblocking(False)
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._socket.settimeout(_PATIENCE)


class Wire:
    """A server with the process that it runs in."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.server = running.server
        self.secrets: set[str] = set()
        """What nothing may be seen of in its log."""
        self._port = running.port
        self._lines: dict[str, Connection] = {}
        self._sources = {CLIENT[0]: USUAL}
        self._front = 0
        self.plain: dict[tuple[str, str, str], Reply] = {}
        """The answer to the plainest request for each code, method and path."""
        self.is_used = True

    def line(self, source: str) -> Connection:
        """The connection from there; a new one if the last one is over."""
        line = self._lines.get(source)
        if line is None or not line.is_open():
            if line is not None and not line.is_over:
                assert time.monotonic() - line.used > _IDLE, f"{self.server} has closed a connection in use"
            self.drop(source)
            line = self._lines[source] = Connection(self._port, source)
        return line

    def another(self) -> Connection:
        """One more connection from the usual address, whose caller closes it."""
        return Connection(self._port, USUAL)

    def drop(self, source: str) -> None:
        if line := self._lines.pop(source, None):
            line.close()

    def ask(self, verb: str, *args: Any, **named: Any) -> Any:
        """Have something done in the process of the server."""
        asked = io.BytesIO()
        _Pickler(asked).dump((verb, args, named))
        body = asked.getvalue()
        line = self.line("127.0.0.1")
        line.send(b"POST /asked HTTP/1.1\r\nhost: testserver\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        reply = line.reply()
        line.used = time.monotonic()
        assert reply.status == 200, (self.server, verb, self.running.log()[-2000:])
        kind, said = pickle.loads(reply.body)
        if kind == "raised":
            raise said
        return said

    def begin(self, options: dict[str, Any], *, login: bool = False) -> tuple[int, str, Tokens | None]:
        """See :meth:`Served.begin`."""
        pem = None if forge.algorithm == "HS256" else forge.pem(forge.algorithm)
        begun: tuple[int, str, Tokens | None] = self.ask("begin", pem, options, afresh=self.is_used, login=login)
        self.is_used = False
        self._front = begun[0]
        return begun

    def to_the_front(self, number: int) -> None:
        """Requests go to that service from now on."""
        if number != self._front:
            self.ask("to_the_front", number)
            self._front = number

    def used(self) -> None:
        """The services that a test has made are not needed any more, nor are the addresses that it came from."""
        for source in self._lines.keys() - {"127.0.0.1", USUAL}:
            self.drop(source)
        self._sources = {CLIENT[0]: USUAL}
        self.is_used = True

    def close(self) -> None:
        for source in [*self._lines]:
            self.drop(source)
        self.running.close()

    def source(self, address: str) -> str:
        """From where to connect so that ``address`` is what the service sees."""
        if address not in self._sources:
            self._sources[address] = source = f"127.0.2.{len(self._sources)}"
            self.ask("name", source, address)
        return self._sources[address]

    def keep_secret(self, texts: Iterable[str]) -> None:
        self.secrets.update(text[:4096] for text in texts)
        self.secrets.update(text[-4096:] for text in texts)


class _Pickler(pickle.Pickler):
    def persistent_id(self, thing: Any) -> Any:
        return object.__getattribute__(thing, "_way") if isinstance(thing, Remote) else None


class Remote:
    """An object in the process of the server, by the way that leads to it."""

    __slots__ = ("_way", "_wire")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, wire: Wire, *way: Any) -> None:
        object.__setattr__(self, "_wire", wire)
        object.__setattr__(self, "_way", way)

    def _to(self, step: Any) -> Any:
        way = (*self._way, step)
        plain, value = self._wire.ask("get", way)
        return value if plain else Remote(self._wire, *way)

    def _value(self) -> Any:
        return self._wire.ask("value", self._way)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._to(name)

    def __getitem__(self, key: Any) -> Any:
        return self._to((key,))

    def __setattr__(self, name: str, value: Any) -> None:
        self._wire.ask("put", self._way, name, value)

    def __call__(self, *args: Any, **named: Any) -> Any:
        waited, number, value = self._wire.ask("call", self._way, args, named)
        result = value if number is None else Remote(self._wire, number)
        return _done(result) if waited else result

    def __eq__(self, other: object) -> bool:
        return bool(self._wire.ask("same", self, other))

    def __iter__(self) -> Iterator[Any]:
        for number, item in self._wire.ask("items", self._way):
            yield item if number is None else Remote(self._wire, number)

    def __len__(self) -> int:
        return len(self._value())

    def __contains__(self, thing: object) -> bool:
        return thing in self._value()

    def __repr__(self) -> str:
        return repr(self._value())


async def _done(result: Any) -> Any:
    return result


class WireService(Service):
    """Made with the options of :class:`Service`, as far as they can be sent to another process.

    ``with_login``: ``logged_in`` is alice, logged in without a request over HTTP, which is sooner done.
    """

    def __init__(
        self, wire: Wire, *, issuer: Mapping[str, Any] | None = None, with_login: bool = False, **middleware: Any
    ) -> None:
        self.wire = wire
        self.number, self.cookie_name, self.logged_in = wire.begin({"issuer": issuer, **middleware}, login=with_login)
        self.is_clean = True
        self.clock, self.events, self.inner, self.store, self.issuer, self.app = (
            Remote(wire, self.number, name) for name in ("clock", "events", "inner", "store", "issuer", "app")
        )
        self.prefix = middleware.get("prefix", "/auth")

    async def event_names(self) -> list[str]:
        names: list[str] = await Remote(self.wire, self.number, "event_names")()
        return names

    async def aclose(self) -> None:
        await Remote(self.wire, self.number, "aclose")()

    async def post(self, route: str, **request: Any) -> Reply:
        return await self.ask("POST", f"{self.prefix}/{route}", **request)

    async def ask(self, method: str, path: str, **request: Any) -> Reply:
        """As in ``web/asgi.py``, over the connection that there is from the address of the client."""
        source = self.wire.source(request.pop("client", CLIENT)[0])
        raw, is_odd = made(method, path, **request)
        self.wire.to_the_front(self.number)
        self.is_clean = False
        reply = _exchanged(self.wire.line(source), raw, method)
        if is_odd and (reply is None or (reply.status in (400, 431) and reply.code is None)):
            self.wire.drop(source)
            raise Refusal(reply)
        assert reply is not None, f"{self.wire.server} hung up"
        return reply

    def forget(self) -> None:
        """What has reached the app and the store so far."""
        if not self.is_clean:
            self.wire.to_the_front(self.number)
            self.wire.ask("forget")
            self.is_clean = True

    def seen(self) -> dict[str, list[Any]]:
        """What has reached the app and the store since."""
        self.wire.to_the_front(self.number)
        seen: dict[str, list[Any]] = self.wire.ask("seen")
        self.is_clean = True
        return seen


def _exchanged(line: Connection, raw: bytes, method: str) -> Reply | None:
    """The answer, less what a server adds itself; None if there is none."""
    try:
        line.send(raw)
    except ConnectionError:
        line.is_over = True  # it did not want to hear everything, and may have said why
    try:
        reply = line.reply(method)
    except ConnectionError:
        line.is_over = True
        return None
    line.used = time.monotonic()
    kept = tuple((name, value) for name, value in reply.headers if name not in _OF_A_SERVER)
    return Reply(reply.status, kept, reply.body)


def made(
    method: str,
    path: str,
    *,
    headers: HeaderList = (),
    body: bytes | Iterable[bytes] = b"",
    json_body: Any = None,
    form: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
) -> tuple[bytes, bool]:
    """The bytes of a request, and whether a server may refuse them.

    A path is what the app is to see, its query as it is.
    """
    defaults: list[tuple[str, Text]] = [("host", HOST), ("user-agent", AGENT)]
    if json_body is not None:
        body = json.dumps(json_body).encode()
        defaults.append(("content-type", "application/json"))
    if form is not None:
        body = urlencode(form).encode()
        defaults.append(("content-type", "application/x-www-form-urlencoded"))
    body = body if isinstance(body, bytes) else b"".join(body)
    if body or method == "POST":
        defaults.append(("content-length", str(len(body))))
    pairs = raw_headers(headers, *defaults)
    path, mark, query = path.partition("?")
    target = (quote(path, safe="/:@!$&'()*+,;=~") + mark + query).encode("latin-1")
    lines = [method.encode() + b" " + target + b" HTTP/1.1", *(name + b": " + value for name, value in pairs)]
    head = b"\r\n".join([*lines, b"", b""])
    return head + body, _is_odd(method, pairs, len(head))


def _is_odd(method: str, pairs: list[tuple[bytes, bytes]], size: int) -> bool:
    hosts = [value for name, value in pairs if name == b"host"]
    return (
        size > _MOST
        or method not in _METHODS
        or len(hosts) != 1
        or not _HOST.fullmatch(hosts[0])
        or any(_CONTROLS.search(value) for _, value in pairs)
    )
