"""The keys of the matrix, the same in a server and in the test that makes tokens of its own."""

from typing import Any

from jwt_refresh_middleware import KeyRing
from tests.web.support import SECRET


def keys(path: str | None) -> Any:
    """Those of the file, or the tests' secret."""
    return KeyRing.from_file(path) if path else SECRET
