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

from vertex_diffusion.calls import Call, Outcome, answer_outcome, read_call, to_json
from vertex_diffusion.errors import RequestError
from vertex_diffusion.settings import Settings

# The words beside a status; TorchServe writes none of its own.
PHRASES = {400: "Bad Request", 413: "Content Too Large", 500: "Internal Server Error"}


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


def read_batch(data: Sequence[Any], context: Any, settings: Settings) -> Batch:
    """Find the calls in what TorchServe handed over, whatever the envelope."""
    if len(data) == len(context.request_ids) and any(_is_row(item) for item in data):
        calls = [read_call(_body_of(row), settings, takes_parameters=False) for row in data]
        return Batch(calls, flat=False)
    return Batch([Call(data)], flat=True)


def write_answers(batch: Batch, outcomes: Sequence[Outcome], context: Any) -> list[Any]:
    """Answer as the envelope expects: a call of which nothing could be answered has its status.

    `outcomes` has one for each call of `batch`.
    """
    answers = [answer_outcome(outcome) for outcome in outcomes]
    if batch.flat:
        [call], [outcome], [answer] = batch.calls, outcomes, answers
        if answer.status != 200:
            context.set_all_response_status(answer.status, PHRASES[answer.status])
        if isinstance(outcome, RequestError):
            return [outcome.to_answer() for _ in call.instances]
        return [to_json(prediction) for prediction in outcome]

    for index, answer in enumerate(answers):
        if answer.status != 200:
            context.set_response_status(answer.status, PHRASES[answer.status], index)
        context.set_response_content_type(index, "application/json")
    return [json.dumps(answer.body) for answer in answers]


def _is_row(item: Any) -> bool:
    return isinstance(item, dict) and "prompt" not in item and ("body" in item or "data" in item)


def _body_of(row: Any) -> Any:
    # A form has neither, and so no instances.
    return row.get("body", row.get("data", b"")) if isinstance(row, dict) else row
