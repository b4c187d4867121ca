"""The service under attack, already open, so that every further operation of its store is an attacker's doing.

The attack catalogue, one module per group, one test per case, its number in the name. Each module says what it leaves
out. Left out as a whole is group I: device binding is tested with the device policy; DPoP, DBSC and step-up do not
exist yet. So far everything is HS256; the other algorithms and servers are to run through the same cases.
"""

from collections.abc import AsyncIterator

import pytest

from ..web.conftest import make_service
from .attack import Target

__all__ = ["make_service"]


@pytest.fixture
async def target(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Target]:
    caplog.set_level("DEBUG")
    made = Target(caplog)
    await made.prepare()
    yield made
    await made.service.aclose()
