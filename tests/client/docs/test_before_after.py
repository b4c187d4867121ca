"""The table "Before and after" of docs/browser-client.md: its two files in each of its scenarios."""

import json
import re
import shutil
from pathlib import Path

import pytest

from .conftest import CLIENT, PAGE, blocks, run

SCENARIOS = Path(__file__).with_name("scenarios.mjs")
WELL = {"signedIn": [True, True], "over": False, "leaked": False}


@pytest.fixture(scope="module")
def directory(axios: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both files of the page, and what they import."""
    made = tmp_path_factory.mktemp("page")
    (made / "package.json").write_text('{"type": "module"}')
    (made / "node_modules").symlink_to(axios, target_is_directory=True)
    shutil.copy(SCENARIOS, made)
    for block in blocks():
        if block.name in ("before.js", "api.js"):
            (made / block.name).write_text(block.source.replace('"/auth/client/', f'"{CLIENT.as_uri()}/'))
    return made


@pytest.fixture
def play(node: str, directory: Path):
    def play(file: str, scenario: str) -> dict:
        result = run(node, "scenarios.mjs", file, scenario, directory=directory)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return play


def test_two_tabs(play):
    before, after = play("before.js", "tabs"), play("api.js", "tabs")
    assert before["over"]
    assert before["refreshes"] == 2
    assert after == {"ended": [200, 200], "refreshes": 1} | WELL


@pytest.mark.parametrize("fault", ["lost", "unavailable"])
def test_a_refresh_without_a_good_answer(play, fault):
    before, after = play("before.js", fault), play("api.js", fault)
    assert before["signedIn"] == [False, False]
    assert after == {"ended": [200], "refreshes": 2} | WELL


def test_a_session_that_is_over(play):
    before, after = play("before.js", "dead"), play("api.js", "dead")
    assert before["ended"] == ["never"]
    assert after["ended"] == [401]
    assert after["signedIn"] == [False, False]


def test_requests_that_wait_for_a_refresh_that_fails(play):
    before, after = play("before.js", "waiting"), play("api.js", "waiting")
    assert before["ended"] == [503, "never", "never"]
    assert after["ended"] == [503, 503, 503]
    assert after["signedIn"] == [True, True]


def test_a_late_401(play):
    before, after = play("before.js", "late"), play("api.js", "late")
    assert before["refreshes"] == 2
    assert after == {"ended": [200, 200], "refreshes": 1} | WELL


def test_a_logout_during_a_refresh(play):
    before, after = play("before.js", "logout"), play("api.js", "logout")
    assert before["signedIn"] == [True, True]
    assert after["signedIn"] == [False, False]


def test_another_host(play):
    assert play("before.js", "foreign")["leaked"]
    after = play("api.js", "foreign")
    assert after["ended"] == [200]
    assert not after["leaked"]


def test_each_line_of_the_table_has_a_scenario():
    """It says so on the page."""
    table = re.search(r"^\| \| `before\.js` \| `api\.js` \|\n.*?\n((?:\|.*\n)+)", PAGE.read_text("utf-8"), re.M)
    played = re.findall(r"^  (?:async )?(\w+)\(\) \{", SCENARIOS.read_text("utf-8"), re.M)
    assert len(table[1].splitlines()) == len(played)
