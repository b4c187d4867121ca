"""Importing the app, as a server does, and saying in one line why that failed."""

import importlib
import os
import re
import site
import sys
import sysconfig
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from traceback import extract_tb
from typing import Any

_SECRET_NAME = re.compile(r"SECRET|PASSW|TOKEN|KEY|DSN|CREDENTIAL|_URL$", re.IGNORECASE)
_USER_INFO = re.compile(r"://[^/\s@'\"]+@")
_RANDOM = re.compile(r"(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{24,}")
_MOST = 300


class NotUnderstood(Exception):
    """The target is not ``module:attribute``."""


class CannotExamine(Exception):
    """The app could not be imported, or there is nothing in it to examine; the message is one line without secrets."""


def load(target: str, *, app_dir: str, factory: bool) -> Any:
    """The app that ``target`` names. What it prints while it is imported goes to standard error.

    Args:
        target: ``module:attribute``; the attribute may have dots.
        app_dir: where modules are looked for first.
        factory: whether the attribute is a function that makes the app.

    Raises:
        NotUnderstood: a target of another form.
        CannotExamine: importing or making it failed, in whatever way.
    """
    module, colon, attributes = target.partition(":")
    names = [*module.split("."), *attributes.split(".")]
    if not colon or module.endswith(".py") or not all(name.isidentifier() for name in names):
        raise NotUnderstood(f"{target!r} is not module:attribute, as in main:app")
    directory = str(Path(app_dir).resolve())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    with redirect_stdout(sys.stderr):
        found: Any = _tried(lambda: importlib.import_module(module), f"importing {module}", directory)
        for name in attributes.split("."):
            if not hasattr(found, name):
                raise CannotExamine(f"{module} has no {attributes!r}")
            found = getattr(found, name)
        return _tried(found, f"calling {target}", directory) if factory else found


def _tried(make: Callable[[], Any], what: str, directory: str) -> Any:
    try:
        return make()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  SystemExit too: whatever an app does when it is imported
        raise CannotExamine(f"{what} failed: {told(error, os.environ)}{_place(error, directory)}") from None


def told(error: BaseException, environ: Mapping[str, str]) -> str:
    """An exception as one line: its type and the first line of its message, without secrets."""
    message = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {_redacted(message, environ)}"[:_MOST] if message else type(error).__name__


def _redacted(text: str, environ: Mapping[str, str]) -> str:
    """``text`` without what may be secret: values of the environment, passwords in URLs, and what looks random."""
    hidden = (value for name, value in environ.items() if len(value) >= 6 and _SECRET_NAME.search(name))
    for value in sorted(hidden, key=len, reverse=True):
        text = text.replace(value, "***")
    return _RANDOM.sub("***", _USER_INFO.sub("://***@", text))


def _place(error: BaseException, directory: str) -> str:
    """``file:line`` of the frame that raised; and of the app's own that led there, if that is another one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}:{error.lineno})"
    on_the_way = ("<frozen", str(Path(__file__).parent), str(Path(importlib.__file__).parent))
    frames = [one for one in extract_tb(error.__traceback__) if not one.filename.startswith(on_the_way)]
    if not frames:
        return ""
    raised = f"{frames[-1].filename}:{frames[-1].lineno}"
    ours = next((one for one in reversed(frames) if _is_of_the_app(one.filename, directory)), frames[-1])
    return f" ({raised})" if ours is frames[-1] else f" ({raised}, from {ours.filename}:{ours.lineno})"


def _is_of_the_app(filename: str, directory: str) -> bool:
    libraries = [*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("stdlib")]
    return filename.startswith(directory + os.sep) and not any(filename.startswith(one + os.sep) for one in libraries)
