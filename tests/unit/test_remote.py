"""Keys from a URL: where they may come from, what is taken of what comes, when they are fetched, and what is kept."""

import asyncio
import gzip
import json
import logging
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest

import jwt_refresh_middleware
from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.errors import KeysUnavailable, TokenInvalid
from jwt_refresh_middleware.remote import MAX_BYTES, RemoteKeys, checked_url
from tests.interop.certificate import write_certificate
from tests.servers import free_port
from tests.web.asgi import LifespanRun, ask
from tests.web.problems import assert_problem
from tests.web.support import Inner

from .jwks_site import Site, publishing, response, saying, until

_MS = timedelta(milliseconds=1)
_HOUR = timedelta(hours=1)


class Centre:
    """Key pairs and tokens under them, as an issuer has."""

    def __init__(self, algorithm: Any = "ES256") -> None:
        self.ring = KeyRing.generate(algorithm)
        self.issuer = Issuer(self.ring, MemoryStore())

    @property
    def jwks(self) -> dict[str, Any]:
        return self.ring.jwks()

    async def token(self) -> str:
        return (await self.issuer.login("ann")).access_token


class Stage:
    """An issuer, its site, and verifiers that fetch from it; all of them closed at the end."""

    def __init__(self) -> None:
        self.centre = Centre()
        self.site = Site(publishing(self.centre.jwks))
        self.closing = AsyncExitStack()

    async def verifier(self, url: str = "", **options: Any) -> Verifier:
        options = {"refresh_interval": _HOUR, "cooldown": 20 * _MS, "timeout": 5000 * _MS} | options
        verifier = Verifier.from_jwks_url(url or self.site.url, **options)
        assert verifier.backing is not None
        self.closing.push_async_callback(verifier.backing.close)
        await verifier.backing.open()
        return verifier


@pytest.fixture
async def stage() -> Any:
    made = Stage()
    async with made.closing, made.site:
        yield made
        await made.closing.aclose()
        await made.centre.issuer.aclose()


@pytest.fixture(params=[httpx2, httpx], ids=["httpx2", "httpx"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr("jwt_refresh_middleware.remote.http_library", lambda: request.param)
    made: ModuleType = request.param
    return made


def source(verifier: Verifier) -> RemoteKeys:
    made = verifier.keys.source
    assert isinstance(made, RemoteKeys)
    return made


def kids(verifier: Verifier) -> set[str]:
    return {key.kid for key in verifier.keys.keys}


async def fetched(verifier: Verifier) -> None:
    """Wait until a fetch that begins after this has ended."""
    keys = source(verifier)
    before = keys.fetches

    def another() -> bool:
        keys.missed()
        return keys.fetches >= before + 2

    await until(another)


# Where keys may come from


@pytest.mark.parametrize(
    "url",
    [
        "https://users.example.com/auth/jwks.json",
        "https://users.example.com:8443/jwks?tenant=1",
        "HTTPS://USERS.EXAMPLE.COM/",
        "http://localhost/jwks",
        "http://LOCALHOST:8000/jwks",
        "http://127.0.0.1:8000/auth/jwks.json",
        "http://127.255.3.4/jwks",
        "http://[::1]:8000/jwks",
    ],
)
def test_https_or_this_machine(url: str) -> None:
    assert checked_url(url) == url
    Verifier.from_jwks_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "jwks.json",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://127.0.0.1/jwks",
        "ws://127.0.0.1/jwks",
        "unix:///run/jwks",
        "data:application/json,{}",
        "https:///jwks",
        "https://",
        "http://users.example.com/jwks",
        "http://10.0.0.1/jwks",
        "http://192.168.0.1/jwks",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/jwks",
        "http://[::]/jwks",
        "http://127.0.0.1.evil.com/jwks",
        "http://localhost.evil.com/jwks",
        "http://evil.com/127.0.0.1",
        "http://evil.com?127.0.0.1",
        "http://evil.com#127.0.0.1",
        "http://127.0.0.1@evil.com/jwks",
        "http://127.0.0.1\\@evil.com/jwks",
        "http://127.0.0.1\\.evil.com/jwks",
        "http://127.1/jwks",
        "http://2130706433/jwks",
        "http://0x7f.0.0.1/jwks",
        "http://\uff1127.0.0.1/jwks",
        "https://user:hunter2@users.example.com/jwks",
        "https://hunter2@users.example.com/jwks",
        "https://users.example.com/jwks#hunter2",
        "https://users.example.com:port/jwks",
        "https://users.example.com:99999/jwks",
        "https://user:hunter2@[::1/jwks",
        "https://user:hunter2@ex\u2100mple.com/jwks",
        " https://users.example.com/jwks",
        "https://users.example.com/jw ks",
        "https://users.example.com/jwks\n",
        "ht\ntps://users.example.com/jwks",
    ],
)
def test_nowhere_else(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL of a JWK Set|by https") as refused:
        Verifier.from_jwks_url(url)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("option", ["refresh_interval", "cooldown", "timeout"])
@pytest.mark.parametrize("length", [0, -1, 0.001])
def test_lengths_of_time_that_are_none(option: str, length: float) -> None:
    with pytest.raises(ValueError, match=option):
        Verifier.from_jwks_url("https://users.example.com/", **{option: timedelta(seconds=length)})


def test_httpx2_comes_first_and_httpx_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RemoteKeys("https://x.example/", refresh_interval=1, cooldown=1, timeout=1)._http is httpx2
    monkeypatch.setitem(sys.modules, "httpx2", None)
    assert RemoteKeys("https://x.example/", refresh_interval=1, cooldown=1, timeout=1)._http is httpx
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ImportError, match=r"pip install 'jwt-refresh-middleware\[gateway\]'"):
        Verifier.from_jwks_url("https://x.example/")


def test_without_cryptography_it_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(jwt_refresh_middleware, "signatures")
    monkeypatch.setitem(sys.modules, "jwt_refresh_middleware.signatures", None)
    with pytest.raises(ImportError, match=r"cryptography.*\[gateway\]"):
        Verifier.from_jwks_url("https://x.example/")


def test_nothing_is_fetched_by_making_one() -> None:
    verifier = Verifier.from_jwks_url("https://x.example/")
    assert source(verifier).fetches == 0
    assert not source(verifier).is_running()
    source(verifier).missed()
    with pytest.raises(KeysUnavailable):
        verifier.verify("x.y.z")


# What is taken of what comes


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519", "ES256", "RS256"])
async def test_tokens_of_the_issuer_are_good(stage: Stage, library: ModuleType, algorithm: str) -> None:
    centre = Centre(algorithm)
    stage.site.behaviour = publishing(centre.jwks)
    verifier = await stage.verifier()
    assert verifier.verify(await centre.token()).subject == "ann"
    with pytest.raises(TokenInvalid):
        verifier.verify(await stage.centre.token())
    assert verifier.keys.signing is None
    assert stage.site.requests >= 1
    assert verifier.keys.secrets == ()


async def test_how_it_asks(stage: Stage, library: ModuleType) -> None:
    await stage.verifier(stage.site.url + "?tenant=a%20b")
    head = stage.site.heads[0].lower()
    assert head.startswith(b"get /auth/jwks.json?tenant=a%20b http/1.1\r\n")
    assert b"\r\naccept-encoding: identity\r\n" in head
    assert b"\r\naccept: application/jwk-set+json, application/json\r\n" in head
    assert b"authorization" not in head
    assert b"if-none-match" not in head


def _too_large(site: Site) -> Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]:
    async def stream(writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
            site.sent += 65_536
            await writer.drain()

    return stream


async def _drip(writer: asyncio.StreamWriter, _head: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _drip_headers(writer: asyncio.StreamWriter, _head: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _silent(_writer: asyncio.StreamWriter, _head: bytes) -> None:
    await asyncio.Event().wait()


async def _hang_up(writer: asyncio.StreamWriter, _head: bytes) -> None:
    writer.transport.abort()


def _answers(other: dict[str, Any]) -> dict[str, Any]:
    """Answers that are no keys, though some look like it: those of somebody else are in them."""
    good = json.dumps(other).encode()
    return {
        "500": saying(response(good, status="500 Internal Server Error")),
        "503": saying(
            response(
                good,
                status="503 Service Unavailable",
            )
        ),
        "404": saying(response(good, status="404 Not Found")),
        "401": saying(response(good, status="401 Unauthorized")),
        "204": saying(response(b"", status="204 No Content")),
        "206": saying(response(good, status="206 Partial Content")),
        "304 to no question": saying(response(b"", status="304 Not Modified")),
        "301": saying(response(good, "Location: /other", status="301 Moved Permanently")),
        "302 elsewhere": saying(response(good, "Location: http://127.0.0.1:1/", status="302 Found")),
        "307": saying(response(good, "Location: /other", status="307 Temporary Redirect")),
        "nothing": saying(response(b"")),
        "a web page": saying(
            response(b"<!doctype html><title>Log in to this network</title>", "Content-Type: text/html")
        ),
        "a list": publishing(other["keys"]),
        "no keys": publishing({"keys": []}),
        "no member keys": publishing({"key": other["keys"]}),
        "keys null": publishing({"keys": None}),
        "too many": publishing({"keys": [{"kty": "EC"}] * 65}),
        "a byte order mark": saying(response(b"\xef\xbb\xbf" + good)),
        "UTF-16": saying(response(good.decode().encode("utf-16"))),
        "twice": saying(response(good + good)),
        "a name twice": saying(response(good[:-1] + b',"keys":[]}')),
        "too deep": saying(response(b'{"keys":' + b"[" * 100_000)),
        "cut off": saying(response(good)[:-10]),
        "gzip": saying(response(gzip.compress(good), "Content-Encoding: gzip")),
        "too large by one": saying(response(good.ljust(MAX_BYTES + 1))),
        "garbage": saying(b"\x16\x03\x01" * 1000),
        "no status": saying(b"\r\n\r\n"),
        "drips": _drip,
        "drips headers": _drip_headers,
        "silent": _silent,
        "hangs up": _hang_up,
        "only unusable keys": publishing(
            {"keys": [{"kty": "oct", "k": "A" * 43}, {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}, 1, {}]}
        ),
    }


@pytest.mark.parametrize("answer", _answers({"keys": []}))
@pytest.mark.case("A09")
async def test_whatever_else_comes_the_keys_are_kept(stage: Stage, answer: str, library: ModuleType) -> None:
    verifier = await stage.verifier()
    source(verifier)._timeout = 0.15  # only from here on: a busy machine may take longer for the first fetch
    token, before = await stage.centre.token(), verifier.keys.held
    assert verifier.verify(token)
    other = Centre()
    stage.site.behaviour = _answers(other.jwks)[answer]
    await fetched(verifier)
    assert verifier.keys.held == before
    assert verifier.verify(token)
    with pytest.raises(TokenInvalid):
        verifier.verify(await other.token())
    assert all(head.startswith(b"GET /auth/jwks.json ") for head in stage.site.heads), "no redirect is followed"
    stage.site.behaviour = publishing(other.jwks)
    await until(lambda: kids(verifier) == {key.kid for key in other.ring.keys})


async def test_a_stream_is_cut_off(stage: Stage, library: ModuleType) -> None:
    verifier = await stage.verifier()
    stage.site.behaviour = _too_large(stage.site)
    await fetched(verifier)
    assert kids(verifier) == {key.kid for key in stage.centre.ring.keys}
    assert stage.site.sent < 100 * MAX_BYTES, "what the sockets hold of it, and no more"


async def test_as_large_as_may_be(stage: Stage) -> None:
    stage.site.behaviour = saying(response(json.dumps(stage.centre.jwks).encode().ljust(MAX_BYTES)))
    assert len(kids(await stage.verifier())) == 2


async def test_what_has_not_changed_costs_nothing(stage: Stage, library: ModuleType) -> None:
    answers = [publishing(stage.centre.jwks, 'ETag: "one"'), saying(response(b"", status="304 Not Modified"))]
    stage.site.behaviour = answers[0]
    verifier = await stage.verifier()
    verifier.verify(await stage.centre.token())
    stage.site.behaviour = answers[1]
    await fetched(verifier)
    assert b'\r\nif-none-match: "one"\r\n' in stage.site.heads[-1].lower()
    assert len(verifier.remembered) == 1
    stage.site.behaviour = publishing(stage.centre.jwks)
    await fetched(verifier)
    assert len(verifier.remembered) == 1, "nor does the same without an ETag"
    await fetched(verifier)
    assert b"if-none-match" not in stage.site.heads[-1].lower()
    other = Centre()
    stage.site.behaviour = publishing(other.jwks, 'ETag: "two"')
    await fetched(verifier)
    assert verifier.remembered == {}


def _private(key: Any) -> dict[str, Any]:
    made: dict[str, Any] = key.private_jwk()
    return made


def _unusable(good: dict[str, Any], other: Any) -> dict[str, list[dict[str, Any]]]:
    """Keys that are left out, each beside a good one."""
    public, kid = other.public_jwk(), good["kid"]
    return {
        "a shared secret": [{"kty": "oct", "k": "A" * 43, "kid": "s", "alg": "HS256"}],
        "a shared secret without a name": [{"kty": "oct", "k": "A" * 43}],
        "a private key": [_private(other)],
        "a private key and its public half": [_private(other) | {"kid": "one"}, public | {"kid": "two"}],
        "its public half and a private key": [public | {"kid": "two"}, _private(other) | {"kid": "one"}],
        "a private key twice": [_private(other) | {"kid": "one"}, _private(other) | {"kid": "two"}],
        "for encryption": [public | {"use": "enc"}],
        "a use that is no text": [public | {"use": ["sig"]}],
        "for other operations": [public | {"key_ops": ["encrypt", "wrapKey"]}],
        "one kid for two keys": [
            public | {"kid": "twice"},
            KeyRing.generate("ES256").keys[0].public_jwk() | {"kid": "twice"},
        ],
        "a key twice": [public, public],
        "an unknown type": [public | {"kty": "AKP"}],
        "an unknown curve": [public | {"crv": "secp256k1"}],
        "another algorithm": [public | {"alg": "ES384"}],
        "the algorithm none": [public | {"alg": "none"}],
        "a kid that is no text": [public | {"kid": 1}],
        "a kid with a line break": [public | {"kid": f"{kid}\nERROR all is well"}],
        "a point that is not on the curve": [public | {"y": public["x"]}],
        "no object": [[], "key", None],  # type: ignore[list-item]
    }


@pytest.mark.parametrize("left_out", _unusable({"kid": ""}, KeyRing.generate("ES256").keys[0]))
async def test_a_key_that_is_no_good_is_left_out_with_one_warning(
    stage: Stage, left_out: str, caplog: pytest.LogCaptureFixture
) -> None:
    good, other = stage.centre.ring.keys[0], Centre()
    bad = _unusable(good.public_jwk() or {}, other.ring.keys[0])[left_out]
    stage.site.behaviour = publishing({"keys": [*bad, good.public_jwk()]})
    verifier = await stage.verifier()
    assert kids(verifier) == {good.kid}
    assert verifier.keys.signing is None
    assert verifier.verify(await stage.centre.token())
    with pytest.raises(TokenInvalid):
        verifier.verify(await other.token())
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert 0 < len(warnings) <= len(bad)
    await fetched(verifier)
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == len(warnings)
    said = "".join(record.getMessage() for record in caplog.records)
    assert "A" * 43 not in said
    assert _private(other.ring.keys[0])["d"] not in said
    assert "\n" not in said


async def test_a_set_of_nothing_usable_is_explained_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.site.behaviour = publishing({"keys": [{"kty": "oct", "k": "A" * 43}]})
    verifier = await stage.verifier()
    await fetched(verifier)
    await fetched(verifier)
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == [f"no keys from {stage.site.url}: FetchFailed: there is no usable key in it"]


async def test_a_304_to_no_question_is_a_failure(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.site.behaviour = saying(response(b"", status="304 Not Modified"))
    await stage.verifier()
    assert [record.getMessage() for record in caplog.records] == [
        f"no keys from {stage.site.url}: FetchFailed: status 304"
    ]


async def test_one_client_makes_all_fetches(stage: Stage, library: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[None] = []
    make = library.AsyncClient

    def counted(**options: Any) -> Any:
        made.append(None)
        return make(**options)

    monkeypatch.setattr(library, "AsyncClient", counted)
    verifier = await stage.verifier()
    stage.site.behaviour = saying(response(b"", status="500 Internal Server Error"))
    await fetched(verifier)
    await fetched(verifier)
    assert len(made) == 1


async def test_a_query_reaches_no_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    stage.site.behaviour = publishing({"keys": [{"kty": "oct", "k": "A" * 43}]})
    await stage.verifier(stage.site.url + "?key=hunter2")
    assert caplog.records
    assert "hunter2" not in caplog.text


async def test_a_rsa_key_that_is_weak_is_left_out(stage: Stage) -> None:
    good = stage.centre.ring.keys[0].public_jwk()
    strong = Centre("RS256").ring.keys[0].public_jwk() or {}
    stage.site.behaviour = publishing({"keys": [strong | {"e": "Aw"}, strong | {"n": strong["n"][:171]}, good]})
    assert len(kids(await stage.verifier())) == 1


async def test_a_single_key_is_a_set_too(stage: Stage) -> None:
    stage.site.behaviour = publishing(stage.centre.ring.keys[0].public_jwk())
    assert (await stage.verifier()).verify(await stage.centre.token())


async def test_tokens_of_a_key_that_is_gone_are_refused_at_once(stage: Stage) -> None:
    verifier = await stage.verifier()
    token = await stage.centre.token()
    assert verifier.verify(token)
    stage.site.behaviour = publishing({"keys": stage.centre.jwks["keys"][1:]})
    await fetched(verifier)
    with pytest.raises(TokenInvalid):
        verifier.verify(token)


# When they are fetched


async def test_they_are_fetched_again_at_every_interval(stage: Stage) -> None:
    verifier = await stage.verifier(refresh_interval=30 * _MS, cooldown=10 * _MS)
    stage.centre.ring.rotate()
    stage.site.behaviour = publishing(stage.centre.jwks)
    await until(lambda: len(kids(verifier)) == 3)
    assert verifier.verify(await stage.centre.token())


async def test_a_cooldown_longer_than_the_interval_does_not_lengthen_it(stage: Stage) -> None:
    await stage.verifier(refresh_interval=30 * _MS, cooldown=_HOUR)
    await until(lambda: stage.site.requests >= 3)


async def test_nothing_is_fetched_in_between(stage: Stage) -> None:
    verifier = await stage.verifier()
    tokens = [await stage.centre.token() for _ in range(100)]
    for token in tokens * 2:
        verifier.verify(token)
        with pytest.raises(TokenInvalid):
            verifier.verify(token + "A")
    await asyncio.sleep(0)
    assert stage.site.requests == 1


async def test_an_unknown_kid_is_answered_at_once_and_asks_for_a_fetch(stage: Stage, library: ModuleType) -> None:
    verifier = await stage.verifier()
    gateway = JWTRefreshMiddleware(Inner(), verifier=verifier)
    stage.centre.ring.rotate()
    stage.centre.ring.rotate()  # the one that signs now was not there at the start
    good, new = await _token_of_the_first_key(stage), await stage.centre.token()
    stage.site.behaviour = publishing(stage.centre.jwks)
    stage.site.gate.clear()

    async def get(token: str) -> Any:
        return await ask(gateway, "GET", "/x", headers={"authorization": f"Bearer {token}"})

    assert_problem(await get(new), "token_invalid")
    await until(lambda: stage.site.requests == 2)
    for _ in range(10):  # it is still being fetched
        assert_problem(await get(new), "token_invalid")
        assert (await get(good)).status == 200
    assert stage.site.requests == 2
    stage.site.gate.set()
    await until(lambda: len(kids(verifier)) == 4)
    assert (await get(new)).status == 200


async def _token_of_the_first_key(stage: Stage) -> str:
    first = next(one.key for one in stage.centre.ring.held if one.key.public_jwk() == _first(stage))
    issuer = Issuer(KeyRing([first]), MemoryStore())
    token = (await issuer.login("ann")).access_token
    await issuer.aclose()
    return token


def _first(stage: Stage) -> Any:
    """The oldest of those that only verify was the current one when the site's answer was made."""
    held = [one for one in stage.centre.ring.held if one.state == "previous"]
    return min(held, key=lambda one: one.until).key.public_jwk()


@pytest.mark.case("A09")
async def test_unknown_kids_cause_one_fetch_for_each_cooldown(stage: Stage) -> None:
    verifier = await stage.verifier(cooldown=_HOUR, refresh_interval=2 * _HOUR)
    unknown = [await Centre().token() for _ in range(50)]
    for token in unknown * 20:
        with pytest.raises(TokenInvalid):
            verifier.verify(token)
        await asyncio.sleep(0)
    assert stage.site.requests == 1, "the one of the start"


async def test_closing_and_opening_does_not_shorten_a_cooldown(stage: Stage) -> None:
    verifier = await stage.verifier(cooldown=_HOUR, refresh_interval=2 * _HOUR)
    keys = source(verifier)
    for _ in range(5):
        await keys.close()
        assert not keys.is_running()
        await asyncio.wait_for(keys.open(), 5)
        assert keys.is_running()
        for _ in range(5):  # the task has begun by then
            await asyncio.sleep(0)
    assert keys.fetches == stage.site.requests == 1
    assert verifier.verify(await stage.centre.token())


async def test_opened_again_after_the_cooldown_it_fetches_at_once(stage: Stage) -> None:
    verifier = await stage.verifier(cooldown=10 * _MS)
    keys = source(verifier)
    await keys.close()
    stage.centre.ring.rotate()
    stage.site.behaviour = publishing(stage.centre.jwks)
    await keys.open()
    await until(lambda: len(kids(verifier)) == 3)


async def test_another_thread_may_ask_for_a_fetch(stage: Stage) -> None:
    """The loop is in debug mode: then it notices what another thread must not do."""
    asyncio.get_running_loop().set_debug(True)
    verifier = await stage.verifier()
    unknown = await Centre().token()
    await until(lambda: source(verifier)._wanted._waiters)  # type: ignore[attr-defined]  # the cool-down is over
    refused: list[Exception] = []

    def request() -> None:
        try:
            verifier.verify(unknown)
        except TokenInvalid as error:
            refused.append(error)

    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 8
    await until(lambda: stage.site.requests == 2)
    asyncio.get_running_loop().set_debug(False)


async def test_many_who_open_it_at_once_wait_for_one_fetch(stage: Stage) -> None:
    verifier = Verifier.from_jwks_url(stage.site.url)
    keys = source(verifier)
    stage.site.gate.clear()
    waiting = [asyncio.ensure_future(keys.ready()) for _ in range(20)]
    await until(lambda: stage.site.requests == 1)
    assert not any(task.done() for task in waiting)
    stage.site.gate.set()
    await asyncio.gather(*waiting)
    assert stage.site.requests == 1
    assert len(kids(verifier)) == 2
    await keys.close()


# When the issuer is down, and at the end


async def test_an_issuer_that_is_down_does_not_stop_the_start(
    library: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    centre, inner, port = Centre(), Inner(), free_port()
    verifier = Verifier.from_jwks_url(f"http://127.0.0.1:{port}/auth/jwks.json", cooldown=20 * _MS)
    gateway = JWTRefreshMiddleware(inner, verifier=verifier, public=["/open"])
    run = LifespanRun(gateway)
    assert (await run.tell("startup"))["type"] == "lifespan.startup.complete"
    headers = {"authorization": f"Bearer {await centre.token()}"}
    reply = await ask(gateway, "GET", "/x", headers=headers)
    assert_problem(reply, "keys_unavailable")
    assert (await ask(gateway, "GET", "/open")).status == 200
    assert inner.calls == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    async with Site(publishing(centre.jwks), port):
        await until(lambda: verifier.keys.held)
    assert (await ask(gateway, "GET", "/x", headers=headers)).status == 200
    await fetched(verifier)
    assert (await ask(gateway, "GET", "/x", headers=headers)).status == 200, "and down again"
    assert (await run.tell("shutdown"))["type"] == "lifespan.shutdown.complete"
    assert not source(verifier).is_running()
    await centre.issuer.aclose()


async def test_a_start_waits_for_a_slow_issuer_as_long_as_it_may(stage: Stage) -> None:
    stage.site.gate.clear()
    verifier = await stage.verifier(timeout=50 * _MS)
    assert kids(verifier) == set()
    stage.site.gate.set()
    await until(lambda: kids(verifier))


async def test_without_a_lifespan_the_first_request_waits_for_the_keys(stage: Stage) -> None:
    verifier = Verifier.from_jwks_url(stage.site.url)
    gateway = JWTRefreshMiddleware(Inner(), verifier=verifier)
    reply = await ask(gateway, "GET", "/x", headers={"authorization": f"Bearer {await stage.centre.token()}"})
    assert reply.body == b"hello ann"
    await source(verifier).close()


async def test_closing_ends_a_fetch_under_way(stage: Stage, library: ModuleType) -> None:
    verifier = await stage.verifier()
    keys, before = source(verifier), asyncio.all_tasks()
    stage.site.gate.clear()
    keys.missed()
    await until(lambda: stage.site.requests == 2)
    await asyncio.wait_for(keys.close(), 5)
    await keys.close()
    assert not keys.is_running()
    assert not [task for task in before if "_go_on" in repr(task) and not task.done()]
    keys.missed()
    assert verifier.verify(await stage.centre.token()), "the keys stay as they are"


def test_it_is_opened_again_in_another_loop(library: ModuleType) -> None:
    centre, port = Centre(), free_port()
    verifier = Verifier.from_jwks_url(f"http://127.0.0.1:{port}/", cooldown=10 * _MS)
    keys = source(verifier)

    async def once(*, close: bool) -> None:
        async with Site(publishing(centre.jwks), port) as site:
            await keys.ready()
            await until(lambda: site.requests)
            assert keys.is_running()
            await until(lambda: len(kids(verifier)) == len(centre.ring.keys))
            assert verifier.verify(await centre.token())
            if close:
                await keys.close()

    for close in (True, True, False):  # the last loop ends before anybody closes it
        asyncio.run(once(close=close))
        assert not keys.is_running()
        keys.missed()
        centre.ring.rotate()
    asyncio.run(keys.close())


async def test_a_library_that_cannot_even_make_a_client_ends_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy in the environment that is none, for instance."""
    monkeypatch.setenv("ALL_PROXY", "nonsense://127.0.0.1")
    verifier = await stage.verifier("https://127.0.0.1:1/jwks", timeout=1000 * _MS)
    await until(lambda: source(verifier).fetches >= 3)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    with pytest.raises(KeysUnavailable):
        verifier.verify(await stage.centre.token())


async def test_this_machine_is_not_asked_by_a_proxy(
    stage: Stage, library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await stage.verifier()).keys.held


async def test_a_certificate_that_nobody_vouches_for_gives_no_keys(
    stage: Stage, library: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["ssl_certfile"], files["ssl_keyfile"])
    for name in ("ALL_PROXY", "HTTPS_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with Site(publishing(stage.centre.jwks), context=context) as site:
        assert (await stage.verifier(site.url)).keys.held == ()
        assert site.requests == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(files["ssl_certfile"]))
        assert (await stage.verifier(site.url)).verify(await stage.centre.token())


async def test_what_fails_in_a_follower_is_tried_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = Verifier.from_jwks_url(stage.site.url, cooldown=10 * _MS)
    keys = source(verifier)
    tell, failures = keys.tell, [RuntimeError("not now")]

    def telling(contents: Any) -> None:
        if failures:
            raise failures.pop()
        tell(contents)

    monkeypatch.setattr(keys, "tell", telling)
    await keys.open()
    await until(lambda: kids(verifier))
    await keys.close()
