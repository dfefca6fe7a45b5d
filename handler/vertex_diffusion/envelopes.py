"""What TorchServe hands to a handler, and what it wants back, with and without an envelope.

Without an envelope a handler gets one row per request, `{"body": {"instances": [...]}}`, and
answers one body per row. Behind the json or kserve envelope it gets the instances of all requests
as one flat list and answers one item per instance. Which of them Google's prebuilt image sets is
not documented, so all three give the same answers here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vertex_diffusion.prediction import Prediction
from vertex_diffusion.request import RequestError

MAX_INSTANCES = 16


@dataclass(frozen=True)
class Call:
    """One predict call: its instances, or why it could not be read."""

    instances: Sequence[Any]
    error: RequestError | None = None


@dataclass(frozen=True)
class Batch:
    """What TorchServe handed over at once."""

    calls: Sequence[Call]
    # The instances of all requests in one list: one call here, whose borders are not known.
    flat: bool


def open_envelopes() -> bool:
    """Let TorchServe's envelopes pass each request on whole; False when there are none.

    The json envelope answers 503 to a body without instances and hides where one request of a
    batch ends, so that no request can be given a status of its own; the kserve envelope drops all
    requests of a batch but the first. Opened, they add nothing to what a handler gets without an
    envelope. Where this has no effect, a flat list is still understood.
    """
    try:
        from ts.torch_handler.request_envelope.base import BaseEnvelope
    except ImportError:
        return False
    BaseEnvelope.handle = _pass_on
    return True


def _pass_on(self: Any, data: Any, context: Any) -> Any:
    self.context = context
    return self._handle_fn(data, context)


def read_batch(data: Sequence[Any], context: Any) -> Batch:
    """Find the calls in what TorchServe handed over, whatever the envelope."""
    if len(data) == len(context.request_ids) and any(_is_row(item) for item in data):
        return Batch([_read_row(row) for row in data], flat=False)
    return Batch([Call(data)], flat=True)


def write_answers(
    batch: Batch, predictions: Sequence[Sequence[Prediction]], context: Any
) -> list[Any]:
    """Answer as the envelope expects: HTTP 400 for a call of which nothing could be answered.

    `predictions` holds one list for each call of `batch`.
    """
    if batch.flat:
        if all(isinstance(prediction, RequestError) for prediction in predictions[0]):
            context.set_all_response_status(400, "Bad Request")
        return [_to_json(prediction) for prediction in predictions[0]]

    bodies = []
    for index, (call, answers) in enumerate(zip(batch.calls, predictions)):
        error = call.error or _error_of_all(answers)
        if error:
            context.set_response_status(error.code, "Bad Request", index)
        context.set_response_content_type(index, "application/json")
        body = error.to_answer() if error else {"predictions": [_to_json(a) for a in answers]}
        bodies.append(json.dumps(body))
    return bodies


def _is_row(item: Any) -> bool:
    return isinstance(item, dict) and "prompt" not in item and ("body" in item or "data" in item)


def _read_row(row: Any) -> Call:
    # A form has neither, and so no instances.
    body = row.get("body", row.get("data", b"")) if isinstance(row, dict) else row
    try:
        return Call(_read_instances(body))
    except RequestError as error:
        return Call([], error)


def _read_instances(body: Any) -> Sequence[Any]:
    """The instances of a body, which TorchServe has parsed only if it was sent as JSON."""
    if isinstance(body, (bytes, bytearray, str)):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            raise RequestError("", "the body must be JSON") from None
    if not isinstance(body, dict):
        raise RequestError("", 'the body must be an object: {"instances": [...]}')
    instances = body.get("instances")
    if not isinstance(instances, list) or not 1 <= len(instances) <= MAX_INSTANCES:
        raise RequestError(
            "instances", f"instances must be an array of 1 to {MAX_INSTANCES} instances"
        )
    if body.get("parameters"):
        raise RequestError(
            "parameters", "parameters are not read; put the options into each instance"
        )
    return instances


def _error_of_all(predictions: Sequence[Prediction]) -> RequestError | None:
    """The error of a call whose instances are all bad: the first one's, with its place."""
    errors = [item for item in predictions if isinstance(item, RequestError)]
    if len(errors) < len(predictions):
        return None
    first = errors[0]
    count = f"all {len(errors)} instances are bad; the first: " if len(errors) > 1 else ""
    return RequestError(
        ".".join(part for part in ("instances[0]", first.field) if part), count + first.message
    )


def _to_json(prediction: Prediction) -> Any:
    return prediction.to_answer() if isinstance(prediction, RequestError) else prediction
