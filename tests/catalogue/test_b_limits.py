"""What an attack may not cause inside: B04, B09 and B11, that nothing large is decoded; A08 and A11, that nothing is
opened and nobody called."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from jwt_refresh_middleware import verifier
from jwt_refresh_middleware.access import MAX_TOKEN_BYTES

from .attack import Target
from .forge import b64, claims, header, jws, parts, segment, token, with_header


class Decoder:
    """What is read of tokens meanwhile: the length of each piece of base64url and of JSON."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lengths: list[int] = []
        for name in ("b64url_decode", "json_object"):
            monkeypatch.setattr(verifier, name, self._noting(getattr(verifier, name)))

    def _noting(self, read: Any) -> Any:
        def reading(raw: bytes) -> Any:
            self.lengths.append(len(raw))
            return read(raw)

        return reading


def _large() -> dict[str, str]:
    head, body, signature = parts(token())
    unencoded = segment(header(crit=["b64"], b64=False))
    return {
        "B04-8MB-unencoded": f"{unencoded}.{'x' * 8_000_000}.{signature}",
        "B04-8MB-detached": f"{unencoded}..{'A' * 8_000_000}",
        "B09-100000-in-the-header": jws(b"[" * 100_000, claims()),
        "B09-100000-in-the-payload": jws(header(), b"[" * 100_000),
        "B11-a-byte-too-long": f"{head}.{body}{'A' * (MAX_TOKEN_BYTES + 1 - len(token()))}.{signature}",
        "B11-64KB-of-dots": "." * 65_536,
        "B11-1MB-signature": f"{head}.{body}.{signature}{'A' * 1_000_000}",
        "B11-16MB-header": f"{head}{'A' * 16_000_000}.{body}.{signature}",
    }


@pytest.mark.parametrize("name", _large())
async def test_what_is_too_long_is_not_decoded(target: Target, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    decoder = Decoder(monkeypatch)
    reply = await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {_large()[name]}"})
    assert (reply.code, decoder.lengths) == ("token_invalid", [])


@pytest.mark.parametrize("where", ["B09-header", "B09-payload"])
async def test_what_is_deep_and_short_is_read_once(target: Target, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """As deep as what fits; a header before anybody has shown a signature."""
    deep = b'{"a":' + b"[" * 3000
    text = jws(deep, claims()) if where == "B09-header" else jws(header(), deep)
    decoder = Decoder(monkeypatch)
    reply = await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {text}"})
    assert reply.code == "token_invalid"
    assert sum(decoder.lengths) <= 2 * len(text)


_OUTWARD = ("open", "socket.connect", "socket.getaddrinfo", "socket.sendto", "sqlite3.connect", "subprocess.Popen")


class _Watch:
    """Notes what this process opens and whom it calls, as long as it is switched on: a hook is never taken away."""

    def __init__(self) -> None:
        self.is_on = False
        self.noted: list[tuple[str, Any]] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.is_on and event in _OUTWARD:
            self.noted.append((event, args))


@pytest.fixture(scope="module")
def hook() -> _Watch:
    return _Watch()


@pytest.fixture
def watch(hook: _Watch) -> Iterator[_Watch]:
    hook.noted.clear()
    yield hook
    hook.is_on = False


LURES: dict[str, dict[str, Any]] = {
    "A08-file": {"kid": "../../../../etc/hostname"},
    "A08-absolute": {"kid": "/dev/null"},
    "A08-file-url": {"kid": "file:///etc/hostname"},
    "A08-sql": {"kid": "x' UNION SELECT 'AAAA' -- "},
    "A08-command": {"kid": "| cat /etc/hostname"},
    "A08-nul": {"kid": "/dev/null\0.pem"},
    "A08-url": {"kid": "http://127.0.0.1:9/key"},
    "A11-jku": {"jku": "https://127.0.0.1:9/jwks.json"},
    "A11-jku-file": {"jku": "file:///etc/hostname"},
    "A11-x5u": {"x5u": "https://127.0.0.1:9/certificate"},
    "A11-both": {"kid": "new", "jku": "https://127.0.0.1:9/jwks.json", "x5u": "https://127.0.0.1:9/c"},
    "A11-iss-as-jku": {"iss": "https://127.0.0.1:9", "jku": "https://127.0.0.1:9/.well-known/jwks.json"},
    "A11-data": {"jku": "data:application/json;base64," + b64(b'{"keys": []}')},
}


@pytest.mark.parametrize("members", LURES.values(), ids=LURES)
async def test_nothing_is_opened_and_nobody_called(target: Target, watch: _Watch, members: dict[str, Any]) -> None:
    lures = [with_header(**members), jws(header(**members), claims(), "somebody else's key of 32 bytes and more")]
    watch.is_on = True
    replies = [await target.service.ask("GET", "/x", headers={"authorization": f"Bearer {one}"}) for one in lures]
    watch.is_on = False
    assert [reply.code for reply in replies] == ["token_invalid"] * 2
    assert watch.noted == []


def test_the_watch_sees_what_it_is_there_for(watch: _Watch) -> None:
    """Otherwise the cases above would prove nothing."""
    watch.is_on = True
    with open("/dev/null"):
        pass
    watch.is_on = False
    assert [event for event, _ in watch.noted] == ["open"]
