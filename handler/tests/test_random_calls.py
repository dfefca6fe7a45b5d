"""Random bodies through the handler: whatever comes, the answer is a 200 or a 400."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from handler import DiffusionHandler
from tests.conftest import new_context
from tests.pictures import decode, picture_text
from tests.test_handler import call
from vertex_diffusion.request import FIELDS, RULES, Choice, Number

# The same calls on every run, unless the environment says otherwise.
SEED = int(os.environ.get("VERTEX_DIFFUSION_PROPERTY_SEED") or 20261127)
CALLS = int(os.environ.get("VERTEX_DIFFUSION_PROPERTY_RUNS") or 1000)
# So little work that a picture takes a moment.
LIMITS = {
    "VERTEX_DIFFUSION_MAX_INSTANCE_MEGAPIXEL_STEPS": "1",
    "VERTEX_DIFFUSION_MAX_CALL_MEGAPIXEL_STEPS": "1",
    "VERTEX_DIFFUSION_MAX_INSTANCES": "4",
    "VERTEX_DIFFUSION_DEFAULT_STEPS": "1",
}
PICTURES = [picture_text(size, mode=mode) for size in ((64, 64), (1, 99)) for mode in ("RGB", "LA")]
TEXTS = [
    *["", "a red circle", "x" * 2001, "a " * 200, "\ud800", "\0", "é漢🙂", "<|endoftext|>" * 3],
    *["https://example.com/a.png", "data:image/png;base64,", "AAAA", "null", "ﷺ" * 70],
]
NUMBERS = [
    *[0, -1, 1, 2, 64, 72, 65, 100, 101, 1024, 2**31, 2**64, 10**400, 0.5, 0.01, 1.0, 64.0, 7.5],
    *[float("nan"), float("inf"), -float("inf"), 1e308, -0.0],
]


# Between the allocator's own to and fro and a picture that is kept for every tenth call.
MAX_GROWTH_MEGABYTES = 32


class Calls:
    """Draws calls that are good, nearly good, and no calls at all."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same on every run

    def body(self) -> Any:
        kind = self._random.random()
        if kind < 0.04:
            return self._random.randbytes(self._random.randrange(60))
        if kind < 0.1:
            return self.anything()
        body: dict[str, Any] = {"instances": self.instances()}
        if self._random.random() < 0.05:
            body["parameters"] = self.anything()
        text = json.dumps(body)
        if kind < 0.2:
            at = self._random.randrange(len(text))
            return text[:at].encode()
        return text.encode() if kind < 0.6 else json.loads(text)

    def instances(self) -> Any:
        if self._random.random() < 0.05:
            return self.anything()
        return [self.instance() for _ in range(self._random.choice([0, 1, 1, 2, 3, 5]))]

    def instance(self) -> Any:
        kind = self._random.random()
        if kind < 0.1:
            return self.anything()
        instance = {"prompt": "a red circle", "width": 64, "height": 64, "num_inference_steps": 1}
        for name in self._random.sample(FIELDS, self._random.randrange(5)):
            is_wild = self._random.random() < 0.15
            instance[name] = self.anything() if is_wild else self.value(name)
        if kind > 0.97:
            instance[self._random.choice(TEXTS)] = 1
        return instance

    def value(self, name: str) -> Any:
        """What the field mostly takes."""
        rule = RULES[name]
        if isinstance(rule, Choice):
            return self._random.choice(rule.options)
        if isinstance(rule, Number):
            low, high = rule.low, min(rule.high, 128 if rule.multiple_of > 1 else 4)
            steps = int((high - low) // rule.multiple_of)
            return low + self._random.randint(0, steps) * rule.multiple_of
        return self._random.choice(PICTURES if name == "init_image" else TEXTS[:2])

    def anything(self, depth: int = 0) -> Any:
        kind = self._random.randrange(7 if depth < 3 else 4)
        if kind < 2:
            return self._random.choice(NUMBERS)
        if kind == 2:
            return self._random.choice([None, True, False])
        if kind == 3:
            return self._random.choice(TEXTS)
        several = [self.anything(depth + 1) for _ in range(self._random.randrange(3))]
        if kind == 4:
            return several
        names = ["instances", "error", "body", "data", *FIELDS]
        return {self._random.choice(names): value for value in several}


@pytest.fixture(scope="module")
def small_handler(weights: Path) -> DiffusionHandler:
    handler = DiffusionHandler()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LIMITS.items():
            patch.setenv(name, value)
        handler.initialize(new_context(model_dir=weights.parent))
    return handler


def assert_is_an_error(answer: Mapping[str, Any]) -> None:
    error = answer["error"]
    assert set(answer) == {"error"}
    assert error["code"] == 400
    assert error["message"]
    assert isinstance(error["field"], str)


def assert_is_a_prediction(prediction: Any) -> None:
    if isinstance(prediction, dict) and "error" in prediction:
        assert_is_an_error(prediction)
        return
    images = prediction["images"] if isinstance(prediction, dict) else prediction
    for text in [images] if isinstance(images, str) else images:
        assert decode(text).size >= (64, 64)


def resident_megabytes() -> float:
    """What this process holds of the machine's memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_every_call_is_a_200_or_a_400_every_answer_is_whole_and_no_memory_is_kept(
    small_handler: DiffusionHandler,
) -> None:
    calls = Calls(SEED)
    seen: Counter[int] = Counter()

    held_at_half = 0.0
    for number in range(CALLS):
        if number == CALLS // 2:
            held_at_half = resident_megabytes()
        body = calls.body()
        [(status, answer)] = call(small_handler, body)
        seen[status] += 1
        if status == 200:
            for prediction in answer["predictions"]:
                assert_is_a_prediction(prediction)
        else:
            assert status == 400, body
            assert_is_an_error(answer)

    assert resident_megabytes() - held_at_half < MAX_GROWTH_MEGABYTES
    # Enough of both, or the calls prove little.
    assert min(seen[200], seen[400]) > CALLS / 5, seen
