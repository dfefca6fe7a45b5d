"""The metrics of a TorchServe worker, as TorchServe takes them."""

from __future__ import annotations

from typing import Any

from vertex_diffusion.metrics import METRICS, NO_RECORDER, PREFIX, Recorder


class TorchServeRecorder:
    """Hands each value to TorchServe's own metrics, which write a line and count for /metrics."""

    def __init__(self, cache: Any) -> None:
        from ts.metrics.metric_type_enum import MetricTypes

        self._metrics = {
            name: cache.add_metric_to_cache(
                metric_name=PREFIX + name,
                unit=metric.unit,
                dimension_names=[metric.label] if metric.label else [],
                metric_type=MetricTypes[metric.kind.upper()],
            )
            for name, metric in METRICS.items()
        }

    def record(self, name: str, value: float, label: str = "") -> None:
        """Add to a counter, set a gauge, or put a value into a histogram."""
        self._metrics[name].add_or_update(value, [label] if label else [])


def recorder_for(context: Any) -> Recorder:
    """The recorder of a worker; one that keeps nothing where TorchServe takes no metrics."""
    cache = getattr(context, "metrics", None)
    return TorchServeRecorder(cache) if hasattr(cache, "add_metric_to_cache") else NO_RECORDER
