"""Counts and times with OpenTelemetry, and makes spans. The only importer of it: an ImportError where it is missing."""

from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version

from opentelemetry import context, metrics, trace

from . import events
from .errors import AuthError
from .telemetry_table import (
    CODE,
    DELAY,
    ENDED,
    ERROR_TYPE,
    EVENT,
    EVENTS,
    LAG,
    LIMIT,
    LIMITED,
    LIMITS,
    LOGINS,
    LOOKUPS,
    OPERATION,
    OUTCOME,
    REASON,
    REASONS,
    REFRESHES,
    REFUSALS,
    STATUS,
    STEP_UPS,
    STORE,
    VERDICT,
    Metric,
)

NAME = "jwt_refresh_middleware"
"""Of the instrumentation scope."""
_EVERYDAY = (events.Rotated, events.Repeated, events.LateRepeated)
"""They are made only if somebody listens, and every refresh is counted as such."""
_ALARMING = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, events.Event) and kind.alarming
]
"""They begin at zero: of a counter that begins with its first event, Prometheus does not see that it has risen."""
_VERDICTS = {"refresh_invalid": "forged", "step_up_required": "step_up"}
"""What a refresh came to where the verdict does not say it, by the code of the error; for any other it is the code."""


def is_set_up() -> bool:
    """Whether there is a global provider that does something: those of the API itself do not."""
    return _does_something(metrics.get_meter_provider()) or _does_something(trace.get_tracer_provider())


def _does_something(provider: object) -> bool:
    return not type(provider).__module__.startswith(("opentelemetry.metrics", "opentelemetry.trace"))


def _version() -> str:
    try:
        return version("jwt-refresh-middleware")
    except PackageNotFoundError:  # copied into an application
        return ""


class Span:
    """A span that is the current one until it ends. It shows the kind of an exception: a message may hold anything."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token = context.attach(trace.set_span_in_context(span))

    def end(self, error: BaseException | None, **attributes: str) -> None:
        """End it; a refusal is no fault of this service."""
        context.detach(self._token)
        self._span.set_attributes(attributes)
        if error is not None:
            self._span.set_attribute(ERROR_TYPE, error.code if isinstance(error, AuthError) else type(error).__name__)
            if _is_fault(error):
                self._span.set_status(trace.Status(trace.StatusCode.ERROR))
        self._span.end()


def _is_fault(error: BaseException) -> bool:
    if isinstance(error, AuthError):
        return error.status >= 500
    return isinstance(error, Exception)  # otherwise it was cancelled


class Instruments:
    """All instruments, of a meter provider and a tracer provider.

    Attributes:
        hits: access tokens that were remembered.
        misses: access tokens that needed the full check. Plain numbers: each request pays for one of them.
    """

    def __init__(
        self,
        lag: Callable[[], float | None],
        meter_provider: metrics.MeterProvider | None = None,
        tracer_provider: trace.TracerProvider | None = None,
    ) -> None:
        """``lag``: seconds that this process is behind, None if it follows nothing; providers: None for the global."""
        meter = metrics.get_meter(NAME, _version(), meter_provider)
        self._tracer = trace.get_tracer(NAME, _version(), tracer_provider)
        self._lag = lag
        self.hits = self.misses = 0

        def counter(metric: Metric) -> metrics.Counter:
            return meter.create_counter(metric.name, metric.unit, metric.description)

        def histogram(metric: Metric) -> metrics.Histogram:
            name, unit, description, bounds = metric.name, metric.unit, metric.description, metric.buckets
            return meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=bounds)

        self._refreshes = counter(REFRESHES)
        self._logins = counter(LOGINS)
        self._step_ups = counter(STEP_UPS)
        self._refusals = counter(REFUSALS)
        self._limits = counter(LIMITS)
        self._ended = counter(ENDED)
        self._events = counter(EVENTS)
        self._store = histogram(STORE)
        self._delay = histogram(DELAY)
        for kind in _ALARMING:
            self._events.add(0, {EVENT: kind.name})
        meter.create_observable_gauge(LAG.name, [self._read_lag], LAG.unit, LAG.description)
        meter.create_observable_counter(LOOKUPS.name, [self._read_lookups], LOOKUPS.unit, LOOKUPS.description)

    def _read_lag(self, _: object) -> Iterable[metrics.Observation]:
        lag = self._lag()
        return [] if lag is None else [metrics.Observation(lag)]

    def _read_lookups(self, _: object) -> Iterable[metrics.Observation]:
        counted = {"hit": self.hits, "miss": self.misses}
        return [metrics.Observation(number, {OUTCOME: outcome}) for outcome, number in counted.items()]

    def refused(self, code: str, status: int) -> None:
        """A request was answered with an error."""
        self._refusals.add(1, {CODE: code, STATUS: status})

    def learned(self, seconds: float) -> None:
        """The end of a session elsewhere is known here, so many seconds after it."""
        self._delay.record(seconds)

    def told(self, event: events.Event) -> None:
        """An event happened."""
        if isinstance(event, _EVERYDAY):
            return
        self._events.add(1, {EVENT: event.name})
        match event:
            case events.Revoked(reason=reason):
                self._ended.add(1, {REASON: reason if reason in REASONS else "other"})
            case events.StepUpDemanded():
                self._step_ups.add(1, {OUTCOME: "required"})
            case events.StepUpPassed():
                self._step_ups.add(1, {OUTCOME: "passed"})
            case events.LoginFailed(session_id=None):
                self._logins.add(1, {OUTCOME: "failed"})
            case events.LoginFailed():
                self._step_ups.add(1, {OUTCOME: "failed"})
            case events.RateLimitReached(what=what):
                self._limits.add(1, {LIMIT: what if what in LIMITED else "other"})

    def begin(self, name: str) -> Span:
        """Begin the span of something that the issuer does."""
        return Span(self._tracer.start_span(name))

    def done(self, span: Span, work: str, verdict: str | None, error: BaseException | None) -> None:
        """``work`` is over: count it, and end its span. ``verdict``: on the refresh token, if there was one."""
        outcome = _outcome(error)
        if work == "login":
            self._logins.add(1, {OUTCOME: outcome})
            span.end(error, **{OUTCOME: outcome})
        else:
            verdict = verdict or _VERDICTS.get(outcome, outcome)
            self._refreshes.add(1, {VERDICT: verdict})
            span.end(error, **{VERDICT: verdict})

    def call(self, operation: str) -> Span | None:
        """Begin the span of a call of the store, if somebody traces what it is part of: not in the background."""
        if not trace.get_current_span().is_recording():
            return None
        return Span(self._tracer.start_span(f"jwt_refresh.store.{operation}", kind=trace.SpanKind.CLIENT))

    def called(self, span: Span | None, operation: str, seconds: float, error: BaseException | None) -> None:
        """The store has answered, or failed."""
        outcome = _outcome(error)
        self._store.record(seconds, {OPERATION: operation, OUTCOME: outcome})
        if span is not None:
            span.end(error, **{OPERATION: operation, OUTCOME: outcome})


def _outcome(error: BaseException | None) -> str:
    """One word of a few: the code of an error of ours, and no more of any other than that it was one."""
    if error is None:
        return "success"
    if isinstance(error, AuthError):
        return error.code
    return "error" if isinstance(error, Exception) else "cancelled"
