"""One predict call: reading its body, and the body and status that answer it.

The same for every server: what TorchServe adds stands in envelopes.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

from vertex_diffusion.errors import RequestError
from vertex_diffusion.settings import Settings

# A picture in base64, several of them, an object with details, or what was wrong.
Prediction = Union[str, list[str], dict[str, Any], RequestError]


# The predictions of a call, or what was wrong with all of it.
Outcome = Union[RequestError, Sequence[Prediction]]

# Called after each denoising step with its number and how many there are.
OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class Call:
    """One predict call: its instances, or why it could not be read."""

    instances: Sequence[Any]
    # Defaults for the instances, as they were sent.
    parameters: Any = None
    error: RequestError | None = None
    # Hears of each step of each pass that makes pictures of this call.
    on_step: OnStep | None = None


@dataclass(frozen=True)
class Answer:
    """What goes back over HTTP, as JSON."""

    status: int
    body: dict[str, Any]


def read_call(body: Any, settings: Settings, takes_parameters: bool = True) -> Call:
    """Read a body, as bytes, as text or already parsed; a bad one is a call with its error.

    Behind TorchServe's own envelopes `parameters` are lost, so there they are refused everywhere.
    """
    try:
        parsed = _parse_body(body, settings)
        instances = parsed.get("instances")
        limit = settings.max_instances
        if not isinstance(instances, list) or not 1 <= len(instances) <= limit:
            raise RequestError("instances", f"instances must be an array of 1 to {limit} instances")
        parameters = parsed.get("parameters")
        if parameters and not takes_parameters:
            raise RequestError(
                "parameters", "parameters are not read; put the options into each instance"
            )
        return Call(instances, parameters)
    except RequestError as error:
        return Call([], error=error)


def answer_outcome(outcome: Outcome) -> Answer:
    """The predictions of a call in order; an error of its own when there is none to give."""
    if isinstance(outcome, RequestError):
        return Answer(outcome.code, outcome.to_answer())
    errors = [item for item in outcome if isinstance(item, RequestError)]
    if len(errors) < len(outcome):
        return Answer(200, {"predictions": [to_json(prediction) for prediction in outcome]})
    count = f"all {len(errors)} instances are bad; the first: " if len(errors) > 1 else ""
    field = ".".join(part for part in ("instances[0]", errors[0].field) if part)
    codes = {error.code for error in errors}
    code = codes.pop() if len(codes) == 1 else 400
    return answer_outcome(RequestError(field, count + errors[0].message, code))


def to_json(prediction: Prediction) -> Any:
    """A prediction as JSON has it."""
    return prediction.to_answer() if isinstance(prediction, RequestError) else prediction


def _parse_body(body: Any, settings: Settings) -> dict[str, Any]:
    if isinstance(body, (bytes, bytearray, str)):
        if len(body) > settings.max_body_bytes:
            raise RequestError(
                "", f"the body must be at most {settings.max_body_bytes} bytes, got {len(body)}"
            )
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            raise RequestError("", "the body must be JSON") from None
    if not isinstance(body, dict):
        raise RequestError("", 'the body must be an object: {"instances": [...]}')
    return body
