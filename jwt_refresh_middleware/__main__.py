"""The command line: ``python -m jwt_refresh_middleware COMMAND``, or ``jwt-refresh``. Needs the extra ``cli``.

What it does is in :mod:`.command_line`; here it is only seen to it that the libraries for the terminal are there.
"""

import sys
from collections.abc import Sequence

_LIBRARIES = ("typer", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command and return its exit code, see :mod:`.command_line.exit_codes`.

    ``arguments``: default, those of the process. Raises SystemExit for arguments that are not understood.
    """
    try:
        from .command_line.running import run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _LIBRARIES:
            raise
        sys.stderr.write(
            f"the command line needs {' and '.join(_LIBRARIES)}: pip install 'jwt-refresh-middleware[cli]'\n"
        )
        return 1
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
