"""Server-sent events: whether a call asks for them, and how they are written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from vertex_diffusion.calls import Call, Outcome, answer_outcome, to_json
from vertex_diffusion.errors import RequestError

EVENT_STREAM = "text/event-stream"
# In a call's parameters. Which of a caller's headers Vertex AI passes on is not documented.
STREAM = "stream"


@dataclass(frozen=True)
class Step:
    """A denoising step that was made, and how many there are."""

    step: int
    of: int


def read_streaming(call: Call, accept: str) -> tuple[Call, bool]:
    """Whether the steps of a call are to be told, by its Accept header or by its parameters.

    The parameter, which belongs to no instance, is taken out of the call.
    """
    accepts = any(part.partition(";")[0].strip() == EVENT_STREAM for part in accept.split(","))
    if not isinstance(call.parameters, dict) or STREAM not in call.parameters:
        return call, accepts
    parameters = dict(call.parameters)
    asked = parameters.pop(STREAM)
    if asked is not None and not isinstance(asked, bool):
        error = RequestError(f"parameters.{STREAM}", f"{STREAM} must be true or false")
        return Call([], error=error), False
    return replace(call, parameters=parameters), accepts or asked is True


def write_step(step: Step) -> str:
    """The event of a denoising step."""
    return _write("progress", asdict(step))


def write_outcome(outcome: Outcome) -> Iterator[str]:
    """One event for each instance, in order; one alone for a call with a single thing wrong."""
    if isinstance(outcome, RequestError):
        yield _write("error", answer_outcome(outcome).body)
        return
    for index, prediction in enumerate(outcome):
        if isinstance(prediction, RequestError):
            yield _write("error", {"index": index, **prediction.to_answer()})
        else:
            yield _write("prediction", {"index": index, "prediction": to_json(prediction)})


def _write(event: str, data: dict[str, Any]) -> str:
    # JSON has no line ends of its own, which would end the event.
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"
