"""The power-loss proof at length: ``python -m tests.powerloss [--seconds 60 | --images 20000] [--seed 1]``.

For each level of ``PRAGMA synchronous``: how many disks after a crash were examined, and what was wrong with them. FULL
is what ``SQLiteStore`` uses; NORMAL and OFF show what the same harness finds where there is something to find, and get
a tenth of the effort each. Ends with status 1 if anything was found at FULL, or nothing at NORMAL.
"""

import argparse
import asyncio
import logging
import platform
import sqlite3
import sys

from .proof import Result, prove
from .reboot import Trouble
from .recording import why_impossible

_HEAD = (
    "synchronous", "lives", "acknowledged operations", "crashes possible", "images checked", "bad images",
    "operation lost", "spent token alive", "ended session alive", "client locked out", "invented", "corrupt",
    "95 % bound", "seconds",
)  # fmt: skip
_TROUBLES = (
    Trouble.LOST, Trouble.SPENT, Trouble.ALIVE, Trouble.LOCKED_OUT, Trouble.INVENTED, Trouble.CORRUPT,
)  # fmt: skip


def row(result: Result) -> list[str]:
    """A result as a row of the table; the troubles count images."""
    bound = f"< {result.upper_bound:.2g}" if not result.bad else "-"
    numbers = [result.lives, result.operations, result.possible, result.images, result.bad]
    numbers += [result.troubled[trouble] for trouble in _TROUBLES]
    return [result.level, *(f"{number:,}" for number in numbers), bound, f"{result.seconds:.0f}"]


async def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.powerloss", description="the power-loss proof of SQLiteStore"
    )
    parser.add_argument("--seconds", type=float, help="for FULL; default 60, where --images is not given")
    parser.add_argument("--images", type=int, help="how many disks to examine for FULL")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if reason := why_impossible():
        print(reason)
        return 2
    logging.disable(logging.CRITICAL)  # damaged databases are what NORMAL and OFF are here for
    print(f"SQLite {sqlite3.sqlite_version}, Python {platform.python_version()}, seed {given.seed}\n")
    print("| " + " | ".join(_HEAD) + " |\n|---|" + "---:|" * (len(_HEAD) - 1), flush=True)
    seconds = given.seconds if given.seconds or given.images else 60.0
    results = {}
    for level, share in (("FULL", 1.0), ("NORMAL", 0.1), ("OFF", 0.1)):
        images = int(given.images * share) or 1 if given.images else None
        limit = seconds * share if seconds else None
        results[level] = await prove(level, images=images, seconds=limit, seed=given.seed)
        print("| " + " | ".join(row(results[level])) + " |", flush=True)
    for example in results["FULL"].examples:
        print(example)
    return int(bool(results["FULL"].bad) or not results["NORMAL"].bad)


sys.exit(asyncio.run(main()))
