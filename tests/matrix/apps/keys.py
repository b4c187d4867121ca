"""The keys of the matrix, the same in the servers and in the test that makes tokens of its own."""

import os
from typing import Any

from tests.web.support import SECRET


def keys() -> Any:
    """HS256 with the tests' secret."""
    assert "MATRIX_KEYS" not in os.environ
    return SECRET
