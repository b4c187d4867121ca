"""Seeds every fault, one at a time, and says which of them the tests catch: ``python -m tests.faults``."""

import argparse
import sys

from .catalogue import FAULTS
from .runner import Runner, Said


def main() -> int:
    """Print a line for each fault, and the score; 0 if all were caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many at the same time (2)")
    parser.add_argument("--only", default="", help="only faults with this in their name")
    parser.add_argument("--verbose", action="store_true", help="also what the test said")
    options = parser.parse_args()
    chosen = [fault for fault in FAULTS if options.only in fault.name]
    with Runner(options.jobs) as runner:
        sound = runner.check_sound(chosen)
        print(f"without a fault: {sound.said.value if sound.said is not Said.SURVIVED else 'all pass'} {sound.by}")
        if sound.said is not Said.SURVIVED:
            print(sound.detail)
        caught = 0
        for fault, result in zip(chosen, runner.begin(chosen).values(), strict=True):
            outcome = result.result()
            caught += outcome.said is Said.CAUGHT
            print(f"{fault.name:56} {fault.file:24} {outcome.seconds:5.1f} s  {outcome.said.value:8} {outcome.by}")
            if options.verbose or outcome.said is Said.BROKEN:
                print(outcome.detail)
    print(f"{caught} of {len(chosen)} caught")
    return 0 if caught == len(chosen) and sound.said is Said.SURVIVED else 1


if __name__ == "__main__":
    sys.exit(main())
