"""``doctor module:app``: imports an app and says what is wrong with how the middleware is set up in it."""

import os
from enum import Enum
from typing import Annotated

import typer

from ..doctor import CannotExamine, Circumstances, NotUnderstood, Report, as_json, as_lines, examine
from .exit_codes import FOUND
from .options import Json, seconds
from .output import say, say_json
from .refused import Failed, Refused
from .words import printable


class Scheme(Enum):
    """Of the URLs that browsers see."""

    HTTP = "http"
    HTTPS = "https"


# Longer than 40 lines: every option is written once, with its default and what it means.
def doctor(
    target: Annotated[str, typer.Argument(metavar="MODULE:APP", help="The app, as a server is told it.")],
    factory: Annotated[bool, typer.Option("--factory", help="It is a function that makes the app.")] = False,
    app_dir: Annotated[
        str, typer.Option("--app-dir", metavar="DIRECTORY", help="Where modules are looked for first.")
    ] = ".",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            show_default=False,
            help="How many processes are going to serve it. Default: what WEB_CONCURRENCY, UVICORN_WORKERS or "
            "GUNICORN_CMD_ARGS say, else 1.",
        ),
    ] = None,
    scheme: Annotated[
        Scheme | None,
        typer.Option("--scheme", show_default=False, help="Of the URLs that browsers see. Default: not known."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address that is going to be listened on.")] = "127.0.0.1",
    root_path: Annotated[
        str, typer.Option("--root-path", metavar="PATH", help="As the server is told it.", show_default=False)
    ] = "",
    proxy_headers: Annotated[
        bool, typer.Option("--proxy-headers", help="Requests are going to come through a proxy.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the store alone.")] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Do not import the app in a second process as well, to compare its keys.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", parser=seconds, metavar="SECONDS", help="How long a store may take.")
    ] = 5.0,
    as_document: Json = False,
) -> None:
    """Import an app and report what is wrong with its setup. Nothing is started, and nothing is written.

    Exit codes: 0 if there is neither an error nor a warning (notes may be there), 3 if there is one, 1 if the app
    cannot be imported or has no middleware, 2 if what was said is not understood.
    """
    circumstances = Circumstances.of(
        os.environ,
        workers=workers,
        scheme=scheme.value if scheme is not None else None,
        host=host,
        root_path=root_path,
        proxy_headers=proxy_headers,
    )
    try:
        report = examine(
            target,
            circumstances,
            app_dir=app_dir,
            factory=factory,
            offline=offline,
            twice=not once,
            timeout=timeout,
        )
    except NotUnderstood as error:
        raise Refused(str(error)) from None
    except CannotExamine as error:
        raise Failed(str(error)) from None
    _say(report, as_document=as_document)
    if not report.is_clean:
        raise typer.Exit(FOUND)


def _say(report: Report, *, as_document: bool) -> None:
    if as_document:
        say_json(as_json(report))
        return
    for line in as_lines(report):
        say(printable(line))
