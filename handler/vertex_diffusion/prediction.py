"""From the instances of one call to its predictions, each on its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Union

from vertex_diffusion.encoding import encode_png
from vertex_diffusion.pipeline import Pipeline
from vertex_diffusion.request import GenerationRequest, RequestError, RequestRules, parse_instance

# A picture as base64 PNG, or what was wrong with the instance.
Prediction = Union[str, RequestError]

logger = logging.getLogger(__name__)


def predict_instances(
    instances: Sequence[Any], rules: RequestRules, pipeline: Pipeline
) -> list[Prediction]:
    """Make one prediction for each instance, in order; a bad instance spoils no other."""
    started = time.monotonic()
    # Every instance is read before the first picture, so a bad one costs no GPU time.
    requests = [_parse(instance, rules) for instance in instances]
    predictions: list[Prediction] = [
        request if isinstance(request, RequestError) else encode_png(pipeline.generate(request))
        for request in requests
    ]
    refused = sum(isinstance(prediction, RequestError) for prediction in predictions)
    made = len(predictions) - refused
    seconds = time.monotonic() - started
    logger.info("Pictures made: %d, instances refused: %d, in %.2f s", made, refused, seconds)
    return predictions


def _parse(instance: Any, rules: RequestRules) -> GenerationRequest | RequestError:
    try:
        return parse_instance(instance, rules)
    except RequestError as error:
        return error
