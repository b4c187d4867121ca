"""A ring over a file: what is read, what is picked up while it runs, and what changes nothing."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, KeyRing, MemoryStore, Verifier
from jwt_refresh_middleware.__main__ import main
from jwt_refresh_middleware.errors import TokenInvalid
from jwt_refresh_middleware.key_file import MAX_BYTES, key_file_text, read_key_file, write_key_file
from jwt_refresh_middleware.key_states import Contents
from tests.web.asgi import ask
from tests.web.support import Inner

QUICK = timedelta(milliseconds=10)
_PATIENCE = 10.0


def make(path: Path, algorithm: str = "EdDSA") -> None:
    assert main(["keys", "generate", "--file", str(path), "--algorithm", algorithm]) == 0


def rotate(path: Path) -> None:
    assert main(["keys", "rotate", "--force", "--file", str(path)]) == 0


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not happened():
            await asyncio.sleep(0.002)


def signing(ring: KeyRing) -> str:
    assert ring.signing is not None
    return ring.signing.kid


def kid_of(path: Path, state: str = "current") -> str:
    return next(str(jwk["kid"]) for jwk in json.loads(path.read_text())["keys"] if jwk["state"] == state)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "keys.json"
    make(made)
    return made


@asynccontextmanager
async def opened(path: Path, store: MemoryStore | None = None, **options: Any) -> AsyncIterator[tuple[Issuer, KeyRing]]:
    """An issuer that looks at the file all the time."""
    ring = KeyRing.from_file(path, interval=QUICK)
    async with Issuer(ring, store or MemoryStore(), **options) as issuer:
        yield issuer, ring


@pytest.fixture
def problems(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What the log says that is no good news."""
    caplog.set_level(logging.INFO, "jwt_refresh_middleware")

    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

    yield said
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519", "ES256", "RS256", "HS256"])
def test_what_is_written_is_what_is_read(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "keys.json"
    make(path, algorithm)
    rotate(path)
    contents = read_key_file(path)
    other = tmp_path / "other.json"
    write_key_file(other, contents, new=True)
    assert other.read_bytes() == path.read_bytes()
    assert [(one.key.kid, one.state, one.since, one.until) for one in read_key_file(other).held] == [
        (one.key.kid, one.state, one.since, one.until) for one in contents.held
    ]


def _changed(content: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**content, "keys": [content["keys"][0] | members, *content["keys"][1:]]}


_DAMAGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "a list": lambda content: content["keys"],
    "no keys": lambda _: {"keys": []},
    "keys is no list": lambda content: content | {"keys": content["keys"][0]},
    "too many keys": lambda content: content | {"keys": content["keys"] * 33},
    "a key twice": lambda content: content | {"keys": content["keys"] + content["keys"][:1]},
    "two are current": lambda content: content | {"keys": [jwk | {"state": "current"} for jwk in content["keys"]]},
    "two are next": lambda content: content | {"keys": [jwk | {"state": "next"} for jwk in content["keys"]]},
    "an unknown state": lambda content: _changed(content, state="gone"),
    "a state that is no text": lambda content: _changed(content, state=1),
    "a time that is no number": lambda content: _changed(content, since="1800000000"),
    "a time that is true": lambda content: _changed(content, until=True),
    "a key that is no object": lambda content: content | {"keys": ["key"]},
    "a private half of another": lambda content: _changed(content, d=content["keys"][1]["d"]),
    "no secrets": lambda content: content | {"secrets": []},
    "secrets that are no list": lambda content: content | {"secrets": content["secrets"][0]},
    "secrets that are no text": lambda content: content | {"secrets": [1]},
    "secrets that are no base64url": lambda content: content | {"secrets": ["+" * 43]},
    "secrets that are not ASCII": lambda content: content | {"secrets": ["ä" * 43]},
    "a short secret": lambda content: content | {"secrets": ["A" * 42]},
}


@pytest.mark.parametrize("damage", _DAMAGED)
def test_what_cannot_be_used_is_refused_without_being_quoted(path: Path, damage: str) -> None:
    content = json.loads(path.read_text())
    hidden = [*(jwk["d"] for jwk in content["keys"]), *content["secrets"]]
    path.write_text(json.dumps(_DAMAGED[damage](content)))
    with pytest.raises(ValueError, match=r"keys\.json: ") as refused:
        KeyRing.from_file(path)
    assert not [text for text in hidden if text in str(refused.value)]
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"keys": 1, "keys": 2}', b" " * (MAX_BYTES + 1)])
def test_what_is_no_json_is_refused(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"keys\.json: "):
        KeyRing.from_file(path)


def test_a_missing_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        KeyRing.from_file(tmp_path / "keys.json")


def test_public_keys_alone_cannot_be_written(path: Path) -> None:
    public = KeyRing.from_jwks(KeyRing.from_file(path).jwks())
    with pytest.raises(ValueError, match="public"):
        key_file_text(Contents(public.held, ()))


def test_keys_without_a_state_are_in_the_order_of_a_ring(tmp_path: Path) -> None:
    path, pairs = tmp_path / "keys.json", [KeyRing.generate("ES256").keys[0] for _ in range(3)]
    listed = [pairs[0].public_jwk(), pairs[1].private_jwk(), pairs[2].private_jwk()]
    path.write_text(json.dumps({"keys": listed}))
    path.chmod(0o600)
    ring = KeyRing.from_file(path)
    assert signing(ring) == pairs[1].kid
    assert [one.state for one in ring.held] == ["current", "previous", "previous"]
    assert ring.secrets == (pairs[1].secret_of_its_own(), pairs[2].secret_of_its_own())


def test_the_owner_of_a_file_stays_the_owner(path: Path) -> None:
    """Root rotates, and the service can still read its keys."""
    if os.getuid() != 0:
        with pytest.MonkeyPatch.context() as patch:
            given: list[tuple[int, int]] = []
            before = os.stat_result((0o100600, 1, 1, 1, 4711, 4712, 1, 1, 1, 1))
            patch.setattr("jwt_refresh_middleware.key_file.os.fstat", lambda _: before)
            patch.setattr("jwt_refresh_middleware.key_file.os.fchown", lambda _, *who: given.append(who))
            write_key_file(path, read_key_file(path))
        assert given == [(os.getuid(), path.stat().st_gid)]
        return
    os.chown(path, 4711, 4712)
    rotate(path)
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (4711, 4712, 0o600)


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(path)
    before = kid_of(path)
    rotate(link)
    assert link.is_symlink()
    assert kid_of(path) != before


async def test_a_rotation_is_picked_up_and_old_tokens_stay_good(path: Path) -> None:
    async with opened(path) as (issuer, ring):
        before = await issuer.login("ann")
        rotate(path)
        await until(lambda: signing(ring) == kid_of(path))
        after = await issuer.login("ann")
        for pair in (before, after):
            assert issuer.verifier.verify(pair.access_token).subject == "ann"
        assert (await issuer.refresh(before.refresh_token)).session.subject == "ann"
        assert len(issuer.verifier.keys.jwks()["keys"]) == 3


async def test_another_process_knows_the_key_before_it_has_read_the_file_again(path: Path) -> None:
    late = Verifier(KeyRing.from_file(path))
    async with opened(path) as (issuer, ring):
        rotate(path)
        await until(lambda: signing(ring) == kid_of(path))
        assert late.verify((await issuer.login("ann")).access_token).subject == "ann"


async def test_a_key_that_is_removed_is_gone_at_once_remembered_or_not(path: Path) -> None:
    async with opened(path) as (issuer, ring):
        token = (await issuer.login("ann")).access_token
        assert issuer.verifier.verify(token)
        stolen = signing(ring)
        assert main(["keys", "remove", "--file", str(path), "--", stolen]) == 0
        await until(lambda: signing(ring) != stolen)
        with pytest.raises(TokenInvalid):
            issuer.verifier.verify(token)
        assert issuer.verifier.verify((await issuer.login("ann")).access_token)
        assert stolen not in str(ring.jwks())


async def test_keys_stay_as_long_as_tokens_live_whatever_the_file_says(path: Path) -> None:
    async with opened(path, access_ttl=timedelta(hours=1)) as (issuer, ring):
        token = (await issuer.login("ann")).access_token
        assert main(["keys", "rotate", "--force", "--overlap", "0", "--file", str(path)]) == 0
        await until(lambda: signing(ring) == kid_of(path))
        assert issuer.verifier.verify(token)
        previous = next(one for one in ring.held if one.state == "previous")
        assert previous.until >= previous.since + 3600


async def test_a_ring_over_a_file_is_not_rotated_in_memory(path: Path) -> None:
    with pytest.raises(ValueError, match="rotated there"):
        KeyRing.from_file(path).rotate()


def put(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Whole from one moment to the next, as nobody meets half of it by chance."""
    beside = path.with_name("beside")
    beside.write_text(text)
    beside.chmod(mode)
    beside.replace(path)


def _without_private_keys(path: Path) -> None:
    put(path, json.dumps(KeyRing.from_file(path).jwks()))


def _without_a_current_one(path: Path) -> None:
    content = json.loads(path.read_text())
    put(path, json.dumps(content | {"keys": [jwk for jwk in content["keys"] if jwk["state"] != "current"]}))


def _halved(path: Path) -> None:
    put(path, path.read_text()[: path.stat().st_size // 2])


_AWAY: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: put(path, ""),
    "cut off": _halved,
    "public only": _without_private_keys,
    "nothing signs": _without_a_current_one,
}


@pytest.mark.parametrize("how", _AWAY)
async def test_a_file_that_goes_bad_changes_nothing_and_the_log_says_so_once(
    path: Path, how: str, problems: Callable[[], list[str]]
) -> None:
    text = path.read_text()
    content = json.loads(text)
    hidden = [*(jwk["d"] for jwk in content["keys"]), *content["secrets"]]
    async with opened(path) as (issuer, ring):
        held, token = ring.held, (await issuer.login("ann")).access_token
        _AWAY[how](path)
        looks = _count_looks(ring)
        await until(lambda: looks() >= 5)
        assert len(problems()) == 1
        assert problems()[0].startswith("the keys stay as they are: ")
        assert str(path) in problems()[0]
        assert not [one for one in hidden if one in problems()[0]]
        assert ring.held == held
        assert issuer.verifier.verify(token)
        assert issuer.verifier.verify((await issuer.login("bob")).access_token)
        put(path, text)
        rotate(path)
        await until(lambda: signing(ring) == kid_of(path))
        _AWAY[how](path)
        await until(lambda: len(problems()) == 2)


def _count_looks(ring: KeyRing) -> Callable[[], int]:
    source: Any = ring.source
    look, looks = source._changed, 0

    def counted() -> Any:
        nonlocal looks
        looks += 1
        return look()

    source._changed = counted
    return lambda: looks


async def test_a_file_that_may_not_be_read_changes_nothing(
    path: Path, problems: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(path) as (_, ring):
        held, read = ring.held, Path.open

        def refused(self: Path, *args: Any, **named: Any) -> Any:
            if self == path:
                raise PermissionError(13, "Permission denied", str(path))
            return read(self, *args, **named)

        rotate(path)
        monkeypatch.setattr(Path, "open", refused)
        path.touch()
        await until(lambda: any("Permission denied" in line for line in problems()) or ring.held != held)
        monkeypatch.undo()
        await until(lambda: signing(ring) == kid_of(path))


async def test_a_file_that_others_can_read_is_used_and_the_log_warns(
    path: Path, problems: Callable[[], list[str]]
) -> None:
    path.chmod(0o644)
    async with opened(path) as (_, ring):
        assert problems() == [f"{path} holds private keys and can be read by others: chmod 600 it"]
        rotate(path)
        await until(lambda: signing(ring) == kid_of(path))
        assert len(problems()) == 1, "the rotation has put that right"
        put(path, path.read_text(), mode=0o640)
        await until(lambda: len(problems()) == 2)


def test_public_keys_may_be_read_by_others(path: Path, problems: Callable[[], list[str]]) -> None:
    _without_private_keys(path)
    path.chmod(0o644)
    assert Verifier(KeyRing.from_file(path)).keys.signing is None
    assert problems() == []


async def test_no_request_looks_at_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = KeyRing.from_file(path, interval=timedelta(hours=1))
    verifier = Verifier(KeyRing.from_file(path, interval=timedelta(hours=1)))
    async with Issuer(ring, MemoryStore()) as issuer:
        service, gateway = (
            JWTRefreshMiddleware(Inner(), issuer=issuer),
            JWTRefreshMiddleware(Inner(), verifier=verifier),
        )
        await _requests(issuer, service, gateway)  # opens the verifier, and is seen by what measures coverage
        calls: list[str] = []
        for module, names in ((os, ("stat", "open", "fstat", "lstat", "scandir")), (Path, ("stat", "open"))):
            for name in names:
                _note(monkeypatch, module, name, calls)
        _note(monkeypatch, asyncio, "to_thread", calls)
        for _ in range(20):
            await _requests(issuer, service, gateway)
        monkeypatch.undo()
        assert verifier.backing is not None
        await verifier.backing.close()
    assert calls == []


async def _requests(issuer: Issuer, service: JWTRefreshMiddleware, gateway: JWTRefreshMiddleware) -> None:
    """One of every kind that looks at a key."""
    pair = await issuer.login("ann")
    for app in (service, gateway):
        for text, status in ((pair.access_token, 200), (pair.access_token + "x", 401), ("x" * 50, 401)):
            reply = await ask(app, "GET", "/x", headers={"authorization": f"Bearer {text}"})
            assert reply.status == status
        assert (await ask(app, "GET", "/auth/jwks.json")).status == 200
    refreshed = await ask(service, "POST", "/auth/refresh", json_body={"refresh_token": pair.refresh_token})
    assert refreshed.status == 200


def _note(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, calls: list[str]) -> None:
    called = getattr(module, name)

    def noted(*args: Any, **named: Any) -> Any:
        calls.append(name)
        return called(*args, **named)

    monkeypatch.setattr(module, name, noted)


async def test_a_gateway_without_a_store_picks_it_up_too(path: Path) -> None:
    verifier = Verifier(KeyRing.from_file(path, interval=QUICK))
    gateway = JWTRefreshMiddleware(Inner(), verifier=verifier)
    async with opened(path) as (issuer, ring):
        for _ in range(3):  # three steps: what signs now was not in the file at the start
            before = signing(ring)
            rotate(path)
            await until(lambda before=before: signing(ring) != before)  # type: ignore[misc]
        token = (await issuer.login("ann")).access_token
        reply = await ask(gateway, "GET", "/x", headers={"authorization": f"Bearer {token}"})
        assert reply.body == b"hello ann", "the first request opens it, and opening looks at the file"
    assert verifier.backing is not None
    await verifier.backing.close()
    await verifier.backing.close()


def test_it_is_opened_again_in_another_loop(path: Path) -> None:
    ring = KeyRing.from_file(path, interval=QUICK)

    async def once() -> None:
        assert ring.source is not None
        before = signing(ring)
        await ring.source.open()
        await ring.source.open()
        assert ring.source.is_running()
        rotate(path)
        await until(lambda: signing(ring) != before)
        ring.source.missed()

    for _ in range(2):
        asyncio.run(once())
        assert ring.source is not None
        assert not ring.source.is_running()


async def test_an_issuer_changes_from_one_family_to_the_other(path: Path, tmp_path: Path) -> None:
    """A file of another family takes its place while the service runs; the secrets are the same."""
    other, secrets = tmp_path / "other.json", json.loads(path.read_text())["secrets"]
    make(other, "HS256")
    other.write_text(json.dumps(json.loads(other.read_text()) | {"secrets": secrets}))
    async with opened(path) as (issuer, ring):
        pair = await issuer.login("ann")
        other.replace(path)
        await until(lambda: signing(ring) == kid_of(path))
        with pytest.raises(TokenInvalid):
            issuer.verifier.verify(pair.access_token)
        assert issuer.verifier.verify((await issuer.refresh(pair.refresh_token)).access_token)


async def test_a_secret_is_changed_in_three_steps_and_nobody_is_logged_out(path: Path) -> None:
    async with opened(path) as (issuer, ring):
        pair = await issuer.login("ann")
        content = json.loads(path.read_text())
        (old,), new = content["secrets"], "A" * 43
        for secrets in ([old, new], [new, old], [new]):
            before = len(ring.secrets), ring.secrets[0]
            put(path, json.dumps(content | {"secrets": secrets}))
            await until(lambda before=before: (len(ring.secrets), ring.secrets[0]) != before)  # type: ignore[misc]
            pair = await issuer.refresh(pair.refresh_token)
