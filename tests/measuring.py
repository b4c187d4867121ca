"""What is read back from a real SDK of OpenTelemetry: every metric and span that was made within a ``with`` block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jwt_refresh_middleware import telemetry

Counted = dict[str | tuple[Any, ...], Any]


class Measured:
    """The readings."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self._exporter = InMemorySpanExporter()
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))

    def metrics(self) -> dict[str, Metric]:
        """Every metric there is, by its name."""
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        assert {scope.scope.name for scope in scopes} <= {"jwt_refresh_middleware"}
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def read(self, name: str) -> Counted:
        """The points of a metric by the values of their attributes, of one alone by itself; a histogram's as counts.

        What has been counted no time yet is left out.
        """
        metric = self.metrics().get(f"jwt_refresh.{name}")
        points = metric.data.data_points if metric is not None else []
        read = {_key(point): getattr(point, "value", None) or getattr(point, "count", 0) for point in points}
        return {key: number for key, number in read.items() if number or name == "feed.lag"}

    def sums(self, name: str) -> Counted:
        """The sums of a histogram."""
        return {_key(point): point.sum for point in self.metrics()[f"jwt_refresh.{name}"].data.data_points}

    def spans(self) -> tuple[ReadableSpan, ...]:
        """Those that have ended, in that order."""
        return self._exporter.get_finished_spans()

    def everything(self) -> str:
        """All that an exporter gets to see, as text."""
        metrics = "".join(metric.to_json() for metric in self.metrics().values())
        return metrics + "".join(span.to_json() for span in self.spans())


def _key(point: Any) -> str | tuple[Any, ...]:
    values = tuple(value for _, value in sorted(point.attributes.items()))
    return values[0] if len(values) == 1 else values


@contextmanager
def measuring() -> Iterator[Measured]:
    """What is opened and made within is measured; a feed that runs elsewhere, as in another test's server, is not."""
    measured = Measured()
    with patch.object(telemetry, "_followed", {}), telemetry.using(measured.meters, measured.tracers):
        yield measured
    measured.meters.shutdown()
    measured.tracers.shutdown()
