"""The token file."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jwt_refresh_middleware.client import _file
from jwt_refresh_middleware.client.httpx import TokenFile

TOKENS = {"access_token": "secret-access", "refresh_token": "secret-refresh", "expires_in": 60}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def test_what_was_saved_is_loaded(path: Path) -> None:
    file = TokenFile(path)
    assert file.load() is None
    file.save(TOKENS)
    assert TokenFile(str(path)).load() == TOKENS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.delete()
    file.delete()
    assert file.load() is None


def test_an_open_mode_is_closed(path: Path) -> None:
    path.write_text("{}")
    path.chmod(0o644)
    TokenFile(path).save(TOKENS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_save_that_fails_leaves_the_old_file_and_no_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = TokenFile(path)
    file.save(TOKENS)

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(_file.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        file.save(TOKENS | {"expires_in": 5})
    assert file.load() == TOKENS
    assert os.listdir(path.parent) == ["tokens.json"]
    with pytest.raises(TypeError):
        file.save({"a": object()})
    assert os.listdir(path.parent) == ["tokens.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"secret-refresh", b"\xff", b"[" * 100_000])
def test_rubbish_is_an_error_that_does_not_tell_it(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a JSON object") as caught:
        TokenFile(path).load()
    assert caught.value.__context__ is None
    assert "secret" not in repr(caught.value)


def test_no_directory(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "none" / "tokens.json")
    assert file.load() is None
    with pytest.raises(FileNotFoundError):
        file.save(TOKENS)
    with pytest.raises(FileNotFoundError):
        file.acquire()
    with pytest.raises(FileNotFoundError):
        file.acquire()


def test_the_lock_excludes_others_and_itself(path: Path) -> None:
    one, two = TokenFile(path), TokenFile(path)
    assert one.acquire(False)
    assert not one.acquire(False) and not two.acquire(False)
    one.release()
    assert two.acquire(False) and not one.acquire(False)
    two.release()
    with pytest.raises(ValueError, match="does not wait"):
        one.acquire(True)


def test_the_lock_of_a_process_that_dies_is_free(path: Path) -> None:
    code = "import sys, os; from jwt_refresh_middleware.client.httpx import TokenFile; f = TokenFile(sys.argv[1]); "
    code += "print(f.acquire(), flush=True); sys.stdin.read(); os.kill(os.getpid(), 9)"
    command = [sys.executable, "-c", code, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "True\n"
        assert not TokenFile(path).acquire()
        process.stdin.close()
        process.wait(20)
    again = TokenFile(path)
    assert again.acquire()
    again.release()


def test_its_repr_has_the_path_only(path: Path) -> None:
    file = TokenFile(path)
    file.save(TOKENS)
    assert repr(file) == f"TokenFile({str(path)!r})"
    assert json.loads(path.read_text()) == TOKENS
