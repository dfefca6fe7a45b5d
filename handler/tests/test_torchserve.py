"""The packed archive in a real TorchServe: only these prove the archive and its answers on HTTP."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from handler import DiffusionHandler
from tests.pictures import BATCH_TOLERANCE, decode, largest_difference, picture_text
from tests.test_handler import BAD, BAD_ANSWER, BAD_MESSAGE, GOOD, OTHER, predict
from tests.torchserve import Answer, TorchServe, pack_archive, wait_for

pytestmark = pytest.mark.torchserve


@pytest.fixture(scope="module", params=[None, "json", "kserve"], ids=lambda name: name or "none")
def server(
    request: pytest.FixtureRequest, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TorchServe]:
    """TorchServe with one of the envelopes, which collects up to 3 requests for half a second."""
    folder = tmp_path_factory.mktemp("ts")
    pack_archive(folder / "model.mar", weights)
    with TorchServe(folder, request.param, batch_size=3, batch_delay_ms=500) as server:
        yield server.wait_until_ready()


def test_answers_as_the_handler_in_this_process(
    server: TorchServe, handler: DiffusionHandler
) -> None:
    answer = server.predict({"instances": [GOOD, BAD, OTHER]})

    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.body == {"predictions": predict(handler, GOOD, BAD, OTHER)}
    assert Image.open(io.BytesIO(base64.b64decode(answer.body["predictions"][0]))).format == "PNG"


def test_requests_handled_at_once_have_their_own_status(
    server: TorchServe, handler: DiffusionHandler
) -> None:
    bodies = [{"instances": [BAD]}, {"instances": [GOOD, BAD]}, {"instances": []}]
    batches = server.log.count("Backend received inference")

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(server.predict, bodies))

    assert server.log.count("Backend received inference") == batches + 1
    assert [answer.status for answer in answers] == [400, 200, 400]
    assert answers[0].body == {
        "error": {"code": 400, "message": BAD_MESSAGE, "field": "instances[0].width"}
    }
    assert answers[1].body == {"predictions": [*predict(handler, GOOD), BAD_ANSWER]}


@pytest.mark.parametrize("body", [b"{nope", b"[" * 100_000, b"", b"[]", b'{"inputs": []}'])
def test_a_body_that_is_no_call_is_a_400(server: TorchServe, body: bytes) -> None:
    answer = server.predict(body)

    assert answer.status == 400
    assert answer.body["error"]["code"] == 400


def test_reads_json_that_is_sent_as_bytes(server: TorchServe, handler: DiffusionHandler) -> None:
    answer = server.predict(
        b'{"instances": [{"prompt": "a red circle", "seed": 7, "num_inference_steps": 2}]}',
        content_type="application/octet-stream",
    )

    assert answer == Answer(200, "application/json", {"predictions": predict(handler, GOOD)})


def test_no_prompt_and_no_picture_is_logged(server: TorchServe) -> None:
    picture = picture_text()
    from_picture = {**GOOD, "prompt": "zebra", "init_image": picture, "strength": 1}

    answer = server.predict({"instances": [from_picture, {"prompt": "zebra " * 300}]})
    server.predict({"instances": [{"prompt": "a", "init_image": picture[:-10]}]})
    server.predict(b'{"instances": ["zebra"')

    assert "Ready in" in server.log
    assert "zebra" not in server.log
    for text in (picture, answer.body["predictions"][0]):
        assert text[20:60] not in server.log


def test_calls_that_wait_are_made_together_as_the_archive_says(
    weights: Path, tmp_path: Path, handler: DiffusionHandler
) -> None:
    pack_archive(tmp_path / "model.mar", weights, has_config=True)
    with TorchServe(tmp_path, "json") as server:
        server.wait_until_ready()
        [model] = server.describe()
        assert (model["batchSize"], model["maxBatchDelay"]) == (8, 20)
        assert model["responseTimeout"] == 600

        body = {"instances": [{**GOOD, "num_inference_steps": 20}]}
        with ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda _: server.predict(body), range(8)))

        assert [answer.status for answer in answers] == [200] * 8
        # While the first is made, the others wait and come in one batch.
        made = [int(count) for count in re.findall(r"Pictures made: (\d+)", server.log)]
        assert sum(made) == 8
        assert max(made) > 1
        [expected] = predict(handler, *body["instances"])
        for answer in answers:
            picture = decode(answer.body["predictions"][0])
            assert largest_difference(picture, decode(expected)) <= BATCH_TOLERANCE


@pytest.mark.parametrize("mode", ["log", "prometheus"])
def test_metrics_are_where_torchserve_has_its_own(weights: Path, tmp_path: Path, mode: str) -> None:
    pack_archive(tmp_path / "model.mar", weights)
    settings = {"metrics_mode": mode, "model_metrics_auto_detect": "true"}
    with TorchServe(tmp_path, "json", settings=settings) as server:
        server.wait_until_ready()
        server.predict({"instances": [GOOD, OTHER, BAD]})

        if mode == "log":
            server.wait_for_log("MODEL_METRICS - vertex_diffusion_errors_total.Count:1.0|#kind:inv")
            for line in ("images_total.Count:2.0|", "batch_size.Count:2.0|", "image_seconds.Sec"):
                assert f"MODEL_METRICS - vertex_diffusion_{line}" in server.log
            return
        # TorchServe reads its worker's output while it answers, so the numbers come a moment later.
        text = wait_for(server.metrics, 'errors_total{kind="invalid"')
        assert re.search(r"^vertex_diffusion_images_total{.*} 2\.0$", text, re.MULTILINE)
        assert re.search(r"^vertex_diffusion_batch_size_sum{.*} 2\.0$", text, re.MULTILINE)
        assert re.search(r"^vertex_diffusion_image_seconds_count{.*} 2\.0$", text, re.MULTILINE)


def test_an_archive_without_weights_says_so_and_is_never_ready(tmp_path: Path) -> None:
    pack_archive(tmp_path / "model.mar", None)
    with TorchServe(tmp_path, "json") as server:
        server.wait_for_log("The model cannot be served. The model archive has no weights:")
        assert not server.ready()
