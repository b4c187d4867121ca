"""Tests that tell tokens on purpose. Few, and each with its reason."""

from typing import NamedTuple


class Exempt(NamedTuple):
    """Tests whose node id begins with ``test`` may tell secrets at places that begin with ``place``."""

    test: str
    place: str
    reason: str


_IN_THE_URL = "puts a token into the URL, which servers write into their logs: that is why it is accepted nowhere there"

EXEMPT: tuple[Exempt, ...] = (
    Exempt("tests/web/sockets/test_servers.py::", "a log record of uvicorn.error", _IN_THE_URL),
    Exempt("tests/web/sockets/test_servers.py::", "what was printed to stderr", _IN_THE_URL),
    Exempt("tests/catalogue/test_servers.py::", "what another process has printed", _IN_THE_URL),
    Exempt(
        "tests/leakage/test_leaks.py::",
        "what another process has printed",
        "runs tests that leak, and pytest shows what they have printed; that the plugin does not is what is tested",
    ),
    Exempt(
        "tests/client/browser/test_seeded.py::test_a_fault_is_noticed[the token is written down]",
        "what another process has printed",
        "sows that very fault; the test that notices it shows what stood in the browser's storage",
    ),
    Exempt(
        "tests/unit/test_telemetry.py::test_nobody_and_no_token_is_named_in_what_is_exported",
        "what was printed to stderr",
        "the same: without a handler, logging prints it",
    ),
    Exempt(
        "tests/unit/test_telemetry.py::test_nobody_and_no_token_is_named_in_what_is_exported",
        "a log record of jwt_refresh_middleware",
        "has a store raise a token, which no store is ever given: what a store says is logged",
    ),
)
