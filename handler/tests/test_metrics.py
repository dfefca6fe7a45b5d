"""What a server counts, and Prometheus' text of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vertex_diffusion.calls import Call, read_call
from vertex_diffusion.metrics import METRICS, PREFIX, PrometheusRecorder
from vertex_diffusion.service import Service, start_service
from vertex_diffusion.settings import Settings

GOOD = {"prompt": "a red circle", "num_inference_steps": 2}


@pytest.fixture
def recorder() -> PrometheusRecorder:
    return PrometheusRecorder()


@pytest.fixture
def service(weights: Path, recorder: PrometheusRecorder) -> Service:
    return start_service(lambda: weights, {}, recorder=recorder)


def samples(recorder: PrometheusRecorder) -> dict[str, float]:
    lines = [line for line in recorder.render().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_counts_nothing_before_the_first_call(
    service: Service, recorder: PrometheusRecorder
) -> None:
    assert set(samples(recorder).values()) == {0}


def test_counts_pictures_batches_waiting_and_errors(
    service: Service, recorder: PrometheusRecorder
) -> None:
    calls = [
        Call([GOOD, {**GOOD, "num_images": 2}, {"prompt": 5}]),
        read_call(b"{nope", Settings()),
        Call([{**GOOD, "width": 72}]),
    ]

    service.predict(calls, queued_seconds=[0.02, 0.5, 7])

    found = samples(recorder)
    expected = {
        "images_total": 4,
        "batch_size_count": 2,
        "batch_size_sum": 4,
        'batch_size_bucket{le="1"}': 1,
        'batch_size_bucket{le="2"}': 1,
        'batch_size_bucket{le="4"}': 2,
        "image_seconds_count": 4,
        "queue_seconds_count": 3,
        "queue_seconds_sum": 7.52,
        'queue_seconds_bucket{le="0.5"}': 2,
        'queue_seconds_bucket{le="+Inf"}': 3,
        'errors_total{kind="invalid"}': 2,
        "flagged_images_total": 0,
    }
    assert {name: found[PREFIX + name] for name in expected} == pytest.approx(expected)
    assert found[PREFIX + "image_seconds_sum"] > 0


def test_the_text_is_as_prometheus_reads_it(recorder: PrometheusRecorder) -> None:
    recorder.record("images_total", 2)
    recorder.record("errors_total", 1, "memory")
    recorder.record("errors_total", 2, "failed")
    recorder.record("gpu_memory_bytes", 5, "peak")
    recorder.record("gpu_memory_bytes", 4, "peak")

    lines = recorder.render().splitlines()

    assert lines[:3] == [
        "# HELP vertex_diffusion_images_total Pictures made.",
        "# TYPE vertex_diffusion_images_total counter",
        "vertex_diffusion_images_total 2",
    ]
    assert [line for line in lines if "errors_total{" in line or "memory_bytes{" in line] == [
        'vertex_diffusion_errors_total{kind="failed"} 2',
        'vertex_diffusion_errors_total{kind="memory"} 1',
        'vertex_diffusion_gpu_memory_bytes{kind="peak"} 4',
    ]
    assert [line.split()[2] for line in lines if line.startswith("# TYPE")] == [
        PREFIX + name for name in METRICS
    ]
