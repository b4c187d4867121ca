from collections.abc import AsyncIterator

import pytest

from jwt_refresh_middleware import MemoryStore
from jwt_refresh_middleware.testing import StoreSuite


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    async def store(self) -> AsyncIterator[MemoryStore]:
        store = MemoryStore()
        await store.open()
        yield store
        await store.close()
