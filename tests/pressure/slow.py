"""Clients that take their time, and clients that are gone: what others notice of them, and what they leave behind."""

import socket
import statistics
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ..matrix.wire import Line, request_bytes
from ..web.asgi import Reply
from ..web.support import PASSWORD, Tokens
from .place import Look, Place, until
from .vitals import cpu_seconds

_HEAD = b"POST /auth/%s HTTP/1.1\r\nHost: testserver\r\nUser-Agent: slow/1.0\r\n"
_BODY = _HEAD + b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
_CHUNKED = _HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
_OF_A_CONNECTION = 4
"""Tasks of a server for a connection and its request."""
_UNREAD = 200
"""Requests of a client that reads none of the answers."""

WAYS: dict[str, tuple[bytes, bytes]] = {
    "nothing at all": (b"", b""),
    "headers of a login": (_HEAD % b"login", b"X"),
    "headers of a refresh": (_HEAD % b"refresh", b"X"),
    "body of a login": (_BODY % b"login", b" "),
    "body of a refresh": (_BODY % b"refresh", b" "),
    "body in chunks": (_CHUNKED % b"refresh", b"1\r\n \r\n"),
    "answers not read": (request_bytes("POST", "/auth/refresh", {"cookie": "a=b"}) * _UNREAD, b""),
}
"""What a slow client sends first, and what then from time to time."""


class Slow:
    """Slow clients, as many of each way as are asked for."""

    def __init__(self, port: int, each: int, ways: Sequence[str] = tuple(WAYS)) -> None:
        self._dripped = 0.0
        self._clients: list[tuple[str, socket.socket]] = []
        for way in ways:
            for _ in range(each):
                client = socket.create_connection(("127.0.0.1", port), 20)
                if way == "answers not read":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                self._clients.append((way, client))
                self._send(client, WAYS[way][0])

    def __len__(self) -> int:
        return len(self._clients)

    def drip(self) -> None:
        """One byte more from each, if a second has passed."""
        if time.monotonic() - self._dripped < 1:
            return
        self._dripped = time.monotonic()
        for way, client in self._clients:
            self._send(client, WAYS[way][1])

    @staticmethod
    def _send(client: socket.socket, raw: bytes) -> None:
        try:
            client.send(raw)
        except OSError:  # it is full, or the server has had enough
            return

    def still_open(self) -> dict[str, int]:
        """How many the server has not hung up on, of each way."""
        held = dict.fromkeys(WAYS, 0)
        for way, client in self._clients:
            try:
                held[way] += bool(client.recv(1, socket.MSG_PEEK)) or way == "answers not read"
            except BlockingIOError:
                held[way] += 1
            except OSError:
                continue
        return held

    def leave(self) -> None:
        """All hang up at once."""
        for _, client in self._clients:
            client.close()


@contextmanager
def slow_clients(place: Place, each: int, ways: Sequence[str] = tuple(WAYS)) -> Iterator[Slow]:
    clients = Slow(place.port, each, ways)
    try:
        yield clients
    finally:
        clients.leave()


def speed(place: Place, count: int, meanwhile: Callable[[], None] = lambda: None) -> dict[str, float]:
    """Median milliseconds of a login, a refresh and a request, on a connection that is kept; ``cpu`` of all three.

    What the server's process has used of the processor says the same where others use the machine as well.

    Raises AssertionError if one of them is not answered as it should be.
    """
    taken: dict[str, list[float]] = {"login": [], "refresh": [], "request": []}

    def timed(what: str, *request: object, **content: object) -> Reply:
        began = time.perf_counter()
        reply = line.ask(*request, **content)  # type: ignore[arg-type]
        taken[what].append((time.perf_counter() - began) * 1000)
        assert reply.status == 200, reply
        return reply

    body = {"x-token-transport": "body"}
    with Line(place.port) as line:
        pid = place.look(line).pid
        used = cpu_seconds(pid)
        for number in range(count):
            credentials = {"username": f"quick-{number}", "password": PASSWORD}
            tokens = Tokens(timed("login", "POST", "/auth/login", body, json_body=credentials))
            again = {"refresh_token": tokens.refresh}
            newer = Tokens(timed("refresh", "POST", "/auth/refresh", body, json_body=again))
            timed("request", "GET", "/open", newer.bearer)
            meanwhile()
        used = cpu_seconds(pid) - used
    return {what: statistics.median(each) for what, each in taken.items()} | {"cpu": used / count * 1000}


def is_calm(pid: int, patience: float = 60.0) -> bool:
    """Whether a server comes to have done what there was to do, and rests for a second.

    For less than that it may rest because others have its processor.
    """

    def rests() -> bool:
        used = cpu_seconds(pid)
        time.sleep(1)
        return cpu_seconds(pid) - used <= 0.031

    return until(rests, patience)


def is_back(place: Place, before: Look, patience: float = 20.0) -> bool:
    """Whether the server comes to hold no more tasks and descriptors than it did, and those of one connection.

    All looks are on one connection: hypercorn keeps what is left of each for the five seconds that it might have idled.
    """
    with Line(place.port) as line:

        def holds() -> bool:
            now = place.look(line)
            return now.tasks <= before.tasks + _OF_A_CONNECTION and now.vitals.fds <= before.vitals.fds + 1

        return until(holds, patience)


def hang_up(port: int, raw: bytes) -> None:
    """Send ``raw`` and reset the connection, at once."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(raw)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass(slots=True)
class Gone:
    """What became of clients that hung up before they had their answer.

    Attributes:
        clients: how many there were.
        late: refreshes that had been done all the same, so that the client came late with the old token.
        kept: clients that got on with the token they had.
        logins: sessions that were begun by who sent half of a login: none.
    """

    clients: int
    late: int = 0
    kept: int = 0
    logins: int = 0
    examples: list[str] = field(default_factory=list)


def gone_in_the_middle(place: Place, clients: int) -> Gone:
    """Each refreshes, hangs up at once, and comes again with the same token."""
    found = Gone(clients)
    held = [place.login(f"gone-{number}", body=True) for number in range(clients)]
    before = place.look()
    for tokens in held:
        content = {"refresh_token": tokens.refresh}
        whole = request_bytes("POST", "/auth/refresh", json_body=content)
        hang_up(place.port, whole)
        hang_up(place.port, whole[:-30])
        login = request_bytes("POST", "/auth/login", json_body={"username": "half", "password": PASSWORD})
        hang_up(place.port, login[:-20])
    is_back(place, before)
    found.logins = place.look().store["add"] - before.store["add"]
    for tokens in held:
        again = place.ask("POST", "/auth/refresh", json_body={"refresh_token": tokens.refresh})
        if again.status != 200:
            found.examples.append(f"{again.status} {again.body!r}")
            continue
        newest = place.ask("POST", "/auth/refresh", json_body={"refresh_token": Tokens(again).refresh})
        found.kept += newest.status == 200
    found.late = place.look().store.get("note_late", 0) - before.store.get("note_late", 0)
    return found
