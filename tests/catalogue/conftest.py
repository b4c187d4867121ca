"""The service under attack, already open, so that every further operation of its store is an attacker's doing.

The attack catalogue, one module per group, one test per case, its number in the name. Each module says what it leaves
out. Of group I device binding and step-up are here; DPoP and DBSC do not exist yet.
The modules are written for HS256; ``test_other_algorithms.py`` runs the cases of access tokens again.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from ..web import support, test_gateway
from ..web.conftest import make_service
from . import forge
from .attack import Target

__all__ = ["make_service"]


@pytest.fixture(autouse=True)
def algorithm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What tokens are forged for meanwhile, and what services sign with that are made."""
    name: str = getattr(request, "param", None) or getattr(request.function, "algorithm", "HS256")
    with forge.under(name):
        if name != "HS256":
            for module in (support, test_gateway):
                monkeypatch.setattr(module, "SECRET", forge.keys())
        yield name


@pytest.fixture
async def target(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Target]:
    caplog.set_level("DEBUG")
    made = Target(caplog)
    await made.prepare()
    yield made
    await made.service.aclose()
