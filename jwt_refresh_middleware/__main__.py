"""The command line: ``python -m jwt_refresh_middleware COMMAND``. Here it is only decided which module does it.

Exit codes: 0 done, 1 it could not be done, 2 not understood or refused. What is wrong is said on standard error.
"""

import argparse
import sys
from collections.abc import Sequence

from .command_line import keys
from .command_line.refused import Refused

_NAME = "python -m jwt_refresh_middleware"


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command and return its exit code. ``arguments``: default, those of the process.

    Raises SystemExit for arguments that are not understood, and for ``--help``.
    """
    parser = argparse.ArgumentParser(prog=_NAME, description="Look after a service that issues double tokens.")
    keys.add_to(parser.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except Refused as refusal:
        return _failed(refusal, 2)
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}" if error.filename else error, 1)
    except (ValueError, ImportError) as error:
        return _failed(error, 1)
    return 0


def _failed(reason: object, code: int) -> int:
    sys.stderr.write(f"{_NAME}: {reason}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
