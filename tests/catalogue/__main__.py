"""``python -m tests.catalogue [RECORD...] [--check]``: writes the tables of docs/security.md from runs of the tests.

Without a record it runs the tests that the tables are about. ``--check`` writes nothing and fails where the page says
something else than the run.
"""

import argparse
import difflib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .page import faults, page_with, summary

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "security.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.catalogue", description=__doc__)
    parser.add_argument("records", nargs="*", type=Path, help="what pytest wrote with --run-record")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    given = parser.parse_args()
    run: dict[str, dict[str, Any]] = {}
    for record in given.records or [_record()]:
        run |= json.loads(record.read_text())
    if found := faults(run):
        print(*found, sep="\n")
        return 1
    before = _PAGE.read_text()
    after = page_with(before, run)
    print(summary(run))
    if not given.check:
        _PAGE.write_text(after)
    elif before != after:
        print(
            *difflib.unified_diff(before.splitlines(), after.splitlines(), "docs/security.md", "the run", n=0), sep="\n"
        )
        print("docs/security.md is not what this run says: python -m tests.catalogue makes it anew")
        return 1
    return 0


def _record() -> Path:
    path = Path(tempfile.mkdtemp()) / "record.json"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "case or standard", "--run-record", path], cwd=_ROOT, check=False
    )
    return path


if __name__ == "__main__":
    sys.exit(main())
