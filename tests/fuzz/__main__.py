"""Fuzzing at length. Ends with status 1 if anything was found.

``python -m tests.fuzz differential [--tokens 1000000] [--seed 1] [--processes 2]`` judges mutated access tokens with
ours, PyJWT and joserfc, and as many refresh tokens with ours and itsdangerous; its table is Markdown.

``python -m tests.fuzz atheris TARGET [--seconds 60] [--seed 1]`` runs a target (``all`` for each of them) under
libFuzzer, guided by what of the package an input reaches.

``python -m tests.fuzz cost`` measures the worst inputs at one length and at sixteen times of it.
"""

import argparse
import logging
import sys
import time

from . import cost
from .atheris_run import NAMES, fuzz, why_impossible
from .differential import run, table
from .refresh_differential import refresh_table, run_refresh


def differential(given: argparse.Namespace) -> int:
    began = time.monotonic()
    access = run(given.tokens, given.seed, given.processes)
    print(f"{table(access, given.seed)}\n\n{time.monotonic() - began:.0f} s with {given.processes} processes\n")
    refresh = run_refresh(given.tokens, given.seed)
    print(refresh_table(refresh, given.seed))
    return int(bool(access.violations or refresh.violations))


def atheris(given: argparse.Namespace) -> int:
    if reason := why_impossible():
        print(reason)
        return 2
    status = 0
    for name in NAMES if given.target == "all" else [given.target]:
        ended = fuzz(name, f"-max_total_time={given.seconds}", seed=given.seed, limit=given.seconds + 60)
        print(f"{name}: {ended.runs:,} runs, {ended.coverage} places reached: {ended.trouble or 'nothing found'}")
        status |= bool(ended.trouble)
    return status


def costs(_given: argparse.Namespace) -> int:
    print(cost.table())
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="fuzzing at length")
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("differential", help="mutated tokens, judged by ours and by others")
    one.add_argument("--tokens", type=int, default=1_000_000)
    one.add_argument("--processes", type=int, default=2)
    one.set_defaults(do=differential)
    two = commands.add_parser("atheris", help="a target under libFuzzer")
    two.add_argument("target", choices=["all", *NAMES])
    two.add_argument("--seconds", type=int, default=60)
    two.set_defaults(do=atheris)
    commands.add_parser("cost", help="what the worst inputs cost").set_defaults(do=costs)
    for command in (one, two):
        command.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    return int(given.do(given))


if __name__ == "__main__":  # processes that are spawned import it
    sys.exit(main())
