"""Random calls for Hypothesis: good ones, nearly good ones, and what is no call at all."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.pictures import decode, picture_text
from vertex_diffusion.request import FIELDS, RULES, Choice, Number

# The same calls on every run, unless the environment says otherwise.
SEED = int(os.environ.get("VERTEX_DIFFUSION_PROPERTY_SEED") or 20261127)
# Hypothesis remembers what it has drawn: after so many calls it may forget.
ROUND = 100
# So little work that a picture takes a moment.
LIMITS = {
    "VERTEX_DIFFUSION_MAX_INSTANCE_MEGAPIXEL_STEPS": "1",
    "VERTEX_DIFFUSION_MAX_CALL_MEGAPIXEL_STEPS": "1",
    "VERTEX_DIFFUSION_MAX_INSTANCES": "4",
    "VERTEX_DIFFUSION_DEFAULT_STEPS": "1",
}
GOOD = {"prompt": "a red circle", "width": 64, "height": 64, "num_inference_steps": 1}
PICTURES = [picture_text(size, mode=mode) for size in ((64, 64), (1, 99)) for mode in ("RGB", "LA")]
TEXTS = [
    *["", "a red circle", "x" * 2001, "a " * 200, "\ud800", "\0", "é漢🙂", "<|endoftext|>" * 3],
    *["https://example.com/a.png", "data:image/png;base64,", "AAAA", "null", "ﷺ" * 70],
]
NUMBERS = [
    *[0, -1, 1, 2, 64, 72, 65, 100, 101, 1024, 2**31, 2**64, 10**400, 0.5, 0.01, 1.0, 64.0, 7.5],
    *[float("nan"), float("inf"), -float("inf"), 1e308, -0.0],
]

# A status and what was answered with it, as parsed JSON.
Answer = tuple[int, Any]


def seldom(percent: int) -> st.SearchStrategy[bool]:
    """True in so many draws of a hundred; a failing call is shrunk to False."""
    return st.integers(0, 99).map(lambda drawn: drawn >= 100 - percent)


def field_values(name: str) -> st.SearchStrategy[Any]:
    """What the field mostly takes."""
    rule = RULES[name]
    if isinstance(rule, Choice):
        return st.sampled_from(rule.options)
    if isinstance(rule, Number):
        low, high = rule.low, min(rule.high, 128 if rule.multiple_of > 1 else 4)
        steps = int((high - low) // rule.multiple_of)
        return st.integers(0, steps).map(lambda step: low + step * rule.multiple_of)
    return st.sampled_from(PICTURES if name == "init_image" else TEXTS[:2])


TEXT = st.sampled_from(TEXTS) | st.text(max_size=40)
NUMBER = st.sampled_from(NUMBERS) | st.integers() | st.floats()
NAMES = st.sampled_from(["instances", "parameters", "error", "body", "data", *FIELDS]) | TEXT
ANYTHING = st.recursive(
    NUMBER | st.none() | st.booleans() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=6,
)


@st.composite
def instances(draw: st.DrawFn) -> Any:
    """One instance."""
    if draw(seldom(10)):
        return draw(ANYTHING)
    instance: dict[str, Any] = dict(GOOD)
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=4, unique=True)):
        instance[name] = draw(ANYTHING if draw(seldom(15)) else field_values(name))
    if draw(seldom(3)):
        instance[draw(TEXT)] = 1
    return instance


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """The bytes of one request."""
    if draw(seldom(4)):
        return draw(st.binary(max_size=60))
    if draw(seldom(6)):
        return json.dumps(draw(ANYTHING)).encode()
    body: dict[str, Any] = {"instances": draw(st.lists(instances(), max_size=5))}
    if draw(seldom(5)):
        body["instances"] = draw(ANYTHING)
    if draw(seldom(5)):
        body["parameters"] = draw(ANYTHING)
    text = json.dumps(body).encode()
    return text[: draw(st.integers(0, len(text)))] if draw(seldom(8)) else text


def ask_all(
    calls: int, ask: Callable[[bytes, bool], Answer], on_round: Callable[[], None]
) -> Counter[int]:
    """Ask so many drawn calls; how often each status came. Fails at an answer that may not be.

    `ask` also gets a bool that is as often true as false. `on_round` is called after each 100.
    """
    seen: Counter[int] = Counter()
    for begin in range(0, calls, ROUND):

        @seed(SEED + begin)
        @settings(
            max_examples=min(ROUND, calls - begin),
            phases=[Phase.generate, Phase.shrink],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(bodies(), st.booleans())
        def is_answered(body: bytes, is_even: bool) -> None:
            status, answer = ask(body, is_even)
            assert_is_an_answer(status, answer)
            seen[status] += 1

        is_answered()
        on_round()
    return seen


def assert_is_an_answer(status: int, answer: Any) -> None:
    """A 200 with predictions, each a picture or an error, or a 400 with an error."""
    assert status in (200, 400), answer
    if status == 400:
        assert_is_an_error(answer)
        return
    assert answer["predictions"]
    for prediction in answer["predictions"]:
        if isinstance(prediction, dict) and "error" in prediction:
            assert_is_an_error(prediction)
        else:
            assert_is_a_picture(prediction)


def assert_is_an_error(answer: Any) -> None:
    """Whole, and of the form that docs/serving.md says."""
    assert set(answer) == {"error"}
    error = answer["error"]
    assert error["code"] == 400
    assert error["message"]
    assert isinstance(error["field"], str)


def assert_is_a_picture(prediction: Any) -> None:
    """One picture or several, alone or with what is said of them."""
    images = prediction["images"] if isinstance(prediction, dict) else prediction
    for text in [images] if isinstance(images, str) else images:
        assert min(decode(text).size) >= 64
