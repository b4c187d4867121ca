"""A bounded form of ``python -m tests.fuzz atheris``, and that it finds what is put there to be found."""

import shutil
from pathlib import Path

import pytest

from .atheris_run import NAMES, ROOT, fuzz, why_impossible

pytestmark = pytest.mark.skipif(bool(why_impossible()), reason=why_impossible() or "-")
RUNS, LIMIT = 3000, 240


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_found(name: str) -> None:
    ended = fuzz(name, f"-runs={RUNS}", seed=1, limit=LIMIT)
    assert ended.trouble == ""
    assert ended.runs >= RUNS
    assert ended.coverage > 12  # places in the package; what decides on paths is small


PLANTED = {
    "authorization": ("web/transport.py", "_SPACE in token or _COMMA in token", "_SPACE in token"),
    "refresh-token": ("refresh.py", "!= _LENGTH or not text.isascii():", "!= _LENGTH:"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str, tmp_path: Path) -> None:
    """In a copy of the package: a comma in a token, and an exception that nobody has documented."""
    for part in ("jwt_refresh_middleware", "tests/fuzz"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    file, old, new = PLANTED[name]
    path = tmp_path / "jwt_refresh_middleware" / file
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    ended = fuzz(name, "-runs=200000", seed=1, limit=LIMIT, root=tmp_path)
    assert "input b'" in ended.trouble
    assert ("AssertionError" if name == "authorization" else "UnicodeEncodeError") in ended.trouble
