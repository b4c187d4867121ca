"""Seeds every fault, one at a time, and says which of them the tests catch: ``python -m tests.faults``."""

import argparse
import difflib
import sys
import time
from collections import Counter

from .areas import AREAS, REST, area_of
from .catalogue import FAULTS
from .fault import Fault
from .runner import Outcome, Runner, Said


def main() -> int:
    """Print a line for each fault, by area, and the score; 0 if all were caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many at the same time (2)")
    parser.add_argument("--only", default="", help="only faults with this in their name")
    parser.add_argument("--area", choices=(*AREAS, REST), help="only faults in this")
    parser.add_argument("--verbose", action="store_true", help="also what the test said")
    options = parser.parse_args()
    chosen = [fault for fault in FAULTS if options.only in fault.name and options.area in (None, area_of(fault))]
    chosen.sort(key=lambda fault: (*AREAS, REST).index(area_of(fault)))
    caught: Counter[str] = Counter()
    began = time.monotonic()
    with Runner(options.jobs) as runner:
        sound = runner.check_sound(chosen)
        print(f"without a fault: {sound.said.value if sound.said is not Said.SURVIVED else 'all pass'} {sound.by}")
        if sound.said is not Said.SURVIVED:
            print(sound.detail)
        said, area = runner.begin(chosen), ""
        for fault in chosen:
            outcome = said[fault.name].result()
            caught[area_of(fault)] += outcome.said is Said.CAUGHT
            if area != area_of(fault):
                area = area_of(fault)
                print(f"\n{area}")
            print(_line(fault, outcome))
            if options.verbose or outcome.said is Said.BROKEN:
                print(outcome.detail)
    print()
    for area, total in Counter(area_of(fault) for fault in chosen).items():
        print(f"{area:12} {caught[area]:3} of {total} caught")
    print(f"{caught.total()} of {len(chosen)} caught, in {time.monotonic() - began:.0f} s")
    return 0 if caught.total() == len(chosen) and sound.said is Said.SURVIVED else 1


def _line(fault: Fault, outcome: Outcome) -> str:
    line = f"{fault.name:56} {fault.file:24} {outcome.seconds:5.1f} s  {outcome.said.value:8} {outcome.by}"
    return f"{line}\n    {what(fault)}"


def what(fault: Fault) -> str:
    """The lines that were, and those that are there instead, on one line and without what both have."""
    before, after = fault.old.strip().splitlines(), fault.new.strip().splitlines()
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "-+"]
    return " ".join(f"{line[0]} {line[2:].strip()}" for line in changed)[:160]


if __name__ == "__main__":
    sys.exit(main())
