"""Counts and times with OpenTelemetry, and makes spans. The only importer of it: an ImportError where it is missing."""

from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version

from opentelemetry import context, metrics, trace

from . import events
from .errors import AuthError
from .telemetry_table import (
    DELAY,
    ENDED,
    ERROR_TYPE,
    EVENTS,
    LAG,
    LIMITED,
    LIMITS,
    LOGINS,
    LOOKUPS,
    OPERATION,
    OUTCOME,
    REASONS,
    REFRESHES,
    REFUSALS,
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


class Counts:
    """How often, by the values of a metric's attributes.

    A number that the SDK asks for when it exports, since its own counters cost half as much as a whole refusal. Not
    exact if several threads count at once.
    """

    __slots__ = ("_attributes", "_numbers")

    def __init__(self, metric: Metric, *values: tuple[str, ...]) -> None:
        """``values``: what begins at zero."""
        self._attributes = metric.attributes
        self._numbers: dict[tuple[str | int, ...], int] = dict.fromkeys(values, 0)

    def add(self, *values: str | int) -> None:
        """One more."""
        self._numbers[values] = self._numbers.get(values, 0) + 1

    def read(self, _: object) -> Iterable[metrics.Observation]:
        """Called in a thread of the exporter's."""
        numbers = [*self._numbers.items()]
        return [
            metrics.Observation(number, dict(zip(self._attributes, values, strict=True))) for values, number in numbers
        ]


class Instruments:
    """All instruments, of a meter provider and a tracer provider.

    Attributes:
        hits: access tokens that were remembered.
        misses: access tokens that needed the full check. Each request pays for one of the two.
    """

    def __init__(
        self,
        lag: Callable[[], float | None],
        meter_provider: metrics.MeterProvider | None = None,
        tracer_provider: trace.TracerProvider | None = None,
    ) -> None:
        """``lag``: seconds that this process is behind, None if it follows nothing; providers: None for the global."""
        meter = metrics.get_meter(NAME, _version(), meter_provider)
        traces = _does_something(tracer_provider or trace.get_tracer_provider())
        self._tracer = trace.get_tracer(NAME, _version(), tracer_provider) if traces else None
        self._lag = lag
        self.hits = self.misses = 0

        def counted(metric: Metric, *values: tuple[str, ...]) -> Counts:
            counts = Counts(metric, *values)
            meter.create_observable_counter(metric.name, [counts.read], metric.unit, metric.description)
            return counts

        def histogram(metric: Metric) -> metrics.Histogram:
            name, unit, description, bounds = metric.name, metric.unit, metric.description, metric.buckets
            return meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=bounds)

        self._refreshes = counted(REFRESHES)
        self._logins = counted(LOGINS)
        self._step_ups = counted(STEP_UPS)
        self._refusals = counted(REFUSALS)
        self._limits = counted(LIMITS)
        self._ended = counted(ENDED)
        self._events = counted(EVENTS, *((kind.name,) for kind in _ALARMING))
        self._store = histogram(STORE)
        self._delay = histogram(DELAY)
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
        self._refusals.add(code, status)

    def learned(self, seconds: float) -> None:
        """The end of a session elsewhere is known here, so many seconds after it."""
        self._delay.record(seconds)

    def told(self, event: events.Event) -> None:
        """An event happened."""
        if isinstance(event, _EVERYDAY):
            return
        self._events.add(event.name)
        match event:
            case events.Revoked(reason=reason):
                self._ended.add(reason if reason in REASONS else "other")
            case events.StepUpDemanded():
                self._step_ups.add("required")
            case events.StepUpPassed():
                self._step_ups.add("passed")
            case events.LoginFailed(session_id=None):
                self._logins.add("failed")
            case events.LoginFailed():
                self._step_ups.add("failed")
            case events.RateLimitReached(what=what):
                self._limits.add(what if what in LIMITED else "other")

    def begin(self, name: str) -> Span | None:
        """Begin the span of something that the issuer does; None if nobody traces."""
        return Span(self._tracer.start_span(name)) if self._tracer is not None else None

    def done(self, span: Span | None, work: str, verdict: str | None, error: BaseException | None) -> None:
        """``work`` is over: count it, and end its span. ``verdict``: on the refresh token, if there was one."""
        outcome = _outcome(error)
        if work == "login":
            self._logins.add(outcome)
            attributes = {OUTCOME: outcome}
        else:
            verdict = verdict or _VERDICTS.get(outcome, outcome)
            self._refreshes.add(verdict)
            attributes = {VERDICT: verdict}
        if span is not None:
            span.end(error, **attributes)

    def call(self, operation: str) -> Span | None:
        """Begin the span of a call of the store, if somebody traces what it is part of: not in the background."""
        if self._tracer is None or not trace.get_current_span().is_recording():
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
