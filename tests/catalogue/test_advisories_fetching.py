"""Advisories about keys that are fetched: from where, how often, and what becomes of those that are there."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware import JWTRefreshMiddleware, KeyRing, Verifier
from jwt_refresh_middleware.errors import KeysUnavailable
from jwt_refresh_middleware.remote import RemoteKeys

from ..unit.jwks_site import Site, publishing, response, saying, until
from ..web.asgi import ask
from ..web.problems import assert_problem
from ..web.support import Clock, Inner
from .forge import claims, header, jws, pair, pem, token, under
from .spellings import of_public

HOUR = timedelta(hours=1)
OUR_KEYS = KeyRing.from_pem(pem("ES256")).jwks()


class Gateway:
    """A middleware whose keys come from a site on this machine."""

    def __init__(self, url: str, **options: Any) -> None:
        self.verifier = Verifier.from_jwks_url(url, clock=Clock(), **options)
        source = self.verifier.keys.source
        assert isinstance(source, RemoteKeys)
        self.source = source
        self.app = JWTRefreshMiddleware(Inner(), verifier=self.verifier)

    async def get(self, text: str) -> Any:
        return await ask(self.app, "GET", "/x", headers={"authorization": f"Bearer {text}"})


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def _opened(closing: AsyncExitStack, url: str, **options: Any) -> Gateway:
    gateway = Gateway(url, **options)
    closing.push_async_callback(gateway.source.close)
    await gateway.source.open()
    return gateway


def _genuine(**more: Any) -> str:
    with under("ES256"):
        return jws(header(kid=OUR_KEYS["keys"][0]["kid"], **more), claims())


@pytest.mark.case("A09")
async def test_cve_2026_48524_unknown_kids_and_a_failed_fetch(closing: AsyncExitStack) -> None:
    """There, every unknown key id fetched the keys again, and when that failed there were none at all."""
    site = await closing.enter_async_context(Site(publishing(OUR_KEYS)))
    gateway = await _opened(closing, site.url, refresh_interval=HOUR, cooldown=HOUR)
    with under("ES256"):
        for number in range(300):
            forged = jws(header(kid=f"unknown-{number}"), claims(), "the attacker's key")
            assert_problem(await gateway.get(forged), "token_invalid")
            await asyncio.sleep(0.001)  # so that a fetch could begin
    assert (site.requests, gateway.source.fetches) == (1, 1), "the fetch of the start: the cool-down is not over"

    other = await closing.enter_async_context(Site(publishing(OUR_KEYS)))
    gateway = await _opened(closing, other.url, refresh_interval=HOUR, cooldown=timedelta(milliseconds=20))
    for failing in (saying(b""), saying(response(b"{}")), saying(response(b"", status="500 Oh")), publishing([])):
        other.behaviour, before = failing, gateway.source.fetches

        def failed_once_more(before: int = before) -> bool:
            gateway.source.missed()
            return gateway.source.fetches >= before + 2

        await until(failed_once_more)
        assert (await gateway.get(_genuine())).body == b"hello alice"


@pytest.mark.case("A11")
async def test_cve_2026_48522_only_https_or_this_machine(tmp_path: Path) -> None:
    """There, the URL of the keys could be a file, FTP, or the keys themselves: whatever the library opened."""
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(OUR_KEYS))
    data = f"data:application/json,{json.dumps(OUR_KEYS)}"
    for url in (
        file.as_uri(), f"file://localhost{file}", str(file), data, "data:,x", "ftp://127.0.0.1/jwks.json",
        "http://users.example.com/jwks.json", "gopher://127.0.0.1/", "jar:file:///x!/y", "//users.example.com/k",
        "http://127.0.0.1@users.example.com/", "http://localhost.evil.example/", "http://169.254.169.254/latest",
        "https:///jwks.json", "unix:/run/keys", "javascript:1", "",
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"JWK Set|https"):
            Verifier.from_jwks_url(url)


@pytest.mark.case("A09", "A11")
async def test_cve_2026_102267_no_redirect_is_followed(closing: AsyncExitStack) -> None:
    """There, the issuer's answer could send the fetch elsewhere: to another's keys, or into the internal network."""
    with under("ES256"):
        forged = jws(header(kid="theirs"), claims(), "the attacker's key")
    theirs = json.loads(str(of_public(pair("ES256", "somebody else's").public_key())["jwk"])) | {"kid": "theirs"}
    elsewhere = await closing.enter_async_context(Site(publishing({"keys": [theirs]})))
    site = await closing.enter_async_context(Site(publishing(OUR_KEYS)))
    gateway = await _opened(closing, site.url, refresh_interval=HOUR, cooldown=timedelta(milliseconds=20))
    for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "300 Choose"):
        for to in (elsewhere.url, "file:///etc/passwd", "//127.0.0.1/", "/other.json"):
            site.behaviour = saying(response(json.dumps({"keys": [theirs]}).encode(), f"Location: {to}", status=status))
            before = gateway.source.fetches

            def fetched_again(before: int = before) -> bool:
                gateway.source.missed()
                return gateway.source.fetches >= before + 2

            await until(fetched_again)
            assert_problem(await gateway.get(forged), "token_invalid")
    assert elsewhere.requests == 0
    assert all(head.startswith(b"GET /auth/jwks.json ") for head in site.heads)
    assert (await gateway.get(_genuine())).body == b"hello alice", "the keys of before are kept"
    fresh = await _opened(closing, site.url, timeout=timedelta(seconds=10))  # and where there were none, there are none
    with pytest.raises(KeysUnavailable):
        fresh.verifier.verify(token())


@pytest.mark.case("A11")
async def test_what_a_header_points_to_is_never_asked(closing: AsyncExitStack) -> None:
    """The other half of both: it is the configuration that says where keys come from, and no token."""
    elsewhere = await closing.enter_async_context(Site(publishing(OUR_KEYS)))
    site = await closing.enter_async_context(Site(publishing(OUR_KEYS)))
    gateway = await _opened(closing, site.url, refresh_interval=HOUR, cooldown=HOUR)
    for name in ("jku", "x5u", "x5c", "jwk"):
        assert_problem(await gateway.get(_genuine(**{name: elsewhere.url})), "token_invalid")
    assert_problem(await gateway.get(_genuine(iss=elsewhere.url) + "x"), "token_invalid")
    assert (elsewhere.requests, site.requests) == (0, 1)
