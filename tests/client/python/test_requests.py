"""Which requests carry the token, and which bodies are sent again."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jwt_refresh_middleware.client._libraries import URL
from jwt_refresh_middleware.client._origins import Origins
from jwt_refresh_middleware.client.httpx import RefreshAuth, SessionEnded

from .serving import Service

REPLAYABLE: dict[str, Any] = {
    "bytes": {"content": b"body"},
    "str": {"content": "body"},
    "json": {"json": {"a": 1}},
    "form": {"data": {"a": "1"}},
    "multipart": {"files": {"f": ("name", b"body")}, "data": {"a": "1"}},
    "nothing": {},
}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("body", REPLAYABLE.values(), ids=REPLAYABLE)
def test_bodies_that_are_sent_again(library: ModuleType, service: Service, body: Any, is_async: bool) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()
    answer = post(library, auth, service.private, is_async, **body)
    assert answer.text == "alice"
    assert len(service.seen) == 2 and len(service.bodies) == 1
    assert (b"body" in service.bodies[0] or b"a" in service.bodies[0]) or not body


def test_a_list_is_sent_again(library: ModuleType, service: Service) -> None:
    """By sync clients only: no async one takes it."""
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()
    assert post(library, auth, service.private, False, content=[b"bo", b"dy"]).text == "alice"
    assert service.bodies == [b"body"]


def post(library: ModuleType, auth: RefreshAuth, url: str, is_async: bool, **body: Any) -> Any:
    async def main() -> Any:
        async with library.AsyncClient(auth=auth) as client:
            return await client.post(url, **body)

    if is_async:
        return asyncio.run(main())
    with library.Client(auth=auth) as client:
        return client.post(url, **body)


def test_a_file_is_sent_again_from_where_it_stood(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()
    file = io.BytesIO(b"skipped" + b"x" * 200_000)
    file.seek(7 if library.__name__ == "httpx2" else 0)  # httpx itself cannot send the rest of a file
    rest = file.getvalue()[file.tell() :]
    assert post(library, auth, service.private, False, content=file).text == "alice"
    assert service.bodies == [rest]


def test_an_open_file_is_sent_again(library: ModuleType, service: Service, tmp_path: Path) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()
    path = tmp_path / "upload"
    path.write_bytes(b"q" * 200_000)
    with path.open("rb") as file:
        assert post(library, auth, service.private, False, content=file).text == "alice"
    service.expire()
    with path.open("rb") as file:
        assert post(library, auth, service.private, True, files={"f": file}).text == "alice"
    assert service.bodies[0] == b"q" * 200_000
    assert service.bodies[1].count(b"q") == 200_000


class Pipe(io.RawIOBase):
    """Can be read once."""

    def __init__(self) -> None:
        self._left = [b"part", b""]

    def readable(self) -> bool:
        return True

    def read(self, _: int = -1) -> bytes:
        return self._left.pop(0)


def parts() -> Iterator[bytes]:
    yield b"part"


async def async_parts() -> AsyncIterator[bytes]:
    yield b"part"


class Once:
    """An iterable that is none twice, and does not say so."""

    def __init__(self) -> None:
        self._parts = iter([b"part"])

    def __iter__(self) -> Iterator[bytes]:
        return self._parts


ONCE: dict[str, Any] = {
    "generator": (False, lambda: {"content": parts()}),
    "async generator": (True, lambda: {"content": async_parts()}),
    "iterator": (False, lambda: {"content": iter([b"part"])}),
    "iterable": (False, lambda: {"content": Once()}),
    "pipe": (False, lambda: {"content": Pipe()}),
    "multipart pipe": (False, lambda: {"files": {"f": Pipe()}}),
}


@pytest.mark.parametrize(("is_async", "body"), ONCE.values(), ids=ONCE)
def test_bodies_that_cannot_be_sent_again(library: ModuleType, service: Service, is_async: bool, body: Any) -> None:
    """The 401 comes back, and the next call has a new token."""
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()
    answer = post(library, auth, service.private, is_async, **body())
    assert answer.json()["code"] == "token_expired"
    assert len(service.seen) == 1 and service.bodies == []
    assert len(service.refreshes) == 1
    answer = post(library, auth, service.private, is_async, **body())
    assert answer.text == "alice"
    assert b"part" in service.bodies[0]
    assert len(service.refreshes) == 1


@pytest.mark.parametrize(("is_async", "body"), ONCE.values(), ids=ONCE)
def test_bodies_that_cannot_be_sent_again_are_sent_once(
    library: ModuleType, service: Service, is_async: bool, body: Any
) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    assert post(library, auth, service.private, is_async, **body()).text == "alice"
    assert b"part" in service.bodies[0] and len(service.seen) == 1


def test_a_body_that_cannot_be_sent_again_hears_of_the_end_later(library: ModuleType, service: Service) -> None:
    tokens = service.login()
    auth = RefreshAuth(service.refresh_url, tokens)
    service.expire()
    service.ahead += 10 * 86_400
    assert post(library, auth, service.private, False, content=parts()).status_code == 401
    with pytest.raises(SessionEnded):
        post(library, auth, service.private, False, content=parts())
    assert len(service.refreshes) == 1


def test_a_streamed_answer_stays_a_stream(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.expiring())
    with library.Client(auth=auth) as client, client.stream("GET", service.private) as answer:
        assert not answer.is_stream_consumed
        assert b"".join(answer.iter_raw()) == b"alice"
    with library.Client(auth=auth) as client, client.stream("GET", service.url + "/always401") as answer:
        assert not answer.is_stream_consumed
        assert b"".join(answer.iter_raw()) == b"no"


def test_other_hosts_get_no_token(library: ModuleType, service: Service, other: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    with library.Client(auth=auth) as client:
        assert client.get(other.private).status_code == 401
        assert client.get(other.url + "/always401").status_code == 401
    assert [header for _, _, header in other.seen] == [None, None]
    assert service.refreshes == []


def test_other_hosts_are_reached_without_a_session(library: ModuleType, service: Service, other: Service) -> None:
    with library.Client(auth=RefreshAuth(service.refresh_url)) as client:
        assert client.get(other.url + "/always401").status_code == 401
    assert len(other.seen) == 1


@pytest.mark.parametrize("allowed", [False, True])
def test_a_redirect_takes_no_token_elsewhere(
    library: ModuleType, service: Service, other: Service, allowed: bool
) -> None:
    """The 401 at its end is not about the token, which was not sent."""
    host = other.url.removeprefix("http://")
    auth = RefreshAuth(service.refresh_url, service.login(), allowed_hosts=[host] if allowed else [])
    with library.Client(auth=auth, follow_redirects=True) as client:
        answer = client.get(service.url + "/to", params={"url": other.private})
    assert answer.status_code == 401
    assert [header for _, _, header in other.seen] == [None]
    assert service.refreshes == []


def test_after_a_redirect_the_last_request_is_sent_again_not_the_first(library: ModuleType, service: Service) -> None:
    """What the first one did is done."""
    auth = RefreshAuth(service.refresh_url, service.login())
    service.expire()
    with library.Client(auth=auth, follow_redirects=True) as client:
        answer = client.post(service.url + "/to", params={"url": "/private", "status": "303"}, json={"a": 1})
    assert answer.text == "alice"
    assert [(method, path) for method, path, _ in service.seen] == [
        ("POST", "/to"),
        ("GET", "/private"),
        ("GET", "/private"),
    ]


def test_allowed_hosts_get_the_token(library: ModuleType, service: Service, other: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login(), allowed_hosts=[other.url.removeprefix("http://")])
    with library.Client(auth=auth) as client:
        assert client.get(other.url + "/always401").status_code == 401
    assert auth.tokens
    assert other.seen[-1][2] == f"Bearer {auth.tokens['access_token']}"
    assert len(service.refreshes) == 1, "a 401 of theirs counts"


def test_a_header_of_the_callers_own_is_left_alone(library: ModuleType, service: Service) -> None:
    auth = RefreshAuth(service.refresh_url, service.login())
    with library.Client(auth=auth) as client:
        answer = client.get(service.private, headers={"Authorization": "Bearer mine"})
    assert answer.status_code == 401
    assert [header for _, _, header in service.seen] == ["Bearer mine"]
    assert service.refreshes == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://users.example.com/a", True),
        ("https://USERS.example.com:443/a", True),
        ("http://users.example.com/a", False),
        ("https://users.example.com:8443/a", False),
        ("https://users.example.com.evil.com/", False),
        ("https://users.example.com@evil.com/", False),
        ("https://evil.com/users.example.com", False),
        ("https://sub.users.example.com/", False),
        ("https://api.example.com/", True),
        ("http://api.example.com/", False),
        ("https://api.example.com:444/", False),
        ("https://orders.example.com:8443/", True),
        ("https://orders.example.com/", False),
        ("http://localhost:8001/", True),
        ("http://localhost/", False),
        ("https://[2001:db8::1]:9000/", True),
        ("http://[2001:db8::1]:9000/", False),
        ("https://bücher.example/", True),
        ("https://xn--bcher-kva.example/", True),
        ("wss://users.example.com/", True),
        ("wss://evil.com/", False),
        ("ws://users.example.com/", False),
        ("ftp://users.example.com/", False),
    ],
)
def test_where_the_token_may_go(url: str, expected: bool) -> None:
    allowed = ["api.example.com", "orders.example.com:8443", "localhost:8001", "[2001:db8::1]:9000", "bücher.example"]
    origins = Origins("https://users.example.com/auth/refresh", allowed, allow_http=False)
    assert (URL(url) in origins) is expected


def test_http_where_it_is_allowed() -> None:
    origins = Origins("http://users/auth/refresh", ["orders:8000"], allow_http=True)
    assert URL("http://users/a") in origins
    assert URL("http://orders:8000/a") in origins
    assert URL("http://orders/a") not in origins
