"""The service under attack, already open, so that every further operation of its store is an attacker's doing.

The attack catalogue, one module per group, one test per case, its number in the name. Each module says what it leaves
out. Of group I device binding and step-up are here; DPoP and DBSC do not exist yet.
The modules are written for HS256; ``test_other_algorithms.py`` runs the cases of access tokens again.
"""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from ..matrix.serving import SERVERS, Running
from ..web import support, test_gateway
from ..web.conftest import make_service
from . import forge
from .attack import Target
from .wire_log import assert_log_silent
from .wire_service import Wire

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


@pytest.fixture(scope="session")
def wires() -> Iterator[Callable[[str], Wire]]:
    """One process for each server, started when the first test needs it; at the end its log is looked through."""
    made: dict[str, Wire] = {}

    def get(server: str) -> Wire:
        if server not in made:
            made[server] = Wire(Running("catalogue", server).ready())
        return made[server]

    yield get
    try:
        for wire in made.values():
            assert_log_silent(wire)
    finally:
        for wire in made.values():
            wire.close()


@pytest.fixture(params=SERVERS)
def wire(request: pytest.FixtureRequest, wires: Callable[[str], Wire]) -> Iterator[Wire]:
    """A server in whose process a test makes services of its own."""
    taken = wires(request.param)
    yield taken
    taken.used()
