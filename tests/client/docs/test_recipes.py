"""The recipes of docs/browser-client.md do what the page says, over stand-ins for the libraries that they import."""

import json
import shutil
from pathlib import Path

import pytest

from .conftest import CLIENT, blocks, run

RECIPES = Path(__file__).with_name("recipes.mjs")
FILES = {  # a file, and what its block on the page is known by
    "session.js": "// session.js",
    "react.js": 'from "react"',
    "vue.js": 'from "vue"',
    "native.js": "expo-secure-store",
    "upload.js": "XMLHttpRequest",
    "events.js": "text/event-stream",
}
PACKAGES = {
    "react": "export const useSyncExternalStore = (subscribe, current, onServer) => current();",
    "vue": "export const shallowRef = (value) => ({ value }); export const readonly = (ref) => ref;",
    "expo-secure-store": """
        export const stored = new Map();
        const later = (work) => new Promise((done) => setTimeout(() => done(work()), 5));
        export const getItemAsync = (key) => later(() => stored.get(key) ?? null);
        export const setItemAsync = (key, value) => {
          if (typeof value !== "string") throw new TypeError("a string is wanted");
          return later(() => void stored.set(key, value));
        };
        export const deleteItemAsync = (key) => later(() => void stored.delete(key));
    """,
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("recipes")
    (made / "package.json").write_text('{"type": "module"}')
    shutil.copy(RECIPES, made)
    for name, known_by in FILES.items():
        (block,) = [one for one in blocks() if known_by in one.source]
        (made / name).write_text(block.source)
    modules = made / "node_modules"
    modules.mkdir()
    (modules / "jwt-refresh-middleware-client").symlink_to(CLIENT, target_is_directory=True)
    for name, source in PACKAGES.items():
        (modules / name).mkdir()
        (modules / name / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
        (modules / name / "index.js").write_text(source)
    return made


@pytest.fixture
def play(node: str, directory: Path):
    def play(recipe: str):
        result = run(node, "recipes.mjs", recipe, directory=directory)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return play


def test_the_state_in_react_and_vue(play):
    assert play("state") == {
        "drawn": ["loading", "loading"],
        "again": ["in", "in"],
        "seen": ["out", "in", "out"],
        "left": ["out", "out"],
    }


def test_the_state_is_unknown_while_the_server_is_down(play):
    assert play("unknown") == ["unknown", "in"]


def test_another_person_in_another_tab(play):
    """Both reload: the one that it happened in had the person before in it, too."""
    played = play("another person")
    assert played == {"seen": [["signedout", "other-tab"], ["signedin", None]], "reloads": 2, "current": "in"}


def test_a_401_of_the_app_costs_one_refresh_and_logs_nobody_out(play):
    assert play("a 401 of the app") == {
        "own": 401,
        "none": 401,
        "requests": ["/own", "/auth/refresh", "/own", "/none"],
        "signedIn": True,
    }


def test_a_native_app_keeps_its_session(play):
    assert play("native") == {
        "before": False,
        "after": True,
        "kept": ["refreshToken"],  # and before the login resolved
        "tokens": ["r1", "r2"],
        "left": 0,
        "last": ["/auth/logout", '{"refresh_token":"r2"}'],
    }


def test_an_upload_is_repeated_with_a_new_token(play):
    assert play("upload") == {"status": 204, "sent": ["content", "content"]}


def test_a_stream_of_events(play):
    assert play("stream") == ["data: 1", "data: 2"]
