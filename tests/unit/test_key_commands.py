"""``python -m jwt_refresh_middleware keys``: what it writes, what it refuses, and that nothing private is printed."""

import fcntl
import json
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware import Issuer, KeyRing, MemoryStore
from jwt_refresh_middleware.__main__ import main
from jwt_refresh_middleware.errors import TokenInvalid
from jwt_refresh_middleware.key_file import read_key_file
from jwt_refresh_middleware.key_texts import ALGORITHMS

OLD_SECRET = "the old secret".ljust(40, ".")
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "k")


class Bench:
    """A file of keys and the command line for it, with the clock in hand."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = directory / "keys.json"
        self.now = 1_800_000_000.4
        self._capsys = capsys
        monkeypatch.setattr(time, "time", lambda: self.now)

    def __call__(self, verb: str, *arguments: str, code: int = 0) -> str:
        """Carry it out; returns what it said, which is on standard error only if it failed."""
        assert main(["keys", verb, "--file", str(self.path), *arguments]) == code
        out, err = self._capsys.readouterr()
        assert (err if code == 0 else out) == ""
        assert "Traceback" not in err
        self._tells_nothing_private(out + err)
        return str(out + err)

    def _tells_nothing_private(self, said: str) -> None:
        if self.path.exists():
            content = self.content()
            hidden = [jwk[name] for jwk in content["keys"] for name in _PRIVATE if name in jwk]
            assert not [text for text in [*hidden, *content.get("secrets", [])] if text in said]

    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.path.read_text())
        return content

    def states(self) -> dict[str, str]:
        """The kid in each state; of previous keys the last one."""
        return {jwk["state"]: jwk["kid"] for jwk in self.content()["keys"]}

    def kids(self) -> set[str]:
        return {jwk["kid"] for jwk in self.content()["keys"]}


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, capsys, monkeypatch)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_new_file_has_a_key_that_signs_and_one_that_is_next(keys: Bench, algorithm: str) -> None:
    keys("generate", "--algorithm", algorithm)
    assert [jwk["state"] for jwk in keys.content()["keys"]] == ["current", "next"]
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    ring = KeyRing.from_file(keys.path)
    assert ring.signing is not None
    assert ring.signing.algorithm == algorithm
    issuer = Issuer(ring, MemoryStore())
    token = (await issuer.login("ann")).access_token
    assert issuer.verifier.verify(token).subject == "ann"
    await issuer.aclose()


def test_without_an_option_it_is_eddsa_in_keys_json(
    keys: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(keys.path.parent)
    assert main(["keys", "generate"]) == 0
    assert {jwk["alg"] for jwk in keys.content()["keys"]} == {"EdDSA"}


def test_a_file_that_is_there_is_not_overwritten(keys: Bench) -> None:
    keys("generate")
    before = keys.path.read_bytes()
    assert "is there already" in keys("generate", code=2)
    assert keys.path.read_bytes() == before
    assert [*keys.path.parent.iterdir()] == [keys.path]


def test_a_broken_link_is_not_written_through(keys: Bench) -> None:
    keys.path.symlink_to(keys.path.with_name("elsewhere"))
    assert main(["keys", "generate", "--file", str(keys.path)]) == 2
    assert not keys.path.exists()


def test_a_rotation_waits_until_everybody_can_have_the_next_key(keys: Bench) -> None:
    keys("generate")
    first = keys.states()
    keys.now += 358
    said = keys("rotate", code=2)
    assert "try again in" in said
    assert "--force" in said
    assert keys.states() == first
    keys.now += 3
    keys("rotate")
    second = keys.states()
    assert (second["current"], second["previous"]) == (first["next"], first["current"])
    assert second["next"] not in first.values()
    keys("rotate", code=2)


def test_how_long_it_waits_can_be_said(keys: Bench) -> None:
    keys("generate")
    keys.now += 30
    keys("rotate", "--published-for", "31", code=2)
    keys("rotate", "--published-for", "29.5")
    keys("rotate", "--force")
    keys("rotate", "--published-for", "0")


def test_the_old_key_verifies_for_the_overlap_and_is_dropped_by_the_next_rotation(keys: Bench) -> None:
    keys("generate")
    old = keys.states()["current"]
    keys("rotate", "--force")
    until = next(jwk["until"] for jwk in keys.content()["keys"] if jwk["kid"] == old)
    assert keys.now + 960 <= until < keys.now + 961
    keys.now += 959
    keys("rotate")
    assert old in keys.kids()
    keys.now += 361
    assert next(row for row in json.loads(keys("show", "--json")) if row["kid"] == old)["state"] == "gone"
    assert old not in keys("show", "--jwks")
    keys("rotate", "--overlap", "7200")
    assert old not in keys.kids()
    assert max(jwk.get("until", 0) for jwk in keys.content()["keys"]) >= keys.now + 7200


def test_the_secrets_stay_the_same_when_keys_rotate(keys: Bench) -> None:
    keys("generate")
    secrets = keys.content()["secrets"]
    keys("rotate", "--force")
    assert keys.content()["secrets"] == secrets
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


async def test_keys_of_ones_own_are_taken_over_and_refresh_tokens_survive(keys: Bench) -> None:
    made = KeyRing.generate("ES256")
    keys.path.write_text(json.dumps({"keys": [made.keys[0].private_jwk()]}))
    keys.path.chmod(0o600)
    store = MemoryStore()
    before = Issuer(KeyRing.from_file(keys.path), store)
    pair = await before.login("ann")
    assert "secrets" not in keys.content()
    keys("rotate")
    assert keys.states()["current"] == made.keys[0].kid, "a key is published before it signs"
    keys.now += 361
    keys("rotate")
    assert keys.states()["previous"] == made.keys[0].kid
    after = Issuer(KeyRing.from_file(keys.path), store)
    assert after.verifier.verify(pair.access_token).subject == "ann"
    assert (await after.refresh(pair.refresh_token)).session.subject == "ann"
    await before.aclose()
    await after.aclose()


def test_public_keys_beside_ones_own_stay(keys: Bench) -> None:
    own, other = KeyRing.generate("ES256").keys[0], KeyRing.generate("ES256").keys[0]
    keys.path.write_text(json.dumps({"keys": [own.private_jwk(), other.public_jwk()]}))
    keys("rotate")
    keys("rotate", "--force")
    assert {own.kid, other.kid} < keys.kids()


async def test_refresh_tokens_survive_the_change_from_a_secret_to_key_pairs(
    keys: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_SECRET", OLD_SECRET)
    store = MemoryStore()
    before = Issuer(OLD_SECRET, store)
    pair = await before.login("ann")
    keys("generate", "--secret-from-env", "AUTH_SECRET")
    after = Issuer(KeyRing.from_file(keys.path), store)
    with pytest.raises(TokenInvalid) as refused:
        after.verifier.verify(pair.access_token)
    assert refused.value.action == "refresh"
    pair = await after.refresh(pair.refresh_token)
    assert after.verifier.verify(pair.access_token).subject == "ann"
    assert (await before.refresh(pair.refresh_token)).session.subject == "ann", "back again, if need be"
    await before.aclose()
    await after.aclose()


async def test_a_secret_goes_into_a_file_and_nobody_notices(keys: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = "the newer secret".ljust(40, ".")
    monkeypatch.setenv("NEWER", newer)
    monkeypatch.setenv("OLDER", OLD_SECRET)
    store = MemoryStore()
    before = Issuer([newer, OLD_SECRET], store)
    pairs = [await before.login("ann"), await Issuer(OLD_SECRET, store).login("bob")]
    keys("generate", "--algorithm", "HS256", "--secret-from-env", "NEWER", "--secret-from-env", "OLDER")
    after = Issuer(KeyRing.from_file(keys.path), store)
    for pair in pairs:
        assert after.verifier.verify(pair.access_token)
        assert before.verifier.verify((await after.refresh(pair.refresh_token)).access_token)
    await before.aclose()
    await after.aclose()


@pytest.mark.parametrize("secret", [None, "", "x" * 31])
def test_a_secret_that_is_none_is_refused(keys: Bench, monkeypatch: pytest.MonkeyPatch, secret: str | None) -> None:
    monkeypatch.delenv("AUTH_SECRET", raising=False)
    if secret is not None:
        monkeypatch.setenv("AUTH_SECRET", secret)
    said = keys("generate", "--secret-from-env", "AUTH_SECRET", code=2)
    assert "AUTH_SECRET" in said
    assert not secret or secret not in said
    assert not keys.path.exists()


def test_the_same_secret_twice_makes_no_file(keys: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", OLD_SECRET)
    twice = ("--secret-from-env", "ONE") * 2
    assert OLD_SECRET not in keys("generate", "--algorithm", "HS256", *twice, code=1)
    assert not keys.path.exists()


def test_a_stolen_key_is_out_at_once_and_another_signs(keys: Bench) -> None:
    keys("generate")
    first = keys.states()
    keys("remove", "--", first["current"])
    second = keys.states()
    assert second["current"] == first["next"]
    assert first["current"] not in keys.kids()
    assert len(keys.kids()) == 2
    keys("remove", "--", second["next"])
    third = keys.states()
    assert third["current"] == second["current"]
    assert third["next"] != second["next"]
    keys("rotate", "--force")
    keys("remove", "--", third["current"])
    assert keys.states() == {"current": third["next"], "next": keys.states()["next"]}


def test_the_only_key_can_be_removed_too(keys: Bench) -> None:
    only = KeyRing.generate("ES256").keys[0]
    keys.path.write_text(json.dumps({"keys": [only.private_jwk()]}))
    keys("remove", "--", only.kid)
    assert {jwk["state"] for jwk in keys.content()["keys"]} == {"current", "next"}
    assert only.kid not in keys.kids()


def test_what_is_not_there_cannot_be_removed(keys: Bench) -> None:
    keys("generate")
    before = keys.path.read_bytes()
    assert "'-none'" in keys("remove", "--", "-none", code=2)
    assert keys.path.read_bytes() == before


def test_what_is_shown(keys: Bench) -> None:
    keys("generate", "--algorithm", "RS256")
    keys("rotate", "--force")
    rows = json.loads(keys("show", "--json"))
    assert [row["state"] for row in rows] == ["current", "previous", "next"]
    assert rows[1] == {
        "kid": keys.states()["previous"],
        "algorithm": "RS256",
        "state": "previous",
        "since": "2027-01-15T08:00:00Z",
        "until": "2027-01-15T08:16:01Z",
    }
    table = keys("show").splitlines()
    assert table[0].split() == ["kid", "algorithm", "state", "since", "until"]
    assert [line.split()[2] for line in table[1:]] == ["current", "previous", "next"]
    jwks = json.loads(keys("show", "--jwks"))
    assert jwks == KeyRing.from_file(keys.path).jwks()
    assert len(jwks["keys"]) == 3


def test_nothing_of_shared_secrets_is_published(keys: Bench) -> None:
    keys("generate", "--algorithm", "HS256")
    assert json.loads(keys("show", "--jwks")) == {"keys": []}
    assert "HS256" in keys("show")


def test_keys_without_a_time_are_shown_without_one(keys: Bench) -> None:
    keys.path.write_text(json.dumps({"keys": [KeyRing.generate("ES256").keys[0].private_jwk()]}))
    assert json.loads(keys("show", "--json"))[0]["since"] is None
    content = keys.content()
    content["keys"][0] |= {"state": "current", "since": 1e300}
    keys.path.write_text(json.dumps(content))
    assert "1e+300" in keys("show")


@pytest.mark.parametrize("verb", [["show"], ["rotate"], ["remove", "x"]])
@pytest.mark.parametrize("damage", ["missing", "a directory", "not JSON", "no keys", "short secret"])
def test_a_file_that_cannot_be_used_is_an_error(keys: Bench, verb: list[str], damage: str) -> None:
    secret = "c2hvcnQ"
    texts = {
        "not JSON": '{"keys": [{"kty": "OKP", "d": "a-private-thing',
        "no keys": '{"keys": []}',
        "short secret": json.dumps({"keys": [KeyRing.generate("ES256").keys[0].private_jwk()], "secrets": [secret]}),
    }
    if damage == "a directory":
        keys.path.mkdir()
    elif damage != "missing":
        keys.path.write_text(texts[damage])
    assert main(["keys", *verb[:1], "--file", str(keys.path), *verb[1:]]) == 1
    out, err = keys._capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert err.startswith("python -m jwt_refresh_middleware: ")
    assert "a-private-thing" not in err
    assert secret not in err
    if damage in texts:
        assert keys.path.read_text() == texts[damage]


def test_public_keys_are_not_rotated(keys: Bench) -> None:
    keys.path.write_text(json.dumps({"keys": [KeyRing.generate("ES256").keys[0].public_jwk()]}))
    before = keys.path.read_bytes()
    assert "cannot sign" in keys("rotate", code=1)
    assert keys.path.read_bytes() == before


def test_a_file_is_never_filled_beyond_what_can_be_read(keys: Bench) -> None:
    keys("generate")
    for _ in range(62):
        keys("rotate", "--force")
    assert len(keys.kids()) == 64
    assert "64" in keys("rotate", "--force", code=2)
    assert len(read_key_file(keys.path).held) == 64


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["keys"],
        ["keys", "burn"],
        ["keys", "remove"],
        ["keys", "generate", "--algorithm", "none"],
        ["keys", "rotate", "--overlap", "-1"],
        ["keys", "rotate", "--overlap", "nan"],
        ["keys", "rotate", "--published-for", "inf"],
        ["keys", "rotate", "--published-for", "1e3"],
        ["keys", "show", "--json", "--jwks"],
    ],
)
def test_what_is_not_understood_has_the_exit_code_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: ")


def test_a_change_that_came_first_is_not_lost(keys: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has to wait goes on with the file that the one before it has left."""
    keys("generate")
    first, lock, locks = keys.kids(), fcntl.flock, 0

    def slow(descriptor: int, operation: int) -> None:
        nonlocal locks
        locks += 1
        if locks == 1:
            content = keys.content()
            content["secrets"].insert(0, "A" * 43)
            replaced = keys.path.with_name("replaced")
            replaced.write_text(json.dumps(content))
            replaced.replace(keys.path)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    keys("rotate", "--force")
    assert first < keys.kids()
    assert keys.content()["secrets"][0] == "A" * 43
    assert locks == 2


def test_rotations_at_once_are_all_carried_out(keys: Bench) -> None:
    keys("generate")
    before = keys.kids()
    rotate = ["keys", "rotate", "--force", "--file", str(keys.path)]
    threads = [threading.Thread(target=main, args=(rotate,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert before < keys.kids()
    assert len(keys.kids()) == 10
    assert [*keys.path.parent.iterdir()] == [keys.path]


@pytest.mark.parametrize("last", ["os.fsync", "os.fdopen", "os.fchown", "pathlib.Path.replace"])
def test_a_crash_in_the_middle_leaves_the_file_whole(keys: Bench, monkeypatch: pytest.MonkeyPatch, last: str) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: Any, **__: Any) -> None:
        raise Crash

    keys("generate")
    before = keys.path.read_bytes()
    other = os.stat_result((0o600, 1, 1, 1, 4711, 4711, 1, 1, 1, 1))
    with monkeypatch.context() as patch:
        if last == "os.fchown":
            patch.setattr("jwt_refresh_middleware.key_file.os.fstat", lambda _: other)
            patch.setattr("jwt_refresh_middleware.command_line.key_changes.os.path.samestat", lambda *_: True)
        patch.setattr(last, crash)
        with pytest.raises(Crash):
            main(["keys", "rotate", "--force", "--file", str(keys.path)])
    assert keys.path.read_bytes() == before
    keys("rotate", "--force")
    assert len(keys.kids()) == 3


_KILLED = """
import os, pathlib, signal, sys
from jwt_refresh_middleware.__main__ import main

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

{point} = die
main(["keys", "rotate", "--force", "--file", sys.argv[1]])
"""


@pytest.mark.parametrize("point", ["os.fsync", "os.fdopen", "pathlib.Path.replace"])
def test_a_command_that_is_killed_leaves_the_file_whole_and_no_lock(keys: Bench, point: str) -> None:
    keys("generate")
    before = keys.path.read_bytes()
    command = [sys.executable, "-c", _KILLED.format(point=point), str(keys.path)]
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": root}, check=False)
    assert ended.returncode == -9
    assert keys.path.read_bytes() == before
    keys("rotate", "--force")
    assert len(keys.kids()) == 3


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-m", "jwt_refresh_middleware", "keys", *arguments]
        root = str(Path(__file__).parents[2])
        return subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=False
        )

    made, again, shown = run("generate"), run("generate"), run("show", "--json")
    assert (made.returncode, again.returncode, shown.returncode) == (0, 2, 0)
    assert "Traceback" not in again.stderr
    assert [row["state"] for row in json.loads(shown.stdout)] == ["current", "next"]
