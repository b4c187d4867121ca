from pathlib import Path

import pytest

from .patients import Surgery


@pytest.fixture
def surgery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surgery:
    return Surgery(tmp_path, monkeypatch)
