"""What a server counts and measures, and the text that Prometheus reads of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

PREFIX = "vertex_diffusion_"


@dataclass(frozen=True)
class Metric:
    """One thing that is counted or measured."""

    kind: str
    unit: str
    description: str
    # The name of the label that tells its series apart, where it has several.
    label: str = ""
    # The upper bounds of a histogram's buckets.
    buckets: tuple[float, ...] = ()


METRICS: Mapping[str, Metric] = {
    "images_total": Metric("counter", "count", "Pictures made."),
    "flagged_images_total": Metric("counter", "count", "Pictures that the safety checker flagged."),
    "image_seconds": Metric(
        "histogram",
        "s",
        "Time of a picture: its pass's, shared among the pictures of the pass.",
        buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    ),
    "batch_size": Metric(
        "histogram", "count", "Pictures made in one pass.", buckets=(1, 2, 4, 8, 16, 32, 64, 128)
    ),
    "queue_seconds": Metric(
        "histogram",
        "s",
        "How long a call waited before its pictures were begun.",
        buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120),
    ),
    "errors_total": Metric(
        "counter",
        "count",
        "Instances and calls that were refused (invalid), did not fit (memory), failed (failed) or "
        "came to a server that took no more (busy).",
        label="kind",
    ),
    "gpu_memory_bytes": Metric(
        "gauge",
        "B",
        "Memory of the GPU: reserved by this process, and the most that its pictures took (peak).",
        label="kind",
    ),
}

ERROR_KINDS: Mapping[int, str] = {400: "invalid", 413: "memory", 500: "failed"}


class Recorder(Protocol):
    """Takes values for METRICS, by name."""

    def record(self, name: str, value: float, label: str = "") -> None:
        """Add to a counter, set a gauge, or put a value into a histogram."""


class NoRecorder:
    """Keeps nothing."""

    def record(self, name: str, value: float, label: str = "") -> None:
        """Do nothing."""


NO_RECORDER = NoRecorder()


class PrometheusRecorder:
    """Keeps everything, and writes it as Prometheus reads it. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], float] = {}
        self._histograms: dict[tuple[str, str], list[float]] = {}

    def record(self, name: str, value: float, label: str = "") -> None:
        """Add to a counter, set a gauge, or put a value into a histogram."""
        metric = METRICS[name]
        with self._lock:
            if metric.kind == "histogram":
                # One count for each bucket, then the sum of all values and their number.
                counts = self._histograms.setdefault(
                    (name, label), [0.0] * (len(metric.buckets) + 2)
                )
                for index, bound in enumerate(metric.buckets):
                    counts[index] += value <= bound
                counts[-2] += value
                counts[-1] += 1
            elif metric.kind == "gauge":
                self._values[name, label] = value
            else:
                self._values[name, label] = self._values.get((name, label), 0.0) + value

    def render(self) -> str:
        """Everything in Prometheus' text format, version 0.0.4."""
        with self._lock:
            lines = [line for name in METRICS for line in self._render(name)]
        return "\n".join(lines) + "\n"

    def _render(self, name: str) -> Iterator[str]:
        metric, full = METRICS[name], PREFIX + name
        yield f"# HELP {full} {metric.description}"
        yield f"# TYPE {full} {metric.kind}"
        if metric.kind == "histogram":
            counts = self._histograms.get((name, ""), [0.0] * (len(metric.buckets) + 2))
            for bound, count in zip(metric.buckets, counts):
                yield f'{full}_bucket{{le="{bound}"}} {_number(count)}'
            yield f'{full}_bucket{{le="+Inf"}} {_number(counts[-1])}'
            yield f"{full}_sum {_number(counts[-2])}"
            yield f"{full}_count {_number(counts[-1])}"
            return
        if not metric.label:
            yield f"{full} {_number(self._values.get((name, ''), 0.0))}"
        for (of_name, label), value in sorted(self._values.items()):
            if of_name == name and metric.label:
                yield f'{full}{{{metric.label}="{label}"}} {_number(value)}'


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
