"""Options that several commands have, each written once."""

import math
from typing import Annotated

import typer


def seconds(text: str | float) -> float:
    """What an option says in seconds; its default as it is. Raises BadParameter for anything but a plain number."""
    if isinstance(text, float):
        return text
    number = float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else math.inf
    if number == math.inf:
        raise typer.BadParameter(f"{text!r} is no number of seconds")
    return number


Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar="JWT_REFRESH_STORE",
        show_default=False,
        help="Where the sessions are: sqlite:///sessions.db or a path, redis://…, postgresql://…, mysql://…, "
        "mariadb://…, sqlite+aiosqlite:///app.db. A URL with a password belongs into the environment variable: "
        "everybody on the machine can see the arguments of a command.",
    ),
]
Prefix = Annotated[str, typer.Option("--prefix", help="Redis: what the names of all keys begin with.")]
TableName = Annotated[
    str | None,
    typer.Option(
        "--table", metavar="NAME", show_default=False, help="SQL: the table, if it has a name of its own; SCHEMA.NAME."
    ),
]
Timeout = Annotated[
    float, typer.Option("--timeout", parser=seconds, metavar="SECONDS", help="How long the store may take.")
]
DEFAULT_TIMEOUT = 10.0
DEFAULT_PREFIX = "jrm:"
