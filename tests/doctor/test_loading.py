"""An app that cannot be imported: one line, with the exception and its place, and no secret in it."""

import os
import sys

import pytest

from jwt_refresh_middleware.doctor import CannotExamine, NotUnderstood
from jwt_refresh_middleware.doctor.loading import load, told

from .patients import Surgery


def refusal(surgery: Surgery, text: str, *, factory: bool = False) -> str:
    target = surgery.write("broken_app", text)
    with pytest.raises(CannotExamine) as caught:
        surgery.examine(target, factory=factory)
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    assert caught.value.__cause__ is None
    return message


@pytest.mark.parametrize("target", ["main", "main:", ":app", "main:app()", "main.py:app", "../main:app", ""])
def test_a_target_of_another_form(target: str) -> None:
    with pytest.raises(NotUnderstood):
        load(target, app_dir=".", factory=False)


def test_a_module_that_is_not_there(surgery: Surgery) -> None:
    with pytest.raises(CannotExamine, match=r"ModuleNotFoundError: No module named 'no_such_module_here'$"):
        surgery.examine("no_such_module_here:app")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n\nraise LookupError('no table of users')", "LookupError: no table of users (%s:3)"),
        ("import sys\nsys.exit('give me a port')", "SystemExit: give me a port (%s:2)"),
        ("def app(:\n    pass", "SyntaxError: invalid syntax (broken_app.py, line 1) (%s:1)"),
        ("import json\njson.loads('{')", "broken_app.py:2)"),
        ("other = 1", "broken_app has no 'app'"),
        ("app = object()", "there is no JWTRefreshMiddleware in broken_app:app"),
        ("def app():\n    return None", "there is no JWTRefreshMiddleware in broken_app:app (if it is a function that"),
    ],
)
def test_it_is_said_what_and_where(surgery: Surgery, text: str, expected: str) -> None:
    path = str(surgery.directory / "broken_app.py")
    message = refusal(surgery, text)
    assert (expected % path if "%s" in expected else expected) in message


def test_a_factory_that_fails(surgery: Surgery) -> None:
    message = refusal(surgery, "def app():\n    raise KeyError('DATABASE')", factory=True)
    assert "calling broken_app:app failed: KeyError" in message
    assert message.endswith("broken_app.py:2)")


def test_what_fails_in_a_library_is_traced_back_to_the_app(surgery: Surgery) -> None:
    message = refusal(surgery, "from jwt_refresh_middleware import KeyRing\nKeyRing.from_secret('too short')")
    assert "ValueError: a secret needs at least 32 bytes" in message
    assert "keys.py:" in message
    assert message.endswith(f"from {surgery.directory / 'broken_app.py'}:2)")


def test_nothing_secret_is_said(surgery: Surgery) -> None:
    surgery.set(MY_DATABASE_PASSWORD="open sesame")
    message = refusal(
        surgery,
        "import os\n"
        "raise ValueError(f\"cannot reach postgresql://ada:hunter2@db/x with {os.environ['AUTH_SECRET']}, \"\n"
        "    f\"{os.environ['MY_DATABASE_PASSWORD']} and aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ1\")",
    )
    assert "cannot reach postgresql://***@db/x with ***, *** and ***" in message


def test_only_the_first_line_of_a_message_is_said() -> None:
    error = ValueError("1 validation error for Settings\nsecret\n  input_value='hunter2'")
    assert told(error, {}) == "ValueError: 1 validation error for Settings"


def test_a_middleware_of_somebody_else_that_cannot_be_made(surgery: Surgery) -> None:
    message = refusal(
        surgery,
        "from fastapi import FastAPI\n"
        "from starlette.middleware.cors import CORSMiddleware\n"
        "from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore\n"
        "app = FastAPI()\n"
        "app.add_middleware(JWTRefreshMiddleware, issuer=Issuer('0123456789abcdef' * 2, MemoryStore()))\n"
        "app.add_middleware(CORSMiddleware, allow_origin_regex='(')\n",
    )
    assert "its middleware cannot be made: " in message


def test_what_an_app_prints_is_no_part_of_the_report(surgery: Surgery, capsys: pytest.CaptureFixture[str]) -> None:
    target = surgery.write(
        "chatty",
        "print('hello')\n"
        "from jwt_refresh_middleware import Issuer, JWTRefreshMiddleware, MemoryStore\n"
        "app = JWTRefreshMiddleware(None, issuer=Issuer('0123456789abcdef' * 2, MemoryStore()))\n",
    )
    surgery.examine(target, twice=True)
    assert capsys.readouterr() == ("", "hello\n")


def test_the_app_of_a_directory_is_found_as_a_server_finds_it(surgery: Surgery) -> None:
    (surgery.directory / "src").mkdir()
    (surgery.directory / "src" / "inner_app.py").write_text("class holder:\n    app = 'found'")
    assert load("inner_app:holder.app", app_dir="src", factory=False) == "found"
    assert os.fspath((surgery.directory / "src").resolve()) in sys.path
    surgery.forget("inner_app")
