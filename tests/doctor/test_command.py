"""``doctor module:app``: what it prints, how it ends, and the shape of its JSON."""

import json
import sys

import pytest
import typer

from jwt_refresh_middleware.command_line.doctor import doctor
from jwt_refresh_middleware.command_line.refused import Failed, Refused

from .patients import APPS, ROOT, Surgery


class CommandLine:
    """The one command, as the command line has it among others."""

    def __init__(self, surgery: Surgery, capsys: pytest.CaptureFixture[str]) -> None:
        self.surgery = surgery
        self._capsys = capsys
        app = typer.Typer()
        app.command()(doctor)
        self._command = typer.main.get_command(app)

    def __call__(self, target: str, *options: str) -> tuple[int, str]:
        """The exit code and what was said on standard output."""
        if ":" not in target:
            target = f"{APPS}.{target}:app"
        self.surgery.forget(target.partition(":")[0])
        code = self._command.main(args=[target, "--once", *options], standalone_mode=False)
        return code or 0, self._capsys.readouterr().out


@pytest.fixture
def command(surgery: Surgery, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    surgery.directory.joinpath("tests").symlink_to(ROOT / "tests")
    return CommandLine(surgery, capsys)


def test_nothing_found(command: CommandLine) -> None:
    assert command("sound", "--scheme", "https") == (0, f"{APPS}.sound:app: nothing found\n")


def test_something_found(command: CommandLine) -> None:
    code, said = command("memory_store", "--workers", "4")
    assert code == 3
    assert said.splitlines() == [
        "Errors:",
        "  workers.memory_store: MemoryStore with 4 workers (--workers) (JWTRefreshMiddleware)",
        "      Use SQLiteStore, RedisStore or SQLAlchemyStore; or one worker.",
        "",
        "Worth knowing:",
        "  wiring.unlimited: there are no login_limits (JWTRefreshMiddleware)",
        "      Give the middleware login_limits=LoginLimits().",
        "",
        f"{APPS}.memory_store:app: 1 errors, 0 warnings, 1 notes",
    ]


def test_notes_alone_are_no_failure(command: CommandLine) -> None:
    code, said = command("memory_store")
    assert code == 0
    assert "0 errors, 0 warnings, 1 notes" in said


def test_the_shape_of_the_json(command: CommandLine) -> None:
    code, said = command("weak_secret", "--json")
    document = json.loads(said)
    assert code == 3
    assert [*document] == ["target", "middlewares", "errors", "warnings", "infos", "findings"]
    assert document["target"] == f"{APPS}.weak_secret:app"
    assert document["middlewares"] == ["JWTRefreshMiddleware"]
    assert (document["errors"], document["warnings"], document["infos"]) == (1, 0, 1)
    assert [[*finding] for finding in document["findings"]] == [["check", "severity", "summary", "advice", "where"]] * 2
    assert document["findings"][0]["check"] == "secret.weak"
    assert "thirty-two" not in said


def test_what_is_said_of_the_circumstances_arrives(command: CommandLine) -> None:
    command.surgery.set(REDIS_URL="redis://127.0.0.1:1/0")
    assert command("unknown_proxy", "--proxy-headers")[0] == 3
    assert command("no_redis", "--offline")[0] == 0
    assert command("no_redis", "--timeout", "0.5")[0] == 3
    assert command("cookie_without_tls", "--scheme", "http")[0] == 0
    assert command("sound", "--scheme", "http", "--host", "0.0.0.0")[0] == 3
    assert command("public_misspelt", "--root-path", "/v1")[1].count("public.root_path") == 1


def test_a_factory(command: CommandLine) -> None:
    text = "from tests.doctor.apps.sound import app as made\n\n\ndef app():\n    return made\n"
    target = command.surgery.write("made_here", text)
    assert command(target, "--factory")[0] == 0
    with pytest.raises(Failed, match="--factory"):
        command(target)


def test_what_is_not_understood_and_what_cannot_be_done(command: CommandLine) -> None:
    with pytest.raises(Refused):
        command("main.py:app")
    with pytest.raises(Failed, match="ModuleNotFoundError"):
        command("nowhere_at_all:app")
    with pytest.raises(typer.TyperException):
        command("sound", "--workers", "0")


def test_another_directory(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    (command.surgery.directory / "src").mkdir()
    (command.surgery.directory / "src" / "in_src.py").write_text("raise LookupError('it was found')")
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(Failed, match="it was found"):
        command("in_src:app", "--app-dir", "src")
