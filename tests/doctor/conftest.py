import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django
from django.utils.functional import empty

from .patients import Surgery


@pytest.fixture
def surgery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surgery:
    return Surgery(tmp_path, monkeypatch)


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_behind() -> Iterator[None]:
    """What apps set up for their whole process, when they are imported here, is as it was when these tests are over."""
    loggers = logging.getLogger(), logging.getLogger("jwt_refresh_middleware")
    levels = [(one, one.level) for one in loggers]
    configured, django._wrapped = django._wrapped, empty
    yield
    django._wrapped = configured
    for one, level in levels:
        one.setLevel(level)
