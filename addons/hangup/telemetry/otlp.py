"""Metrics and spans to an OTLP receiver, over HTTP; needs the extra ``otel``.

All of it is sent from threads: a receiver that is slow or gone costs nothing but what it is not sent, and that is said
once. What the SDK reads from the environment (``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``,
``OTEL_EXPORTER_OTLP_HEADERS``, ``OTEL_TRACES_SAMPLER``, ``OTEL_METRIC_EXPORT_INTERVAL``, …) applies.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from hangup import __version__
from hangup.errors import MissingExtra
from hangup.humanize import printable
from hangup.recording.totals import Distribution
from hangup.telemetry.families import Family, Sample
from hangup.telemetry.observer import Observer
from hangup.telemetry.spans import Spans

INTERVAL = 60.0
"""Seconds between two exports of metrics, unless OTEL_METRIC_EXPORT_INTERVAL says another number of milliseconds."""

PATIENCE = 3.0
"""Seconds in which the last of it must have been sent when the proxy ends."""


def require() -> None:
    """Raises :class:`MissingExtra` where the libraries are not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError:
        raise MissingExtra('--otlp needs the OpenTelemetry SDK: pip install "hangup[otel]"') from None


class Otlp:
    """Sends what ``observer`` sees to ``endpoint``, from now until :meth:`close`, in a running event loop. ``warn`` is
    told, in the loop, when that begins to fail."""

    def __init__(self, observer: Observer, endpoint: str, warn: Callable[[str], None] = lambda text: None) -> None:
        require()
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._observer = observer
        self._complaints = _Complaints(endpoint, warn)
        self._resource = _resource()
        self._metrics = OTLPMetricExporter(endpoint=endpoint + "/v1/metrics")
        self._traces = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint + "/v1/traces")))
        tracer = self._traces.get_tracer("hangup", __version__)
        self._spans = Spans(observer.recorder, observer.totals, tracer)
        self._sender = _Sender()
        self._task = asyncio.get_running_loop().create_task(self._now_and_then())

    async def _now_and_then(self) -> None:
        interval = _interval()
        while True:
            await asyncio.sleep(interval)
            await self._send_metrics()

    async def _send_metrics(self) -> None:
        zero = round(self._observer.recorder.started.timestamp() * 1e9)
        await self._observer.find_loops()
        data = metrics_data(self._observer.families(), self._resource, zero, time.time_ns())
        self._sender.put(lambda: self._send(data))

    def _send(self, data: Any) -> None:
        from opentelemetry.sdk.metrics.export import MetricExportResult

        if self._metrics.export(data) is MetricExportResult.SUCCESS:
            self._complaints.fine()

    async def close(self) -> None:
        """Sends what there is, in :data:`PATIENCE` seconds, and ends it."""
        self._task.cancel()
        self._spans.end()
        traces = _Sender()
        traces.put(self._traces.shutdown)
        await self._send_metrics()
        await asyncio.gather(traces.finished(PATIENCE), self._sender.finished(PATIENCE))
        # What is being tried again and again is given up.
        threading.Thread(target=self._metrics.shutdown, daemon=True).start()
        self._complaints.close()


def _interval() -> float:
    try:
        return max(float(os.environ["OTEL_METRIC_EXPORT_INTERVAL"]) / 1000, 0.1)
    except (KeyError, ValueError):
        return INTERVAL


def _resource() -> Any:
    """Who this is about: as the environment says, else a service called hangup."""
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource

    found = Resource.create()
    named = not str(found.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service")
    version = found.attributes.get(SERVICE_VERSION, __version__)
    return found.merge(Resource({SERVICE_VERSION: version, **({} if named else {SERVICE_NAME: "hangup"})}))


class _Sender(threading.Thread):
    """Does one thing after the other, and never makes a program wait for its end."""

    def __init__(self) -> None:
        super().__init__(name="hangup otlp", daemon=True)
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self.start()

    def put(self, job: Callable[[], object]) -> None:
        """To be done next; left out where much waits already."""
        if self._jobs.qsize() < 4:
            self._jobs.put(job)

    def run(self) -> None:
        """threading: the thread."""
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # whatever is wrong with telemetry, the proxy goes on
                logging.getLogger("opentelemetry").warning("%s", error)

    async def finished(self, patience: float) -> None:
        """Waits until all is done, for so many seconds at most."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        self._jobs.put(tell)
        self._jobs.put(None)
        try:
            await asyncio.wait_for(done.wait(), patience)
        except TimeoutError:
            pass


class _Complaints(logging.Handler):
    """What the SDK logs, which it does with each attempt: told once, and again after it went well."""

    def __init__(self, where: str, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._where, self._warn = where, warn
        self._loop = asyncio.get_running_loop()
        self._failing = False
        self._logger = logging.getLogger("opentelemetry")
        self._propagates = self._logger.propagate
        self._logger.propagate = False
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """logging: from any thread."""
        if self._failing or self._loop.is_closed():
            return
        self._failing = True
        why = printable(" ".join(record.getMessage().split()), 300)
        self._loop.call_soon_threadsafe(self._warn, f"OTLP to {self._where} fails (said once): {why}")

    def fine(self) -> None:
        """Something was sent."""
        self._failing = False

    def close(self) -> None:
        """Leaves the SDK's log as it was."""
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagates
        super().close()


def metrics_data(families: Sequence[Family], resource: Any, start: int, now: int) -> Any:
    """Metrics as the SDK's exporters take them; ``start`` and ``now`` in nanoseconds since the epoch."""
    from opentelemetry.sdk.metrics.export import Metric, MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    data = [(each, _data(each, each.read(), start, now)) for each in families]
    metrics = [Metric(each.name, each.help, each.unit, its) for each, its in data if its.data_points]
    scope = ScopeMetrics(InstrumentationScope("hangup", __version__), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _data(family: Family, samples: Sequence[Sample], start: int, now: int) -> Any:
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Histogram,
        HistogramDataPoint,
        NumberDataPoint,
        Sum,
    )

    cumulative = AggregationTemporality.CUMULATIVE
    points: list[Any] = []
    for sample in samples:
        about = dict(zip(family.labels, sample.labels, strict=True))
        value = sample.value
        if isinstance(value, Distribution):
            counts = list(value.counts)
            points.append(
                HistogramDataPoint(
                    about, start, now, value.count, value.sum, counts, list(value.bounds), value.least, value.most
                )
            )
        else:
            points.append(NumberDataPoint(about, start, now, value))
    if family.kind == "histogram":
        return Histogram(points, cumulative)
    return Sum(points, cumulative, True) if family.kind == "counter" else Gauge(points)
