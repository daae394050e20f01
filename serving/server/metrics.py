"""Counts and latencies of requests under TF Serving's names, in Prometheus' text format.

Prometheus' own Python library can't write these: it adds `_total` to the names of counters.
"""

import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from roadworthy.serving.server.observe import Call, Observer

PROMETHEUS_PATH: Final = "/monitoring/prometheus/metrics"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_REQUESTS: Final = ":tensorflow:serving:request_count"
_LATENCY: Final = ":tensorflow:serving:request_latency"
# Upstream's: 10 microseconds, then 33 steps of 1.8 times as much.
_BOUNDS_US: Final = tuple(10 * 1.8**step for step in range(33))
# What clients make up must not become ever more series.
_MAX_MODELS: Final = 1000
_OTHER_MODEL: Final = "other"
_INFERENCE: Final = frozenset({"Predict", "Classify", "Regress", "MultiInference"})

Labels = tuple[tuple[str, str], ...]


@dataclass
class _Histogram:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS_US) + 1))
    total_us: float = 0.0

    def add(self, microseconds: float) -> None:
        self.buckets[bisect_left(_BOUNDS_US, microseconds)] += 1
        self.total_us += microseconds


class Metrics(Observer):
    """Counts requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[Labels] = Counter()
        self._latencies: dict[Labels, _Histogram] = {}
        self._models: set[str] = set()

    def done(self, call: Call) -> None:
        """Counts an inference; looking at a model is none."""
        if call.method not in _INFERENCE:
            return
        with self._lock:
            model = self._series(call.model)
            self._requests[(("model_name", model), ("status", call.code))] += 1
            labels = (("model_name", model), ("API", call.method), ("entrypoint", call.transport.upper()))
            self._latencies.setdefault(labels, _Histogram()).add(call.seconds * 1e6)

    def text(self) -> str:
        """All series, as Prometheus reads them; latencies in microseconds."""
        with self._lock:
            lines = [f"# TYPE {_REQUESTS} counter"]
            lines += [f"{_REQUESTS}{_braced(labels)} {count}" for labels, count in sorted(self._requests.items())]
            lines.append(f"# TYPE {_LATENCY} histogram")
            for labels, histogram in sorted(self._latencies.items()):
                lines += _histogram_lines(labels, histogram)
        return "\n".join(lines) + "\n"

    def _series(self, model: str) -> str:
        if model not in self._models and len(self._models) >= _MAX_MODELS:
            return _OTHER_MODEL
        self._models.add(model)
        return model


def _histogram_lines(labels: Labels, histogram: _Histogram) -> list[str]:
    lines, count = [], 0
    for bound, of_bucket in zip((*map(repr, _BOUNDS_US), "+Inf"), histogram.buckets, strict=True):
        count += of_bucket
        lines.append(f"{_LATENCY}_bucket{_braced((*labels, ('le', bound)))} {count}")
    lines.append(f"{_LATENCY}_sum{_braced(labels)} {histogram.total_us!r}")
    lines.append(f"{_LATENCY}_count{_braced(labels)} {count}")
    return lines


def _braced(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
