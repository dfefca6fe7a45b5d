"""The custom container's server as a process, with the tiny model and the handler beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handler import DiffusionHandler
from tests.container_process import HEALTH, PREDICT, Answer, Container
from tests.pictures import BATCH_TOLERANCE, decode, largest_difference, picture_text
from tests.test_handler import BAD, GOOD, OTHER, call
from vertex_diffusion.schema import request_schema
from vertex_diffusion.settings import Settings

MAX_BODY_BYTES = 1_000_000
STEPS = GOOD["num_inference_steps"]
# A prompt is never logged.
SECRET = "zebra"  # noqa: S105 - a word to look for

# What is asked of both servers, which have to give the same answers.
BODIES: dict[str, Any] = {
    "pictures": {"instances": [GOOD, OTHER]},
    "a bad instance among good ones": {"instances": [BAD, GOOD, 5]},
    "several pictures, another scheduler, another format": {
        "instances": [{**GOOD, "num_images": 2, "scheduler": "ddim", "image_format": "webp"}]
    },
    "from a picture": {"instances": [{**GOOD, "init_image": picture_text(), "strength": 0.5}]},
    "only bad instances": {"instances": [BAD, 5]},
    "one bad instance": {"instances": [BAD]},
    "too much work": {
        "instances": [{**GOOD, "width": 1024, "height": 1024, "num_inference_steps": 100}] * 3
    },
    "a long prompt": {"instances": [{**GOOD, "prompt": f"{SECRET} " * 80}]},
    "no instances": {"instances": []},
    "too many instances": {"instances": [GOOD] * 17},
    "an object without instances": {},
    "no object": [GOOD],
    "no JSON": b"{nope",
    "no text": b"\xff\xfe\xfa",
    "nothing": b"",
    "deep": b"[" * 100_000,
    "half a character": b'{"instances": [{"prompt": "x", "\\ud800": 1}]}',
}


@pytest.fixture(scope="module")
def container(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A ready server, whose calls wait half a second for others."""
    with Container(
        tmp_path_factory.mktemp("container"),
        weights.parent,
        {
            "VERTEX_DIFFUSION_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
            "VERTEX_DIFFUSION_MAX_BATCH_DELAY_MS": "500",
        },
    ) as container:
        yield container.wait_until_ready()


@pytest.mark.parametrize("name", BODIES)
def test_answers_as_the_handler_behind_torchserve(
    container: Container, handler: DiffusionHandler, name: str
) -> None:
    [expected] = call(handler, BODIES[name])

    answer = container.predict(BODIES[name])

    assert (answer.status, answer.body) == expected
    assert answer.headers["content-type"] == "application/json"


def test_health_and_predictions_have_the_routes_of_the_contract(container: Container) -> None:
    assert container.get(HEALTH).body == {"state": "ready", "waiting": 0}
    assert container.get("/health").status == 404
    assert container.get(PREDICT).status == 405
    assert container.get(PREDICT).body["error"]["code"] == 405


def test_parameters_are_defaults_of_the_instances(container: Container) -> None:
    bare = [{"prompt": GOOD["prompt"]}, {"prompt": GOOD["prompt"], "seed": 9}]

    answer = container.predict(
        {"instances": bare, "parameters": {"seed": GOOD["seed"], "num_inference_steps": STEPS}}
    )

    own = container.predict({"instances": [GOOD, {**GOOD, "seed": 9}]})
    assert answer.status == 200
    assert answer.body == own.body


def test_bad_parameters_are_a_400(container: Container) -> None:
    answer = container.predict({"instances": [GOOD], "parameters": {"width": 65}})

    assert answer.status == 400
    assert answer.body["error"]["field"] == "parameters.width"


@pytest.mark.parametrize("extra", [1, 20_000_000])
@pytest.mark.parametrize("is_declared", [True, False], ids=["declared", "chunked"])
def test_a_body_over_the_limit_is_a_413(
    container: Container, extra: int, is_declared: bool
) -> None:
    body = b" " * (MAX_BODY_BYTES + extra)

    answer = container.predict(body if is_declared else iter([body[:10], body[10:]]))

    message = f"the body must be at most {MAX_BODY_BYTES} bytes"
    assert answer.status == 413
    assert answer.body == {"error": {"code": 413, "message": message, "field": ""}}


def test_a_body_of_the_limit_is_read(container: Container) -> None:
    body = json.dumps({"instances": [GOOD]}).encode()

    assert container.predict(body.ljust(MAX_BODY_BYTES)).status == 200


def test_calls_that_come_together_are_made_together(container: Container) -> None:
    instance = {**GOOD, "output": "full"}
    body = {"instances": [instance]}
    [expected] = container.predict(body).body["predictions"]

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: container.predict(body), range(3)))

    predictions = [answer.body["predictions"][0] for answer in answers]
    assert [prediction["batch_sizes"] for prediction in predictions] == [[3]] * 3
    for prediction in predictions:
        pair = decode(prediction["images"][0]), decode(expected["images"][0])
        assert largest_difference(*pair) <= BATCH_TOLERANCE


@pytest.mark.parametrize("way", ["header", "parameter"])
def test_a_stream_tells_each_step_and_then_each_prediction(container: Container, way: str) -> None:
    body: dict[str, Any] = {"instances": [GOOD, BAD, {**GOOD, "seed": 9}]}
    plain = container.predict(body).body["predictions"]

    if way == "header":
        stream = container.stream(body, Accept="application/json, text/event-stream;q=0.9")
    else:
        stream = container.stream({**body, "parameters": {"stream": True}})
    events = list(stream)

    assert stream.response.status == 200
    assert stream.response.headers["Content-Type"].startswith("text/event-stream")
    assert events == [
        *(("progress", {"step": step, "of": STEPS}) for step in range(1, STEPS + 1)),
        ("prediction", {"index": 0, "prediction": plain[0]}),
        ("error", {"index": 1, **plain[1]}),
        ("prediction", {"index": 2, "prediction": plain[2]}),
    ]


def test_streams_that_are_made_with_others_tell_their_own_steps(container: Container) -> None:
    counts = [2, 3]

    def steps_of(count: int) -> list[Any]:
        body = {"instances": [{**GOOD, "num_inference_steps": count}]}
        return [data for name, data in container.stream(body, Accept="text/event-stream")]

    with ThreadPoolExecutor() as pool:
        told = list(pool.map(steps_of, counts))

    for count, events in zip(counts, told):
        assert events[:-1] == [{"step": step, "of": count} for step in range(1, count + 1)]


def test_a_stream_without_a_good_instance_has_the_status_of_a_plain_answer(
    container: Container,
) -> None:
    answer = container.predict({"instances": [BAD]}, Accept="text/event-stream")

    assert answer.status == 400
    assert answer.body == container.predict({"instances": [BAD]}).body


def test_stream_is_true_or_false(container: Container) -> None:
    answer = container.predict({"instances": [GOOD], "parameters": {"stream": "yes"}})
    plain = container.predict({"instances": [GOOD], "parameters": {"stream": False}})

    assert answer.status == 400
    assert answer.body["error"]["field"] == "parameters.stream"
    assert plain.body == container.predict({"instances": [GOOD]}).body


def test_serves_the_schema_with_its_own_limits(container: Container) -> None:
    assert container.get("/schema").body == request_schema(Settings(max_body_bytes=MAX_BODY_BYTES))


def test_counts_pictures_waiting_and_refusals(container: Container) -> None:
    def read() -> dict[str, float]:
        lines = container.get("/metrics").body.splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
        return {name: float(value) for name, value in pairs}

    before = read()
    container.predict({"instances": [GOOD, BAD]})
    container.predict(b"{nope")
    after = read()

    def grown(name: str) -> float:
        return after[f"vertex_diffusion_{name}"] - before.get(f"vertex_diffusion_{name}", 0)

    assert grown("images_total") == 1
    assert grown("queue_seconds_count") == 1
    assert grown('errors_total{kind="invalid"}') == 2


def test_logs_one_line_for_each_call_and_no_prompt(container: Container) -> None:
    lines = container.log.count("Call: ")

    container.predict({"instances": [{**GOOD, "prompt": SECRET}, {"prompt": SECRET, SECRET: 1}]})
    container.predict(b'{"instances": ["' + SECRET.encode())
    list(container.stream({"instances": [{**GOOD, "prompt": SECRET}]}, Accept="text/event-stream"))
    # The line of a call is written after its answer, and before the next call is read.
    container.predict([])

    new = [line for line in container.log.splitlines() if "Call: " in line][lines:]
    assert [line.partition("Call: ")[2].partition(" ")[0] for line in new[:3]] == [
        *("200", "400", "200"),
    ]
    assert " 2 instances, " in new[0]
    assert SECRET not in container.log


# Takes long enough for something to happen meanwhile.
LONG: dict[str, Any] = {
    "instances": [{**GOOD, "num_inference_steps": 100, "num_images": 8}],
    "parameters": {"stream": True},
}


class TestAServerThatEnds:
    """One at a time: a long call runs, another waits, and there is no place for a third."""

    def test_keeps_no_more_calls_than_may_wait_and_answers_those_it_has(
        self, weights: Path, tmp_path: Path
    ) -> None:
        with Container(
            tmp_path,
            weights.parent,
            {
                "VERTEX_DIFFUSION_MAX_WAITING_CALLS": "1",
                "VERTEX_DIFFUSION_DRAIN_SECONDS": "120",
            },
        ) as container:
            container.wait_until_ready()
            running = container.stream(LONG)
            first = next(iter(running))
            abandoned = container.send({"instances": [OTHER]})
            wait_for_health(container, {"state": "ready", "waiting": 1})
            refused = container.predict({"instances": [GOOD]})
            abandoned.close()
            # There is a place again, since its client has gone.
            wait_for_health(container, {"state": "ready", "waiting": 0})
            with ThreadPoolExecutor() as pool:
                answer = pool.submit(container.predict, {"instances": [GOOD]})
                wait_for_health(container, {"state": "ready", "waiting": 1})
                container.terminate()
                health = wait_for_health(container, {"state": "draining", "waiting": 1})
                late = container.predict({"instances": [GOOD]})
                events = [first, *running]
                answered = answer.result()

            assert refused.headers["retry-after"] == "5"
            assert refused.body["error"]["message"].startswith("too many calls wait already")
            assert health.status == 503
            assert (late.status, late.headers["retry-after"]) == (503, "5")
            assert late.body["error"]["message"].startswith("this server is about to end")
            assert [data["step"] for name, data in events if name == "progress"] == [*range(1, 101)]
            assert events[-1][0] == "prediction"
            assert len(events[-1][1]["prediction"]) == 8
            assert len(answered.body["predictions"]) == 1
            assert container.wait_for_end() == 0
            assert "Pictures made: 8" in container.log
            # Nobody waited for the one that was abandoned.
            assert container.log.count("Pictures made: 1,") == 1

    def test_says_what_it_did_not_make_in_its_time(self, weights: Path, tmp_path: Path) -> None:
        with Container(
            tmp_path, weights.parent, {"VERTEX_DIFFUSION_DRAIN_SECONDS": "1"}
        ) as container:
            container.wait_until_ready()
            several = {**GOOD, "num_inference_steps": 100, "num_images": 8}
            running = container.stream({**LONG, "instances": [several] * 8})
            first = next(iter(running))
            container.terminate()
            events = [first, *running]

            [(name, data)] = [event for event in events if event[0] != "progress"]
            assert name == "error"
            assert data["error"]["code"] == 503
            assert container.wait_for_end() == 0


def wait_for_health(container: Container, expected: dict[str, Any]) -> Answer:
    while (answer := container.get(HEALTH)).body != expected:
        assert answer.body["state"] in ("ready", expected["state"])
    return answer
