"""The dependencies have the types that handlers declare."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def mypy(text: str, cache: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={cache}", "--config-file=", "--command", text]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stdout + done.stderr


def test_handlers_get_what_they_declare(tmp_path):
    sample = Path(__file__).with_name("sample.py").read_text()
    status, said = mypy(sample, tmp_path)
    assert status == 0, said
    wrong = sample.replace("assert_type(maybe, AccessToken | None)", "maybe.subject").replace("max_age=60", "60")
    status, said = mypy(wrong, tmp_path)
    assert status == 1
    assert 'Item "None" of "AccessToken | None" has no attribute "subject"' in said
    assert "Too many positional arguments" in said
