"""The JSON Schema of an instance: as committed, and as the parser reads instances."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import picture_text
from tests.schema_rules import accepts
from tests.torchserve import HANDLER
from vertex_diffusion import VERSION
from vertex_diffusion.errors import RequestError
from vertex_diffusion.parsing import RequestRules, parse_instance
from vertex_diffusion.request import FIELDS
from vertex_diffusion.schema import SCHEMA_FILE, request_schema, schema_text
from vertex_diffusion.settings import Settings

SETTINGS = Settings(max_prompt_characters=20, max_instance_megapixel_steps=1_000_000)
RULES = RequestRules(64, 64, lambda _text: 0, 75, SETTINGS)
SCHEMA = request_schema(SETTINGS)

# Of each type of JSON, and of numbers those around every bound.
VALUES: list[Any] = [
    *[None, True, False, "", "x", "x" * 20, "x" * 21, [], ["x"], {}, {"prompt": "x"}],
    *[0, 1, 2, 7, 8, 9, 30, 31, 63, 64, 65, 72, 100, 101, 1016, 1024, 1025, 1032, 2**32, 2**64],
    *[2**32 - 1, -1, -0.5, 0.009, 0.01, 0.5, 1.0, 1.001, 8.0, 8.5, 30.0, 64.0, 64.5, 1e300],
    *["dpm++", "euler_a", "ddim", "unipc", "png", "jpeg", "webp", "PNG", "image", "full", "1"],
]


def parses(instance: Any) -> bool:
    try:
        parse_instance(instance, RULES)
    except RequestError:
        return False
    return True


def test_the_committed_schema_is_what_the_code_generates() -> None:
    committed = (HANDLER / SCHEMA_FILE).read_text(encoding="utf-8")

    assert committed == schema_text(), "run: python -m vertex_diffusion.schema"


@pytest.mark.parametrize("field", FIELDS)
def test_schema_and_parser_take_the_same_values(field: str) -> None:
    # That a strength comes with a picture and leaves a step, and whether a string is a picture,
    # is the server's to say.
    beside = (
        {"init_image": picture_text(), "num_inference_steps": 100} if field == "strength" else {}
    )
    values = [v for v in VALUES if field != "init_image" or not isinstance(v, str)]
    instances = [{"prompt": "x", **beside, field: value} for value in values]

    assert [i[field] for i in instances if parses(i)] == [
        i[field] for i in instances if accepts(SCHEMA, i)
    ]


@pytest.mark.parametrize(
    "instance",
    [None, True, 5, "x", "x" * 21, [], {}, {"seed": 1}, {"prompt": "x"}, {"prompt": "x", "y": 1}],
    ids=repr,
)
def test_schema_and_parser_take_the_same_instances(instance: Any) -> None:
    assert accepts(SCHEMA, instance) == parses(instance)


def test_the_schema_follows_the_settings() -> None:
    assert not accepts(request_schema(Settings(max_prompt_characters=1)), "xx")
    assert accepts(request_schema(Settings(max_prompt_characters=2)), "xx")


def test_the_version_is_the_projects() -> None:
    project = Path(HANDLER / "pyproject.toml").read_text(encoding="utf-8")

    assert re.search(r'^version = "(.*)"$', project, re.MULTILINE)[1] == VERSION  # type: ignore[index]


def test_the_schema_is_plain_json() -> None:
    assert json.loads(schema_text()) == request_schema()
