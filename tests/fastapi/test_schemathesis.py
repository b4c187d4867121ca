"""schemathesis against the schema of the example: every check, every phase, and nothing is found."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from example_app.app import create_app
from example_app.settings import Settings
from jwt_refresh_middleware.fastapi import document

from .serving import serving
from .support import guarded

CONFIG = Path(__file__).with_name("schemathesis.toml")
ROOT = Path(__file__).parents[2]


def run(address: str, directory: Path, *options: str, **environment: str) -> tuple[int, str]:
    """Exit status and output of one run, which asks the same each time. It leaves files in ``directory``."""
    program = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIG)]
    done = subprocess.run(
        [*program, "run", f"{address}/openapi.json", "--generation-deterministic", *options],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The example with passwords that are hashed in no time, of which any number may be wrong: hundreds are here."""
    monkeypatch.setattr("example_app.app.LoginLimits", lambda **_: None, raising=False)
    cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
    monkeypatch.setattr(PasswordHash, "recommended", lambda: cheap)
    environment = {"DATABASE": str(tmp_path / "example.db"), "AUTH_SECRET": "s" * 32, "ACCESS_TTL": "86400"}
    return create_app(Settings.from_environment(environment))


def test_nothing_is_found_in_the_example(example, tmp_path):
    operations = sum(len(item) for item in example.openapi()["paths"].values())
    with serving(example) as address:
        hooks = {"EXAMPLE_ADDRESS": address, "SCHEMATHESIS_HOOKS": "tests.fastapi.schemathesis_hooks"}
        status, output = run(address, tmp_path, "--max-examples=40", **hooks)
    assert status == 0, output
    assert re.search(rf"Tested: +{operations}\n", output), output
    assert int(re.search(r"(\d+) generated", output)[1]) > 300
    assert re.search(r"API Links: +3 covered", output), output  # sessions and notes that are there are ended too


def test_what_is_wrong_would_be_found(tmp_path):
    """Three lies in a schema: what is answered, with which status, and that a token is needed."""
    app = guarded(FastAPI(), public=["/openapi.json", "/wrong", "/taught", "/unguarded"])
    document(app)

    @app.get("/wrong")
    async def wrong() -> int:
        return JSONResponse({"not": "a number"})  # type: ignore[return-value]

    @app.get("/taught")
    async def taught() -> int:
        return JSONResponse(1, status_code=418)  # type: ignore[return-value]

    @app.get("/unguarded", openapi_extra={"security": [{"AccessToken": []}]})
    async def unguarded() -> int:
        return 1

    with serving(app) as address:
        only = ["--max-examples=3", "--include-path-regex=^/[wtu]"]
        status, output = run(address, tmp_path, *only, "--header=Authorization: Bearer x")
    assert status == 1, output
    failures = output.partition("= FAILURES =")[2].partition("= WARNINGS =")[0]
    found = {
        part.split()[0]: set(re.findall(r"ST\d+", part)) for part in failures.split("GET ")[1:] if "Case ID" in part
    }
    assert found == {
        "/wrong": {"ST108"},  # Response violates schema
        "/taught": {"ST103", "ST202"},  # Undocumented status code; Schema-valid request rejected
        "/unguarded": {"ST401"},  # API accepts requests without authentication
    }, output
