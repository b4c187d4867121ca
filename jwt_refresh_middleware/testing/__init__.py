"""For tests: a clock to set, the conformance suite that proves a session store, and stores that fail on demand.

A store of your own is proved by a subclass that provides it::

    class TestMyStore(StoreSuite):
        @pytest.fixture
        async def store(self):
            store = MyStore(...)
            await store.open()
            yield store
            await store.close()

The suite needs pytest with an asyncio plugin in automatic mode. It has no branches on the store's type, and no sleeps:
the time is an argument everywhere.
"""

from .faults import FaultyStore
from .suite import StoreSuite
from .values import NOW, Clock, a_session, a_step

__all__ = ["NOW", "Clock", "FaultyStore", "StoreSuite", "a_session", "a_step"]
