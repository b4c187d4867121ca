"""The proof harness: ``python -m tests.stress --store redis --seconds 60``. Ends with 1 if a zero is not one."""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
from pathlib import Path

from ..kinds import KINDS, Servers
from .faults import FAULTS
from .nursery import nursery
from .phases import PHASES, of_kind, run_phases
from .report import header, table
from .setting import Setting

WHY_NOT = {
    "crashes": "the end of the one process loses every session, by design",
    "outages": "there is no single database server to kill",
    "weaker": "there is no setting of a database server to weaken",
}


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--store", choices=KINDS, required=True)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all phases together")
    parser.add_argument("--phases", default=",".join(PHASES), help=f"some of {','.join(PHASES)}")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of the choices, not of the times")
    parser.add_argument("--log", type=Path, help="where the servers' log is kept")
    parser.add_argument("--fault", choices=FAULTS, default="", help="a fault to seed: the harness has to find it")
    given = parser.parse_args(words)
    if unknown := set(given.phases.split(",")) - set(PHASES):
        parser.error(f"no such phases: {', '.join(sorted(unknown))}")
    return given


def main(words: list[str]) -> int:
    given = arguments(words)
    if reason := Servers.missing(given.store):
        print(reason, file=sys.stderr)
        return 2
    processes = 1 if given.store == "memory" else given.processes
    chosen = [name for name in of_kind(given.store) if name in given.phases.split(",")]
    print(header(given.store, given.seconds, processes, given.clients, given.seed), flush=True)
    with Servers() as servers, tempfile.TemporaryDirectory() as directory:
        with nursery(given.log or Path(directory, "log")) as born:
            setting = Setting(
                kind=given.store,
                url=servers.url(given.store),
                nursery=born,
                processes=processes,
                clients=given.clients,
                fault=given.fault,
                dice=random.Random(given.seed),
            )
            results = asyncio.run(run_phases(setting, chosen, given.seconds))
        print(table(results), flush=True)
        for name in PHASES:
            if name in given.phases.split(",") and name not in chosen:
                print(f"- left out: {name}: {WHY_NOT[name]}")
    return 0 if results and all(result.holds for result in results) else 1  # no phase is no proof


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
