"""From predict calls to their predictions, each instance on its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Union

from vertex_diffusion import VERSION
from vertex_diffusion.calls import Call, Outcome, Prediction
from vertex_diffusion.encoding import encode_image
from vertex_diffusion.errors import RequestError
from vertex_diffusion.parsing import (
    RequestRules,
    megapixel_steps,
    parse_instance,
    parse_parameters,
)
from vertex_diffusion.pipeline import ImageTask, Pipeline
from vertex_diffusion.request import GenerationRequest, image_seeds

logger = logging.getLogger(__name__)

Parsed = Union[GenerationRequest, RequestError]


def predict_calls(calls: Sequence[Call], rules: RequestRules, pipeline: Pipeline) -> list[Outcome]:
    """Make the predictions of each call, in order; a bad instance or call spoils no other."""
    started = time.monotonic()
    # Every instance is read before the first picture, so a bad one costs no GPU time.
    parsed = [_parse_call(call, rules) for call in calls]
    outcomes: list[Outcome] = [
        call if isinstance(call, RequestError) else [_predict(item, pipeline) for item in call]
        for call in parsed
    ]
    instances = [item for call in parsed if not isinstance(call, RequestError) for item in call]
    requests = [item for item in instances if isinstance(item, GenerationRequest)]
    logger.info(
        "Pictures made: %d, instances refused: %d, in %.2f s",
        sum(request.num_images for request in requests),
        len(instances) - len(requests),
        time.monotonic() - started,
    )
    return outcomes


def _parse_call(call: Call, rules: RequestRules) -> RequestError | list[Parsed]:
    if call.error:
        return call.error
    try:
        parameters = parse_parameters(call.parameters, rules)
        parsed = [_parse(instance, rules, parameters) for instance in call.instances]
        _refuse_work(parsed, rules)
        return parsed
    except RequestError as error:
        return error


def _parse(instance: Any, rules: RequestRules, parameters: Any) -> Parsed:
    try:
        return parse_instance(instance, rules, parameters)
    except RequestError as error:
        return error


def _predict(request: Parsed, pipeline: Pipeline) -> Prediction:
    if isinstance(request, RequestError):
        return request
    started = time.monotonic()
    seeds = image_seeds(request)
    images = [pipeline.generate([ImageTask(request, seed)])[0] for seed in seeds]
    made = time.monotonic()
    texts = [encode_image(image, request.image_format, request.quality) for image in images]
    if request.output == "full":
        timings = {
            "generate_seconds": round(made - started, 3),
            "encode_seconds": round(time.monotonic() - made, 3),
        }
        return _full(request, seeds, texts, timings)
    return texts[0] if request.num_images == 1 else texts


def _full(
    request: GenerationRequest, seeds: list[int], texts: list[str], timings: dict[str, float]
) -> dict[str, Any]:
    return {
        "images": texts,
        "image_format": request.image_format,
        "width": request.width,
        "height": request.height,
        "seeds": seeds,
        "num_inference_steps": request.num_inference_steps,
        "guidance_scale": request.guidance_scale,
        "scheduler": request.scheduler,
        "timings": timings,
        "version": VERSION,
    }


def _refuse_work(parsed: Sequence[Parsed], rules: RequestRules) -> None:
    work = sum(megapixel_steps(item) for item in parsed if isinstance(item, GenerationRequest))
    limit = rules.settings.max_call_megapixel_steps
    if work > limit:
        raise RequestError(
            "instances",
            "width x height x num_inference_steps x num_images of all instances must be at most "
            f"{limit} million, got {work:.1f} million",
        )
