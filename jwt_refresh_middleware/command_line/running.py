"""Carrying out a command: whatever goes wrong is one line on standard error and an exit code, never a traceback."""

import logging
import os
import sys
import traceback
from collections.abc import Sequence

import typer

from .app import Settings, app
from .exit_codes import DONE, FAILED, INTERRUPTED, REFUSED
from .refused import Failed, Refused
from .words import printable, scrubbed

_MODULE = "python -m jwt_refresh_middleware"
_SCRIPT = "jwt-refresh"
_SHOWN = 32
"""Longer arguments are not repeated where something is wrong with them: one of them may be a token."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command and return its exit code. Raises SystemExit for arguments that are not understood."""
    given = sys.argv[1:] if arguments is None else [*arguments]
    called = os.path.basename(sys.argv[0]).removesuffix(".exe")
    name = _SCRIPT if arguments is None and called == _SCRIPT else _MODULE
    settings = Settings()
    try:
        return _carried_out(name, given, settings)
    except typer.TyperException as error:  # not understood
        _say(_usage(error, name) + f"{name}: {_without_arguments(error.format_message(), given)} (--help says more)")
        raise SystemExit(REFUSED) from None
    except Refused as refusal:
        return _failed(name, refusal, REFUSED)
    except (Failed, ValueError, ImportError) as error:
        return _failed(name, error, FAILED, settings)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else error
        return _failed(name, reason, FAILED, settings)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  whatever it is: its text may hold anything, and stays out of sight
        return _failed(name, f"unexpected {type(error).__name__} (--debug shows where)", FAILED, settings)


def _carried_out(name: str, given: Sequence[str], settings: Settings) -> int:
    logging.getLogger("jwt_refresh_middleware").addHandler(logging.NullHandler())  # what fails is said once, by us
    app.rich_markup_mode = "rich" if sys.stdout.isatty() else None
    command = typer.main.get_command(app)
    code = command.main(args=[*given], prog_name=name, standalone_mode=False, obj=settings)
    sys.stdout.flush()  # here, where a pipe that nobody reads any more is an error like others
    return code if isinstance(code, int) else DONE


def _failed(name: str, reason: object, code: int, settings: Settings | None = None) -> int:
    if settings is not None and settings.debug:
        _say(scrubbed(traceback.format_exc()).rstrip())
    lines = scrubbed(str(reason)).strip().splitlines() or ["it failed"]
    _say(f"{name}: {printable(lines[0])}")
    return code


def _usage(error: typer.TyperException, name: str) -> str:
    context = getattr(error, "ctx", None)
    said = context.get_usage() if context is not None else f"Usage: {name} [OPTIONS] COMMAND [ARGS]..."
    return f"usage: {said.removeprefix('Usage: ')}\n"


def _without_arguments(message: str, given: Sequence[str]) -> str:
    for argument in sorted(given, key=len, reverse=True):
        for text in (argument, argument.partition("=")[2]):
            if len(text) >= _SHOWN:
                message = message.replace(text, "…")
    return printable(scrubbed(" ".join(message.split())))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
