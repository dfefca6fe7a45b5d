"""The handler with TorchServe's own context and envelopes, in this process."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from PIL import Image
from ts.torch_handler.request_envelope.base import BaseEnvelope
from ts.torch_handler.request_envelope.json import JSONEnvelope
from ts.torch_handler.request_envelope.kserve import KServeEnvelope

from handler import DiffusionHandler
from tests.conftest import CLOSED_HANDLE, new_context
from tests.pictures import BATCH_TOLERANCE, decode, largest_difference, picture_text
from vertex_diffusion import VERSION

GOOD: dict[str, Any] = {"prompt": "a red circle", "seed": 7, "num_inference_steps": 2}
OTHER = {"prompt": "a horse on mars", "seed": 8, "num_inference_steps": 2}
BAD = {"prompt": "a red circle", "width": 65}
BAD_MESSAGE = "width must be a multiple of 8, got 65"
BAD_ANSWER = {"error": {"code": 400, "message": BAD_MESSAGE, "field": "width"}}


def call(handler: DiffusionHandler, *bodies: Any) -> list[tuple[int, Any]]:
    """Hand over a batch of requests without an envelope; status and parsed body of each."""
    context = new_context(len(bodies))
    answers = handler.handle([{"body": body} for body in bodies], context)
    return statuses(context, answers)


def call_behind(
    envelope: type[BaseEnvelope], handler: DiffusionHandler, *bodies: Any
) -> list[tuple[int, Any]]:
    """The same behind one of TorchServe's envelopes."""
    context = new_context(len(bodies))
    answers = envelope(handler.handle).handle([{"body": body} for body in bodies], context)
    return statuses(context, answers)


def statuses(context: Any, answers: list[Any]) -> list[tuple[int, Any]]:
    parsed = [json.loads(answer) if isinstance(answer, str) else answer for answer in answers]
    return [(context.get_response_status(index)[0], body) for index, body in enumerate(parsed)]


def predict(handler: DiffusionHandler, *instances: Any) -> list[Any]:
    """The predictions of one call that is answered."""
    [(status, body)] = call(handler, {"instances": list(instances)})
    assert status == 200
    predictions: list[Any] = body["predictions"]
    return predictions


def test_a_prediction_is_a_png_in_base64(handler: DiffusionHandler) -> None:
    [prediction] = predict(handler, GOOD)

    image = Image.open(io.BytesIO(base64.b64decode(prediction, validate=True)))
    assert (image.format, image.size, image.mode) == ("PNG", (64, 64), "RGB")


@pytest.mark.parametrize(
    ("image_format", "head"),
    [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF")],
)
def test_a_prediction_is_in_the_format_asked_for(
    handler: DiffusionHandler, image_format: str, head: bytes
) -> None:
    small, large = predict(
        handler,
        {**GOOD, "image_format": image_format, "quality": 20},
        {**GOOD, "image_format": image_format, "quality": 95},
    )

    content = base64.b64decode(small)
    assert content.startswith(head)
    assert Image.open(io.BytesIO(content)).size == (64, 64)
    assert (len(small) < len(large)) == (image_format != "png")


def test_several_pictures_of_an_instance_are_an_array_each_of_the_next_seed(
    handler: DiffusionHandler,
) -> None:
    [several] = predict(handler, {**GOOD, "num_images": 2})

    assert several == predict(handler, GOOD, {**GOOD, "seed": GOOD["seed"] + 1})


def test_the_full_output_tells_what_would_make_the_same_pictures(
    handler: DiffusionHandler,
) -> None:
    [full] = predict(handler, {**GOOD, "num_images": 2, "output": "full", "scheduler": "ddim"})

    timings = full.pop("timings")
    assert set(timings) == {"generate_seconds", "encode_seconds"}
    assert timings["generate_seconds"] > 0
    again = {
        "prompt": GOOD["prompt"],
        **{name: full[name] for name in ("num_inference_steps", "guidance_scale", "scheduler")},
    }
    seeds = full["seeds"]
    assert predict(handler, *({**again, "seed": seed} for seed in seeds)) == full.pop("images")
    assert full == {
        "image_format": "png",
        "width": 64,
        "height": 64,
        "seeds": [7, 8],
        "num_inference_steps": 2,
        "guidance_scale": 7.5,
        "scheduler": "ddim",
        "flagged": [False, False],
        "batch_sizes": [2, 2],
        "version": VERSION,
    }


def test_starts_from_a_picture_and_takes_its_size(handler: DiffusionHandler) -> None:
    start = {**GOOD, "init_image": picture_text((200, 100)), "strength": 0.5}

    first, sized = predict(handler, start, {**start, "width": 64, "height": 64})

    assert Image.open(io.BytesIO(base64.b64decode(first))).size == (200, 96)
    assert Image.open(io.BytesIO(base64.b64decode(sized))).size == (64, 64)


def test_a_call_that_asks_for_too_much_altogether_is_a_400(handler: DiffusionHandler) -> None:
    large = {**GOOD, "width": 1024, "height": 1024, "num_inference_steps": 100}

    assert call(handler, {"instances": [large] * 3}) == [
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "width x height x num_inference_steps x num_images of all "
                    "instances must be at most 256 million, got 314.6 million",
                    "field": "instances",
                }
            },
        )
    ]


def test_each_instance_has_one_prediction_in_its_place(handler: DiffusionHandler) -> None:
    predictions = predict(handler, GOOD, BAD, OTHER, GOOD)

    assert predictions[1] == BAD_ANSWER
    first, _, other, again = predictions
    assert largest_difference(decode(first), decode(again)) <= BATCH_TOLERANCE
    assert largest_difference(decode(first), decode(other)) > 50


def test_without_a_seed_the_pictures_differ(handler: DiffusionHandler) -> None:
    instance = {"prompt": "a red circle", "num_inference_steps": 2}

    first, second = predict(handler, instance, instance)

    assert first != second


def test_a_call_of_only_bad_instances_is_a_400(handler: DiffusionHandler) -> None:
    assert call(handler, {"instances": [BAD]}) == [
        (400, {"error": {"code": 400, "message": BAD_MESSAGE, "field": "instances[0].width"}})
    ]
    assert call(handler, {"instances": [BAD, 5]}) == [
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": f"all 2 instances are bad; the first: {BAD_MESSAGE}",
                    "field": "instances[0].width",
                }
            },
        )
    ]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"{nope", "", "the body must be JSON"),
        (b"\xff\xfe\xfa", "", "the body must be JSON"),
        (b"[" * 100_000, "", "the body must be JSON"),
        ([GOOD], "", 'the body must be an object: {"instances": [...]}'),
        ({}, "instances", "instances must be an array of 1 to 16 instances"),
        ({"instances": []}, "instances", "instances must be an array of 1 to 16 instances"),
        (b" " * 10_000_001, "", "the body must be at most 10000000 bytes, got 10000001"),
        ({"instances": GOOD}, "instances", "instances must be an array of 1 to 16 instances"),
        (
            {"instances": [GOOD] * 17},
            "instances",
            "instances must be an array of 1 to 16 instances",
        ),
        (
            {"instances": [GOOD], "parameters": {"seed": 1}},
            "parameters",
            "parameters are not read; put the options into each instance",
        ),
    ],
    ids=str,
)
def test_a_body_that_is_no_call_is_a_400(
    handler: DiffusionHandler, body: Any, field: str, message: str
) -> None:
    assert call(handler, body) == [
        (400, {"error": {"code": 400, "message": message, "field": field}})
    ]


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda text: text.decode()])
def test_reads_a_body_that_torchserve_did_not_parse(handler: DiffusionHandler, kind: Any) -> None:
    body = {"instances": [GOOD], "parameters": None}

    assert call(handler, kind(json.dumps(body).encode())) == call(handler, body)


def test_each_request_of_a_batch_has_its_own_status(handler: DiffusionHandler) -> None:
    answers = call(handler, {"instances": [GOOD, BAD]}, {"instances": [BAD]}, b"{nope")

    assert [status for status, _ in answers] == [200, 400, 400]
    assert answers[0][1]["predictions"] == [*predict(handler, GOOD), BAD_ANSWER]


def test_a_form_beside_a_good_request_is_a_400(handler: DiffusionHandler) -> None:
    context = new_context(2)

    answers = handler.handle([{}, {"data": {"instances": [GOOD]}}], context)

    assert [status for status, _ in statuses(context, answers)] == [400, 200]


@pytest.mark.parametrize("envelope", [JSONEnvelope, KServeEnvelope])
def test_an_opened_envelope_changes_no_answer(
    handler: DiffusionHandler, envelope: type[BaseEnvelope]
) -> None:
    bodies: list[Any] = [{"instances": [GOOD, BAD, 5]}, {"instances": [5, BAD]}, {}, []]

    assert call_behind(envelope, handler, *bodies) == call(handler, *bodies)


@pytest.mark.usefixtures("closed_envelopes")
@pytest.mark.parametrize("envelope", [JSONEnvelope, KServeEnvelope])
class TestBehindAnEnvelopeThatCouldNotBeOpened:
    def test_one_request_has_the_same_predictions(
        self, handler: DiffusionHandler, envelope: type[BaseEnvelope]
    ) -> None:
        body = {"instances": [GOOD, BAD]}

        assert call_behind(envelope, handler, body) == call(handler, body)

    def test_a_call_of_only_bad_instances_is_a_400(
        self, handler: DiffusionHandler, envelope: type[BaseEnvelope]
    ) -> None:
        assert call_behind(envelope, handler, {"instances": [BAD, BAD]}) == [
            (400, {"predictions": [BAD_ANSWER, BAD_ANSWER]})
        ]


@pytest.mark.usefixtures("closed_envelopes")
def test_a_closed_json_envelope_splits_the_predictions_of_a_batch(
    handler: DiffusionHandler,
) -> None:
    answers = call_behind(JSONEnvelope, handler, {"instances": [GOOD, BAD]}, {"instances": [BAD]})

    assert answers == [
        (200, {"predictions": [*predict(handler, GOOD), BAD_ANSWER]}),
        (200, {"predictions": [BAD_ANSWER]}),
    ]


def test_no_prompt_is_logged(
    handler: DiffusionHandler, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG", logger="vertex_diffusion")
    secret = "zebra"  # noqa: S105 - a word to look for

    predict(
        handler,
        {**GOOD, "prompt": secret, "negative_prompt": secret},
        {"prompt": f"{secret} " * 300},
        {"prompt": secret, secret: 1},
    )

    printed = capfd.readouterr()
    assert secret not in caplog.text + printed.out + printed.err
    assert "Pictures made: 1, instances refused: 2" in caplog.text


def test_the_envelopes_are_open_once_the_handler_is_imported() -> None:
    assert BaseEnvelope.handle is not CLOSED_HANDLE
