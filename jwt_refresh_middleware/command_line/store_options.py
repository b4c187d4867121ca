"""The options that say where the sessions are, which several commands have."""

import functools
import inspect
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

from .options import DEFAULT_PREFIX, DEFAULT_TIMEOUT, Prefix, StoreUrl, TableName, Timeout
from .refused import Refused
from .store_urls import Place

Command = Callable[..., None]


def _options(
    *,
    store: StoreUrl = None,
    prefix: Prefix = DEFAULT_PREFIX,
    table: TableName = None,
    timeout: Timeout = DEFAULT_TIMEOUT,
) -> None:
    """What stands in the signature of a command for its parameter ``place``."""


def at_store(*, required: bool = True) -> Callable[[Command], Command]:
    """Give a command the options of a store, and the Place that they say as its parameter ``place``.

    An option that the command has itself stays its own, and counts for the place too. ``required``: whether a store has
    to be said; the place is None where it need not be and was not.
    """

    def with_options(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters
        ours = inspect.signature(_options, eval_str=True).parameters

        @functools.wraps(command)
        def run(**given: Any) -> None:
            said = {name: given[name] if name in own else given.pop(name) for name in ours}
            command(**given, place=_place(**said, required=required))

        shown: list[Parameter] = []
        for name, parameter in own.items():
            added = [one for other, one in ours.items() if other not in own] if name == "place" else [parameter]
            shown += [one.replace(kind=Parameter.KEYWORD_ONLY) for one in added]
        vars(run)["__signature__"] = Signature(shown)  # what typer goes by
        run.__annotations__ = {}
        return run

    return with_options


def _place(*, store: str | None, prefix: str, table: str | None, timeout: float, required: bool) -> Place | None:
    if store:
        return Place(url=store, prefix=prefix, table=table, timeout=timeout)
    if required:
        raise Refused("say where the sessions are: --store URL, or the environment variable JWT_REFRESH_STORE")
    return None
