"""Metrics in the words of Prometheus, or of OpenMetrics; needs the extra ``metrics``, as who serves them does."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from hangup.errors import MissingExtra
from hangup.recording.totals import Distribution
from hangup.telemetry.families import Family
from hangup.telemetry.observer import Observer

LEISURE = 60
"""A text that took so long to make (of processor time) is given again until so many times that have passed."""

FORMS = 8
"""Of so many forms the last text is kept."""

_EOF = b"# EOF\n"


def require() -> None:
    """Raises :class:`MissingExtra` where the library is not installed."""
    try:
        import h11  # noqa: F401
        import prometheus_client  # noqa: F401
    except ImportError:
        raise MissingExtra('--metrics needs prometheus-client: pip install "hangup[metrics]"') from None


class _Text(Struct):
    """What was made last for those who accept this form: as of when, and until when it is new enough."""

    made: bytes
    until: float
    parts: dict[str, tuple[object, bytes]]


class Exposition:
    """What is answered to who scrapes ``observer``. All of it takes at most a sixtieth of the time, however often and
    by how many it is scraped: with very many sums, a text may be some tenths of a second old."""

    def __init__(self, observer: Observer) -> None:
        require()
        self._observer = observer
        self._texts: dict[str, _Text] = {}

    async def answer(self, accept: str) -> tuple[bytes, str]:
        """The text, and its Content-Type, for who sends this ``Accept`` header."""
        from prometheus_client.exposition import choose_encoder

        encode, kind = choose_encoder(accept)
        before = self._texts.get(kind)
        if before is not None and time.monotonic() < before.until:
            return before.made, kind
        await self._observer.find_loops()
        begun = time.thread_time()
        parts: dict[str, tuple[object, bytes]] = {}
        for family in self._observer.families():
            known = before.parts.get(family.name) if before is not None else None
            if known is None or family.version is None or known[0] != family.version:
                known = family.version, encode(_Alone(_metric(family))).removesuffix(_EOF)
            parts[family.name] = known
        text = b"".join(part for _, part in parts.values())
        if kind.startswith("application/openmetrics-text"):
            text += _EOF
        took = time.thread_time() - begun
        if len(self._texts) >= FORMS:
            self._texts.clear()
        self._texts[kind] = _Text(text, time.monotonic() + LEISURE * took, parts)
        return text, kind


class _Alone:
    """A registry of one metric."""

    def __init__(self, metric: Any) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Any]:
        """For prometheus_client."""
        return (self._metric,)


def _metric(family: Family) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for sample in family.read():
            assert isinstance(sample.value, Distribution)
            histogram.add_metric(sample.labels, _buckets(sample.value), sample.value.sum)
        return histogram
    plain = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = plain(family.name, family.help, labels=family.labels)
    for sample in family.read():
        assert not isinstance(sample.value, Distribution)
        metric.add_metric(sample.labels, sample.value)
    return metric


def _buckets(times: Distribution) -> list[tuple[str, float]]:
    """Upper bounds with how many are at or below each."""
    found: list[tuple[str, float]] = []
    below = 0
    for bound, count in zip((*map(str, times.bounds), "+Inf"), times.counts, strict=True):
        below += count
        found.append((bound, below))
    return found
