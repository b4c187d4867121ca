"""What commands print: one JSON document for programs, a table for people on a terminal, plain columns in a pipe."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .words import printable

_STYLES = {
    "passed": "green",
    "accepted": "green",
    "live": "green",
    "current": "green",
    "refused": "bold red",
    "ended": "red",
    "expired": "red",
    "spent": "red",
    "not checked": "dim",
    "undecided": "yellow",
}
"""Words that have a colour wherever they stand alone. NO_COLOR turns that off, as rich does by itself."""


def say(text: str) -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def say_json(document: Any) -> None:
    """The one document of a command with ``--json``, in ASCII."""
    say(json.dumps(document, indent=2))


def say_table(rows: Sequence[Mapping[str, str | None]], *, otherwise: str = "") -> None:
    """``rows`` as a table, the names of the first as its head; without any, what is to be said instead."""
    if not rows:
        say(otherwise)
        return
    head = [*rows[0]]
    body = [[printable(row[name] or "-") for name in head] for row in rows]
    if sys.stdout.isatty():
        _say_rich(head, body)
        return
    lines = [head, *body]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _say_rich(head: Sequence[str], body: Sequence[Sequence[str]]) -> None:
    table = Table(header_style="bold")
    for name in head:
        table.add_column(name, overflow="fold")
    for line in body:
        table.add_row(*(Text(text, style=_STYLES.get(text, "")) for text in line))
    Console().print(table)


def say_fields(fields: Mapping[str, str | None]) -> None:
    """Names and values, one a line; what is None is left out."""
    shown = {name: printable(value) for name, value in fields.items() if value is not None}
    width = max(map(len, shown), default=0)
    console = Console() if sys.stdout.isatty() else None
    for name, value in shown.items():
        if console is None:
            say(f"{name.ljust(width)}  {value}".rstrip())
        else:
            console.print(Text.assemble((name.ljust(width), "bold"), "  ", (value, _STYLES.get(value, ""))))
