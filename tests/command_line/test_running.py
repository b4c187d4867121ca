"""How commands end, and what is said then: exit codes, one line, no traceback, no colours in a pipe."""

import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jwt_refresh_middleware.__main__ import main
from jwt_refresh_middleware.command_line import exit_codes, keys, output, running

from .support import NAME, Line, environment, run

_BROKEN = """
import sys
from jwt_refresh_middleware.__main__ import main

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
sys.exit(main(["keys", "show"]))
"""


@pytest.mark.parametrize("hidden", ["typer", "rich"])
def test_without_the_libraries_it_says_what_to_install(hidden: str) -> None:
    command = [sys.executable, "-c", _BROKEN.format(hidden=hidden)]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == exit_codes.FAILED
    assert ended.stdout == ""
    assert "pip install 'jwt-refresh-middleware[cli]'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_another_module_that_is_missing_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt_refresh_middleware.command_line.running", None)
    with pytest.raises(ModuleNotFoundError):
        main(["keys", "show"])


def test_the_version_is_said(line: Line) -> None:
    assert line("--version").startswith("jwt-refresh-middleware ")


@pytest.mark.parametrize(
    "command",
    [
        *("", "keys", "keys generate", "keys rotate", "keys remove", "keys show", "sessions", "sessions list"),
        *("sessions show", "sessions revoke", "sessions revoke-all", "purge", "explain", "doctor"),
    ],
)
def test_every_command_helps(line: Line, command: str) -> None:
    said = line(*command.split(), "--help")
    assert f"Usage: {NAME} {command}".rstrip() in " ".join(said.split())
    if not command:
        assert exit_codes.IN_WORDS.split(";")[0] in " ".join(said.split())
    elif command not in ("keys", "sessions"):
        assert "--json" in said
    assert said.isascii() or "\u2500" not in said


def test_exit_codes_are_what_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    documented = {int(code) for code in re.findall(r"^\| `(\d+)` \|", page, re.MULTILINE)}
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert documented == codes


_TOKEN = f"eyJhbGciOiJIUzI1NiJ9.{'c2VjcmV0' * 6}.{'c2ln' * 10}"


@pytest.mark.parametrize(
    "wrong",
    [
        ["explain", _TOKEN, _TOKEN],
        ["explain", f"--{_TOKEN}"],
        ["explain", "--leeway", _TOKEN, "x"],
        ["explain", f"--leeway={_TOKEN}", "x"],
        [_TOKEN],
        ["keys", "generate", "--algorithm", _TOKEN],
    ],
)
def test_what_is_not_understood_is_not_repeated_at_length(line: Line, wrong: list[str]) -> None:
    line(*wrong, code=2)
    assert "c2VjcmV0" not in line.err
    assert line.err.startswith("usage: ")
    assert len(line.err.splitlines()) == 2


def test_what_nobody_expected_is_one_line(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"here is a token: {_TOKEN}")

    monkeypatch.setattr(keys, "read_key_file", fail)
    line("keys", "show", code=1)
    assert line.err == f"{NAME}: unexpected RuntimeError (--debug shows where)\n"


def test_a_traceback_comes_if_it_is_asked_for_without_tokens(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"here is a token: {_TOKEN}")

    monkeypatch.setattr(keys, "read_key_file", fail)
    assert main(["--debug", "keys", "show"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "here is a token: …" in said
    assert "c2VjcmV0" not in said


def test_ctrl_c_ends_it(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(keys, "read_key_file", interrupt)
    assert main(["keys", "show"]) == exit_codes.INTERRUPTED


INTERRUPTED_BY_CTRL_C = """
import signal, sys
from jwt_refresh_middleware.__main__ import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # where these tests are run, it may be ignored
sys.exit(main())
"""


def test_ctrl_c_ends_a_wait_for_a_store() -> None:
    """A server that takes the connection and says nothing; the signal comes when it has been called."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(4)
        silent.settimeout(60)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        command = ["-c", INTERRUPTED_BY_CTRL_C, "sessions", "list", "ann", "--timeout", "60", "--store", url]
        called_by = subprocess.Popen([sys.executable, *command], env=environment(), stderr=subprocess.PIPE, text=True)
        with called_by as process:
            try:
                called, _ = silent.accept()
                with called:
                    process.send_signal(signal.SIGINT)
                    _, said = process.communicate(timeout=30)
            finally:
                process.kill()
    assert process.returncode == exit_codes.INTERRUPTED
    assert "Traceback" not in said


def test_a_pipe_that_nobody_reads_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "jwt_refresh_middleware", "--help"]
    ended = subprocess.run(
        command, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=120
    )
    os.close(write)
    assert ended.returncode == exit_codes.FAILED
    assert "Traceback" not in ended.stderr


def test_the_name_is_that_of_the_script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/jwt-refresh", "keys", "show", "--file", "/nowhere"])
    assert main() == 1
    assert capsys.readouterr().err.startswith("jwt-refresh: /nowhere: ")


def test_the_script_is_installed_beside_python() -> None:
    script = shutil.which("jwt-refresh", path=str(Path(sys.executable).parent))
    if script is None:
        script_of = json.dumps("jwt_refresh_middleware.__main__:main")
        assert f"jwt-refresh = {script_of}" in (Path(__file__).parents[2] / "pyproject.toml").read_text()
        return
    ended = subprocess.run([script, "--version"], capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")


# On a terminal, and not.


def on_a_terminal(*arguments: str, **more: str) -> str:
    """What a command prints on one; ``more``: in its environment."""
    ours, its = pty.openpty()
    env = {**environment(more), "TERM": "xterm-256color", "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-m", "jwt_refresh_middleware", *arguments], stdin=its, stdout=its, stderr=its, env=env
    )
    os.close(its)
    said = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # it has ended
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    assert process.wait(60) == 0
    return said.decode()


@pytest.fixture
def file(tmp_path: Path, line: Line) -> str:
    path = str(tmp_path / "keys.json")
    line("keys", "generate", "--file", path)
    return path


def test_a_terminal_gets_a_table_with_colours_unless_it_wants_none(file: str) -> None:
    coloured = on_a_terminal("keys", "show", "--file", file)
    assert "\x1b[" in coloured
    assert "─" in coloured or "━" in coloured
    plain = on_a_terminal("keys", "show", "--file", file, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3\d", plain), "no colours"
    assert "─" in plain or "━" in plain


def test_a_pipe_gets_columns_without_colours_and_boxes(file: str) -> None:
    said = run("keys", "show", "--file", file, env={"FORCE_COLOR": "1"})
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.isascii()
    assert "\x1b" not in said.stdout
    assert [line.split()[2] for line in said.stdout.splitlines()] == ["state", "current", "next"]


@pytest.mark.parametrize("verb", [["rotate", "--force"], ["show"]])
def test_keys_are_told_as_json(line: Line, file: str, verb: list[str]) -> None:
    for row in line.json("keys", *verb, "--file", file):
        assert {*row} == {"kid", "algorithm", "state", "since", "until"}


def test_generate_and_remove_tell_json_too(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = line.json("keys", "generate", "--file", path)
    left = line.json("keys", "remove", "--file", path, "--", made[0]["kid"])
    assert [one["state"] for one in left] == ["current", "next"]
    assert left[0]["kid"] == made[1]["kid"]


def test_markup_in_a_table_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    output.say_table([{"agent": "[red]evil[/red] \x1b[2J"}])
    output.say_fields({"agent": "[link=https://evil.example]here"})
    assert "[red]evil[/red] \\x1b[2J" in terminal.getvalue()
    assert "[link=https://evil.example]here" in terminal.getvalue()


def test_one_place_knows_the_exit_codes() -> None:
    for code in (exit_codes.DONE, exit_codes.FAILED, exit_codes.REFUSED, exit_codes.FOUND, exit_codes.INTERRUPTED):
        assert f"{code} " in exit_codes.IN_WORDS
    assert running.FAILED == exit_codes.FAILED
