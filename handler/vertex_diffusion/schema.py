"""The JSON Schema of an instance, made from the request's fields.

`python -m vertex_diffusion.schema` prints what is committed as request.schema.json.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

from vertex_diffusion.request import Choice, GenerationRequest, Number, Picture
from vertex_diffusion.settings import DEFAULTS, Settings

SCHEMA_FILE = "request.schema.json"


def request_schema(settings: Settings = DEFAULTS) -> dict[str, Any]:
    """The schema (draft 07) of an instance, with the limits of a server's settings.

    What it can't say, the server checks: tokens of the model, pixels of init_image, the work of
    all steps together, and that strength comes with init_image.
    """
    properties = {
        each.name: {
            "description": each.metadata["description"],
            **_nullable(_rule_schema(each.metadata["rule"], settings), each.name != "prompt"),
            **({} if each.default in (MISSING, None) else {"default": each.default}),
        }
        for each in fields(GenerationRequest)
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "An instance of a prediction",
        "description": "One object for each instance, or the prompt alone as a string. "
        "Null stands for a field that is left out.",
        "anyOf": [
            properties["prompt"],
            {
                "type": "object",
                "properties": properties,
                "required": ["prompt"],
                "additionalProperties": False,
            },
        ],
    }


def schema_text(settings: Settings = DEFAULTS) -> str:
    """The schema as the text of its file."""
    return json.dumps(request_schema(settings), indent=2) + "\n"


def _rule_schema(rule: Any, settings: Settings) -> dict[str, Any]:
    if isinstance(rule, Number):
        schema: dict[str, Any] = {
            "type": "integer" if rule.whole else "number",
            "minimum": rule.low,
            "maximum": rule.high,
        }
        return {**schema, "multipleOf": rule.multiple_of} if rule.multiple_of > 1 else schema
    if isinstance(rule, Choice):
        return {"type": "string", "enum": list(rule.options)}
    if isinstance(rule, Picture):
        return {"type": "string", "contentEncoding": "base64"}
    return {"type": "string", "maxLength": settings.max_prompt_characters}


def _nullable(schema: dict[str, Any], allowed: bool) -> dict[str, Any]:
    if not allowed:
        return schema
    nullable = {**schema, "type": [schema["type"], "null"]}
    return {**nullable, "enum": [*schema["enum"], None]} if "enum" in schema else nullable


if __name__ == "__main__":
    print(schema_text(), end="")
