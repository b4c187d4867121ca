"""One store in one event loop after the other. A program of its own, as what it leaves behind goes with it.

``python -W ignore -m tests.stores.three_loops URL TABLE``
"""

import asyncio
import sys

from sqlalchemy.ext.asyncio import create_async_engine

from jwt_refresh_middleware.stores.sqlalchemy import SQLAlchemyStore
from jwt_refresh_middleware.testing import a_session, a_step


def main(url: str, name: str) -> None:
    engine = create_async_engine(url)
    store = SQLAlchemyStore(engine, table_name=name)

    async def first() -> None:
        await store.create_all()
        await store.add(a_session(0))
        asyncio.ensure_future(store.advance(a_step(a_session(0), expected=5)))  # noqa: RUF006  its loop goes away
        await asyncio.sleep(0)

    async def second(number: int) -> None:
        assert await store.get(a_session(0).id) == a_session(0)
        await store.add(a_session(number))
        outcomes = await asyncio.gather(*(store.advance(a_step(a_session(number))) for _ in range(3)))
        assert [won for won, _ in outcomes].count(True) == 1
        await store.close()

    async def last() -> None:
        await second(2)
        await engine.dispose()

    asyncio.run(asyncio.wait_for(first(), 10))
    asyncio.run(asyncio.wait_for(second(1), 10))
    asyncio.run(asyncio.wait_for(last(), 10))
    print("all three")


if __name__ == "__main__":
    main(*sys.argv[1:])
