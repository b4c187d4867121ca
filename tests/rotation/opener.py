"""Opens each database it is told of, adds a session and closes it: ``python opener.py`` with paths on stdin."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from jwt_refresh_middleware import Issuer
from jwt_refresh_middleware.stores.sqlite import SQLiteStore


async def work(path: str) -> str:
    try:
        async with Issuer(
            "a secret of the tests, and certainly more than thirty-two bytes", SQLiteStore(path)
        ) as issuer:
            pair = await issuer.login("ann")
            await issuer.refresh(pair.refresh_token)
            return "opened"
    except Exception as error:
        return repr(error.__cause__ or error)


print("ready", flush=True)
for line in sys.stdin:
    print(asyncio.run(work(line.strip())), flush=True)
