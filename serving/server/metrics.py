"""Counts and latencies of requests under TF Serving's names, in Prometheus' text format.

Prometheus' own Python library can't write these: it adds `_total` to the names of counters.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from roadworthy.serving.server.observe import Call, Observer

PROMETHEUS_PATH: Final = "/monitoring/prometheus/metrics"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_REQUESTS: Final = ":tensorflow:serving:request_count"
_LATENCY: Final = ":tensorflow:serving:request_latency"
_RUNTIME_LATENCY: Final = ":tensorflow:serving:runtime_latency"
# What upstream calls the runtime of a session, which for it serves LiteRT models too.
_RUNTIME: Final = "TF1"
# Upstream's: 10 microseconds, then 33 steps of 1.8 times as much.
_BOUNDS_US: Final = tuple(10 * 1.8**step for step in range(33))
# What clients make up must not become ever more series.
_MAX_MODELS: Final = 1000
_OTHER_MODEL: Final = "other"
_INFERENCE: Final = frozenset({"Predict", "Classify", "Regress", "MultiInference"})

Labels = tuple[tuple[str, str], ...]


@dataclass
class Histogram:
    """How many requests took how long.

    Attributes:
        buckets: how many, by the bound they stayed below; the last is of those beyond all bounds.
        total_us: of all of them, in microseconds.
    """

    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS_US) + 1))
    total_us: float = 0.0

    def add(self, microseconds: float) -> None:
        """Counts one request."""
        self.buckets[bisect_left(_BOUNDS_US, microseconds)] += 1
        self.total_us += microseconds

    def merge(self, other: "Histogram") -> None:
        """Counts in the requests of another."""
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.total_us += other.total_us


@dataclass
class Counts:
    """What was counted, of one process or of several.

    Attributes:
        requests: how many there were, by model and how they ended.
        latencies: how long they took, by model, method and transport.
        runtimes: how long the model took for those that it answered, by model, method and runtime.
    """

    requests: Counter[Labels] = field(default_factory=Counter)
    latencies: dict[Labels, Histogram] = field(default_factory=dict)
    runtimes: dict[Labels, Histogram] = field(default_factory=dict)

    def add(self, other: "Counts") -> None:
        """Counts in what another process counted."""
        self.requests.update(other.requests)
        for mine, theirs in ((self.latencies, other.latencies), (self.runtimes, other.runtimes)):
            for labels, histogram in theirs.items():
                mine.setdefault(labels, Histogram()).merge(histogram)

    def text(self) -> str:
        """All series, as Prometheus reads them; latencies in microseconds."""
        lines = [f"# TYPE {_REQUESTS} counter"]
        lines += [f"{_REQUESTS}{_braced(labels)} {count}" for labels, count in sorted(self.requests.items())]
        for series, histograms in ((_LATENCY, self.latencies), (_RUNTIME_LATENCY, self.runtimes)):
            lines.append(f"# TYPE {series} histogram")
            for labels, histogram in sorted(histograms.items()):
                lines += _histogram_lines(series, labels, histogram)
        return "\n".join(lines) + "\n"

    def plain(self) -> list[Any]:
        """The same as lists and numbers, for another process."""
        return [list(self.requests.items()), *map(_plain_histograms, (self.latencies, self.runtimes))]

    @classmethod
    def of_plain(cls, plain: Sequence[Any]) -> "Counts":
        """What `plain` gave, come back as JSON."""
        requests, latencies, runtimes = plain
        counted = Counter({_labels(labels): count for labels, count in requests})
        return cls(counted, _histograms(latencies), _histograms(runtimes))


class Metrics(Observer):
    """Counts the requests of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        self._models: set[str] = set()

    def done(self, call: Call) -> None:
        """Counts an inference; looking at a model is none."""
        if call.method not in _INFERENCE:
            return
        with self._lock:
            model = self._series(call.model)
            self._counts.requests[(("model_name", model), ("status", call.code))] += 1
            labels = (("model_name", model), ("API", call.method), ("entrypoint", call.transport.upper()))
            self._counts.latencies.setdefault(labels, Histogram()).add(call.seconds * 1e6)
            if call.model_seconds:
                labels = (("model_name", model), ("API", call.method), ("runtime", _RUNTIME))
                self._counts.runtimes.setdefault(labels, Histogram()).add(call.model_seconds * 1e6)

    def text(self) -> str:
        """All series, as Prometheus reads them; latencies in microseconds."""
        with self._lock:
            return self._counts.text()

    def plain(self) -> list[Any]:
        """What was counted so far, for another process."""
        with self._lock:
            return self._counts.plain()

    def _series(self, model: str) -> str:
        if model not in self._models and len(self._models) >= _MAX_MODELS:
            return _OTHER_MODEL
        self._models.add(model)
        return model


def _plain_histograms(histograms: Mapping[Labels, Histogram]) -> list[Any]:
    return [[labels, list(histogram.buckets), histogram.total_us] for labels, histogram in histograms.items()]


def _histograms(plain: Sequence[Any]) -> dict[Labels, Histogram]:
    return {_labels(labels): Histogram(buckets, total_us) for labels, buckets, total_us in plain}


def _labels(plain: Sequence[Sequence[str]]) -> Labels:
    return tuple((name, value) for name, value in plain)


def _histogram_lines(series: str, labels: Labels, histogram: Histogram) -> list[str]:
    lines, count = [], 0
    for bound, of_bucket in zip((*map(repr, _BOUNDS_US), "+Inf"), histogram.buckets, strict=True):
        count += of_bucket
        lines.append(f"{series}_bucket{_braced((*labels, ('le', bound)))} {count}")
    lines.append(f"{series}_sum{_braced(labels)} {histogram.total_us!r}")
    lines.append(f"{series}_count{_braced(labels)} {count}")
    return lines


def _braced(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
