"""What is watched: everything that is logged, raised, made an event or an audit entry, answered, measured or shown."""

import dataclasses
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from jwt_refresh_middleware import background
from jwt_refresh_middleware.audit import AuditEntry
from jwt_refresh_middleware.errors import AuthError
from jwt_refresh_middleware.events import Event
from jwt_refresh_middleware.web.answers import Answer

from .births import after
from .watching import Watch

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
# Where tokens belong, in an answer that grants some.
_GIVEN = re.compile(rb'"(?:access_token|refresh_token|accessToken|refreshToken)":"[^"]*"')
_CARRIERS = (b"set-cookie", b"authorization")


def watch(watch: Watch) -> None:
    """Have ``watch`` told of all of it from now on."""
    _logs(watch)
    _errors(watch)
    _events(watch)
    _answers(watch)


# -- logs --


def _logs(watch: Watch) -> None:
    def logged(_: Any, __: logging.Logger, record: logging.LogRecord) -> None:
        watch.note("log records", f"a log record of {record.name} ({record.levelname})", text_of(record))

    after(logging.Logger, "callHandlers", logged)

    # A line that nobody wants to see is not written; what it would have been is looked at all the same. The logger's
    # own level stays: whether somebody listens decides which events are made.
    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            """Every record comes here by ``callHandlers``, which is watched."""

    silent = logging.Logger(background.log.name, logging.DEBUG)  # noqa: LOG001  of nobody's tree
    silent.addHandler(Listening())
    write = background._write_line
    write_silently = FunctionType(write.__code__, {**vars(background), "log": silent}, "write", write.__defaults__)

    def told(_: None, __: Any, event: Event, *, quietly: bool = False) -> None:
        level = logging.DEBUG if quietly else background.level_of(event)
        if not background.log.isEnabledFor(level):
            write_silently(level, event)

    after(background.EventTeller, "tell", told)


def text_of(record: logging.LogRecord) -> str:
    """All that a formatter may write of a record: with and without its arguments, its own fields, its exception.

    Of a traceback without the lines of code, in which a test may well have its own secret.
    """
    try:
        message = record.getMessage()
    except (TypeError, ValueError):
        message = ""
    parts = [message, f"{record.msg}"]
    if record.args:
        parts.append(repr(record.args))
    if len(record.__dict__) > len(_USUAL) - 2:
        parts += [repr(value) for name, value in vars(record).items() if name not in _USUAL]
    if record.exc_info and record.exc_info[1] is not None:
        parts += words_of(record.exc_info[1])
    return "\n".join(parts)


# -- errors --


def words_of(error: BaseException | None) -> Iterator[str]:
    """What an exception says, and what those say that it came of."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield from traceback.format_exception_only(one)
        yield repr(one)
        yield repr(one.args)
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def _errors(watch: Watch) -> None:
    new = AuthError.__new__

    def made(cls: type[AuthError], *args: Any, **named: Any) -> AuthError:
        if args or named:
            watch.note("errors", f"an error: {cls.__name__}", f"{args} {named}")
        else:
            watch.counts["errors"] += 1
        return new(cls, *args)

    AuthError.__new__ = made  # type: ignore[method-assign]

    def expected(_: Any, context: Any, kind: Any, error: BaseException | None, __: Any) -> None:
        note_error(watch, error)

    from _pytest.raises import RaisesExc

    after(RaisesExc, "__exit__", expected)


def watch_hooks(watch: Watch) -> None:
    """What was raised where nobody can catch it; after pytest has put hooks of its own there."""
    for owner, name in ((sys, "unraisablehook"), (threading, "excepthook")):
        after(owner, name, lambda _, args, *__: note_error(watch, args.exc_value))


def note_error(watch: Watch, error: BaseException | None) -> None:
    """``error`` was raised, and not kept inside."""
    if error is not None:
        watch.note("errors", f"what {type(error).__name__} says", "\n".join(words_of(error)))


# -- events, answers --


def _events(watch: Watch) -> None:
    def begin(what: str, of: type) -> None:
        def new(cls: type, *_: Any, **__: Any) -> Any:
            made = object.__new__(cls)
            watch.note_later(what, f"{cls.__name__}, as a value", made, _spelled)
            return made

        of.__new__ = new  # type: ignore[method-assign,assignment]

    begin("events", Event)
    begin("audit entries", AuditEntry)


def _spelled(value: Any) -> str:
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return f"{value!r} {value} {fields}"


def _answers(watch: Watch) -> None:
    new: Callable[..., Answer] = Answer.__new__

    def made(cls: type[Answer], status: int, headers: Any, body: bytes) -> Answer:
        told = _GIVEN.sub(b"", body) if status == 200 else body
        lines = [f"{name!r}: {value!r}" for name, value in headers if name not in _CARRIERS]
        watch.note("answers", f"an answer of ours, {status}", "\n".join([*lines, told.decode("latin-1")]))
        return new(cls, status, headers, body)

    Answer.__new__ = made  # type: ignore[method-assign,assignment]


# -- what only some tests import --


class Late:
    """Watches libraries as soon as somebody has imported them."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._waiting: dict[str, Callable[[], None]] = {
            "opentelemetry.sdk.trace": self._spans,
            "opentelemetry.sdk.metrics.export": self._metrics,
            "fastapi.applications": self._documents,
            "jwt_refresh_middleware.fastapi.openapi": self._guarded,
        }

    def look(self) -> None:
        """Whether there is something new."""
        for name in [*self._waiting]:
            if name in sys.modules:
                self._waiting.pop(name)()

    def _spans(self) -> None:
        def ended(_: None, span: Any, *__: Any, **___: Any) -> None:
            events = [(event.name, dict(event.attributes or {})) for event in span.events]
            text = f"{span.name} {dict(span.attributes or {})} {events} {span.status.description}"
            self._watch.note("spans", "a span", text)

        after(sys.modules["opentelemetry.sdk.trace"].Span, "end", ended)

    def _metrics(self) -> None:
        def exported(_: None, __: Any, data: Any, *___: Any, **____: Any) -> None:
            for resource in data.resource_metrics:
                for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                    self._watch.counts["metric points"] += len(metric.data.data_points) - 1
                    self._watch.note("metric points", f"the metric {metric.name}", metric.to_json(indent=None))

        after(sys.modules["opentelemetry.sdk.metrics.export"].InMemoryMetricReader, "_receive_metrics", exported)

    def _documents(self) -> None:
        def written(schema: Any, *_: Any, **__: Any) -> None:
            self._watch.note("documents", "an OpenAPI document", json.dumps(schema, default=repr))

        def page(response: Any, *_: Any, **__: Any) -> None:
            self._watch.note("documents", "a page of documentation", bytes(response.body).decode())

        module = sys.modules["fastapi.applications"]
        after(module.FastAPI, "openapi", written)
        for name in ("get_swagger_ui_html", "get_redoc_html"):
            after(module, name, page)

    def _guarded(self) -> None:
        def written(schema: Any, *_: Any, **__: Any) -> None:
            self._watch.note("documents", "an OpenAPI document", json.dumps(schema, default=repr))

        after(sys.modules["jwt_refresh_middleware.fastapi.openapi"]._Guarded, "write", written)
