"""Examining apps in a test: imported anew each time, in a directory of its own and with a good secret."""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware.doctor import Circumstances, Report, examine

ROOT = Path(__file__).parents[2]
APPS = "tests.doctor.apps"


class Surgery:
    """Where apps are examined. Their modules are forgotten afterwards, and so is the environment."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.secret = secrets.token_urlsafe(32)
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(directory)
        monkeypatch.setattr(sys, "path", [*sys.path])
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        for name in ("WEB_CONCURRENCY", "UVICORN_WORKERS", "GUNICORN_CMD_ARGS", "FORWARDED_ALLOW_IPS", "AUTH_KEYS"):
            monkeypatch.delenv(name, raising=False)
        self.set(AUTH_SECRET=self.secret)

    def set(self, **variables: str) -> None:
        """Put variables into the environment."""
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def forget(self, module: str) -> None:
        """Whoever imports it next runs it again."""
        self._monkeypatch.delitem(sys.modules, module, raising=False)

    def write(self, name: str, text: str) -> str:
        """A module of the directory; returns what the doctor is told to examine its ``app``."""
        (self.directory / f"{name}.py").write_text(text)
        self.forget(name)
        return f"{name}:app"

    def examine(self, target: str, environ: Mapping[str, str] | None = None, **options: Any) -> Report:
        """The report on a target, or on one of the sample apps by its name. ``options``: of both."""
        if ":" not in target:
            target = f"{APPS}.{target}:app"
        self.forget(target.partition(":")[0])
        own = {name: options.pop(name) for name in ("factory", "offline", "twice", "timeout") if name in options}
        before = {*sys.modules}
        try:
            circumstances = Circumstances.of(os.environ if environ is None else environ, **options)
            return examine(target, circumstances, app_dir=".", **{"twice": False, **own})
        finally:
            for module in {target.partition(":")[0]} & ({*sys.modules} - before):
                sys.modules.pop(module)


def serious(report: Report) -> list[str]:
    """The ids of what is wrong: errors and warnings."""
    return [finding.check for finding in report.findings if finding.severity != "info"]
