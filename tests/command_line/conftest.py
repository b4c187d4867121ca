"""The command line, and an environment without what it would read."""

import pytest

from .support import Line


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Line:
    for name in ("JWT_REFRESH_STORE", "JWT_REFRESH_AUDIT", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Line(capsys)
