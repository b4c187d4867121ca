"""The commands, put together."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from . import doctor, explain, keys, purging, sessions
from .exit_codes import IN_WORDS
from .output import say


@dataclass(slots=True)
class Settings:
    """What is said before the command.

    Attributes:
        debug: whether errors come with a traceback.
    """

    debug: bool = False


def _say_version(wanted: bool) -> None:
    if wanted:
        try:
            say(f"jwt-refresh-middleware {version('jwt-refresh-middleware')}")
        except PackageNotFoundError:  # run from its source
            say("jwt-refresh-middleware, not installed")
        raise typer.Exit


app = typer.Typer(
    help="Look after a service that issues double tokens.",
    epilog=IN_WORDS,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _settings(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="With a traceback where something fails.")] = False,
) -> None:
    if isinstance(context.obj, Settings):
        context.obj.debug = debug


app.add_typer(keys.app, name="keys")
app.add_typer(sessions.app, name="sessions")
app.command()(purging.purge)
app.command()(explain.explain)
app.command()(doctor.doctor)
