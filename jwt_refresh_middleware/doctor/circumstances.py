"""How the app is going to be run: what was said on the command line, and what the environment tells."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

Scheme = Literal["http", "https"]

_PRODUCTION = ("ENV", "ENVIRONMENT", "APP_ENV", "FASTAPI_ENV", "STAGE", "PYTHON_ENV")
_HOSTED = ("DYNO", "FLY_APP_NAME", "K_SERVICE", "RENDER_SERVICE_ID", "RAILWAY_ENVIRONMENT", "WEBSITE_SITE_NAME")
"""Set by platforms where every request comes through a proxy."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How the app is going to be run.

    Attributes:
        workers: how many processes share the work.
        workers_said_by: what says so.
        scheme: of the URLs that browsers see; None if nobody said.
        is_local: whether it listens on loopback only.
        root_path: what a server or proxy is told with ``--root-path``.
        proxied_by: what says that requests come through a proxy; None if nothing does.
        production_by: what says that this is production; None if nothing does.
        environ: the environment.
    """

    workers: int = 1
    workers_said_by: str = "the default"
    scheme: Scheme | None = None
    is_local: bool = True
    root_path: str = ""
    proxied_by: str | None = None
    production_by: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        *,
        workers: int | None = None,
        scheme: Scheme | None = None,
        host: str = "127.0.0.1",
        root_path: str = "",
        proxy_headers: bool = False,
    ) -> Self:
        """What was said, and for what was not said, what ``environ`` tells."""
        count, said_by = (workers, "--workers") if workers is not None else _workers(environ)
        proxied = "--proxy-headers" if proxy_headers else next((name for name in _HOSTED if environ.get(name)), None)
        production = next((name for name in _PRODUCTION if environ.get(name, "").lower().startswith("prod")), None)
        return cls(
            workers=count,
            workers_said_by=said_by,
            scheme=scheme,
            is_local=host in _LOOPBACK,
            root_path=root_path.rstrip("/"),
            proxied_by=proxied,
            production_by=production,
            environ=environ,
        )


def _workers(environ: Mapping[str, str]) -> tuple[int, str]:
    """How many the environment tells uvicorn or gunicorn to start, and by what."""
    for name in ("UVICORN_WORKERS", "WEB_CONCURRENCY"):
        if environ.get(name, "").isdecimal():
            return int(environ[name]), name
    return _of_gunicorn(environ.get("GUNICORN_CMD_ARGS", "")) or (1, "the default")


def _of_gunicorn(arguments: str) -> tuple[int, str] | None:
    try:
        words = shlex.split(arguments)
    except ValueError:  # a quotation that does not end
        return None
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in ("-w", "--workers"):
            count = value if equals else "".join(words[position + 1 : position + 2])
        elif word.startswith("-w"):
            count = word[2:]
        else:
            continue
        if count.isdecimal():
            return int(count), "GUNICORN_CMD_ARGS"
    return None
