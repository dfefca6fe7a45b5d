"""From predict calls to their predictions, each instance on its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Union

from vertex_diffusion import VERSION
from vertex_diffusion.batching import Batcher, Made, Result
from vertex_diffusion.calls import Call, Outcome, Prediction
from vertex_diffusion.encoding import encode_image
from vertex_diffusion.errors import RequestError
from vertex_diffusion.parsing import (
    RequestRules,
    megapixel_steps,
    parse_instance,
    parse_parameters,
)
from vertex_diffusion.pipeline import ImageTask
from vertex_diffusion.request import GenerationRequest, image_seeds

logger = logging.getLogger(__name__)

Parsed = Union[GenerationRequest, RequestError]


def predict_calls(calls: Sequence[Call], rules: RequestRules, batcher: Batcher) -> list[Outcome]:
    """Make the predictions of each call, in order; a bad instance or call spoils no other.

    The pictures of all calls are made together.
    """
    started = time.monotonic()
    # Every instance is read before the first picture, so a bad one costs no GPU time.
    parsed = [_parse_call(call, rules) for call in calls]
    instances = [
        (item, call.on_step)
        for call, items in zip(calls, parsed)
        if not isinstance(items, RequestError)
        for item in items
    ]
    requests = [
        (item, on_step) for item, on_step in instances if isinstance(item, GenerationRequest)
    ]
    tasks = [
        ImageTask(request, seed, on_step)
        for request, on_step in requests
        for seed in image_seeds(request)
    ]
    made = batcher.generate(tasks)
    results = iter(made)
    outcomes: list[Outcome] = [
        call if isinstance(call, RequestError) else [_answer(item, results) for item in call]
        for call in parsed
    ]
    logger.info(
        "Pictures made: %d, instances refused: %d, in %.2f s",
        sum(isinstance(result, Made) for result in made),
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


def _answer(request: Parsed, results: Iterator[Result]) -> Prediction:
    """The prediction of an instance, from as many of the results as it asked for pictures."""
    if isinstance(request, RequestError):
        return request
    own = list(islice(results, request.num_images))
    made = [result for result in own if isinstance(result, Made)]
    if len(made) < len(own):
        return next(result for result in own if isinstance(result, RequestError))
    started = time.monotonic()
    texts = [encode_image(each.drawn.image, request.image_format, request.quality) for each in made]
    if request.output == "full":
        return _full(request, made, texts, time.monotonic() - started)
    return texts[0] if request.num_images == 1 else texts


def _full(
    request: GenerationRequest, made: Sequence[Made], texts: list[str], encode_seconds: float
) -> dict[str, Any]:
    passes = {each.made_in.number: each.made_in for each in made}.values()
    return {
        "images": texts,
        "image_format": request.image_format,
        "width": request.width,
        "height": request.height,
        "seeds": image_seeds(request),
        "num_inference_steps": request.num_inference_steps,
        "guidance_scale": request.guidance_scale,
        "scheduler": request.scheduler,
        "timings": {
            "generate_seconds": round(sum(each.seconds for each in passes), 3),
            "encode_seconds": round(encode_seconds, 3),
        },
        "flagged": [each.drawn.is_flagged for each in made],
        "batch_sizes": [each.made_in.size for each in made],
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
