"""Times the handler, the bare pipeline and one prompt after the other, on one model in memory.

Takes what to do as JSON in the first argument and prints what was measured as JSON.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, Callable

import torch
from diffusers import StableDiffusionPipeline

from vertex_diffusion.calls import Call
from vertex_diffusion.service import Service, start_service

PROMPT = "a red circle number"


class Inside:
    """Sums the time inside of calls of the diffusers pipeline, whoever makes them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        call = StableDiffusionPipeline.__call__

        def timed(*args: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*args, **options)
            finally:
                self.seconds += time.perf_counter() - started

        StableDiffusionPipeline.__call__ = timed


def main() -> None:
    """Run all rounds; what is compared runs in turns."""
    wanted = json.loads(sys.argv[1])
    logging.disable(logging.INFO)
    steps, batches = wanted["steps"], wanted["batches"]
    # No limit of the service is what is measured.
    environment = {
        **os.environ,
        "VERTEX_DIFFUSION_MAX_INSTANCES": "256",
        "VERTEX_DIFFUSION_MAX_BATCH_SIZE": str(max(batches)),
        "VERTEX_DIFFUSION_MAX_INSTANCE_MEGAPIXEL_STEPS": "1000000",
        "VERTEX_DIFFUSION_MAX_CALL_MEGAPIXEL_STEPS": "1000000",
    }
    service = start_service(lambda: Path(wanted["weights"]), environment)
    ways = {
        "bare pipeline": lambda count: run_bare(service, count, steps),
        "prompt by prompt": lambda count: run_one_by_one(service, count, steps),
        "this project": lambda count: run_ours(service, count, steps),
    }
    inside = Inside()
    results = [
        result
        for batch in batches
        for result in measure_batch(service, ways, inside, batch, wanted["rounds"])
    ]
    device = service.pipeline.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(
        json.dumps(
            {"device": name, "model": service.pipeline.description, "results": results},
        )
    )


def measure_batch(
    service: Service,
    ways: dict[str, Callable[[int], None]],
    inside: Inside,
    batch: int,
    rounds: int,
) -> list[dict[str, Any]]:
    """Seconds of each way by round, how many of them inside of the pipeline, and its peak memory
    on a GPU; a round before warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    inside_seconds: dict[str, list[float]] = {name: [] for name in ways}
    peaks: dict[str, int] = {}
    for number in range(rounds + 1):
        names = list(ways) if number % 2 == 0 else list(reversed(list(ways)))
        for name in names:
            print(f"batch {batch}, round {number} of {rounds}: {name}", file=sys.stderr)
            if service.pipeline.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(service.pipeline.device)
            inside.seconds = 0.0
            started = time.perf_counter()
            ways[name](batch)
            ended = time.perf_counter()
            if number > 0:
                seconds[name].append(ended - started)
                inside_seconds[name].append(inside.seconds)
            peaks[name] = service.pipeline.memory_bytes().get("peak", 0)
    return [
        {
            "way": name,
            "batch": batch,
            "seconds": seconds[name],
            "insideSeconds": inside_seconds[name],
            "peakBytes": peaks[name],
        }
        for name in ways
    ]


def run_ours(service: Service, count: int, steps: int) -> None:
    """One call with so many instances, from JSON to base64."""
    body = json.dumps(
        [
            {"prompt": f"{PROMPT} {index}", "seed": index, "num_inference_steps": steps}
            for index in range(count)
        ]
    )
    outcome = service.predict([Call(json.loads(body))])[0]
    if not (isinstance(outcome, list) and all(isinstance(picture, str) for picture in outcome)):
        raise RuntimeError(f"a call was not answered with pictures: {outcome}")


def run_bare(service: Service, count: int, steps: int) -> None:
    """The diffusers pipeline alone, to pictures in memory."""
    call_pipeline(service, [f"{PROMPT} {index}" for index in range(count)], steps)


def run_one_by_one(service: Service, count: int, steps: int) -> None:
    """What the public tutorial's handler does: a pass for each prompt, then PNG and base64."""
    for index in range(count):
        buffer = io.BytesIO()
        call_pipeline(service, [f"{PROMPT} {index}"], steps)[0].save(buffer, format="PNG")
        base64.b64encode(buffer.getvalue())


def call_pipeline(service: Service, prompts: list[str], steps: int) -> list[Any]:
    """The same models in memory, called as diffusers documents it."""
    width, height = service.pipeline.default_size
    pictures: list[Any] = service.pipeline._pipeline(
        prompts,
        num_inference_steps=steps,
        width=width,
        height=height,
        generator=[torch.Generator("cpu").manual_seed(index) for index in range(len(prompts))],
    ).images
    return pictures


if __name__ == "__main__":
    main()
