"""The rules of JSON Schema (draft 07) that request.schema.json uses, after its specification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Keywords that say nothing about which values are taken.
NOTES = frozenset({"$schema", "title", "description", "default", "contentEncoding"})


def accepts(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether the schema takes the value; an unknown keyword is a KeyError."""
    return all(
        KEYWORDS[keyword](wanted, value, schema)
        for keyword, wanted in schema.items()
        if keyword not in NOTES
    )


def _type(wanted: Any, value: Any, _schema: Any) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted]
    return any(TYPES[name](value) for name in names)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "string": lambda value: isinstance(value, str),
    "object": lambda value: isinstance(value, dict),
    "number": _is_number,
    # 1.0 is an integer since draft 06.
    "integer": lambda value: _is_number(value) and value == int(value),
}

KEYWORDS: Mapping[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "type": _type,
    "enum": lambda wanted, value, _: any(_equal(each, value) for each in wanted),
    "anyOf": lambda wanted, value, _: any(accepts(each, value) for each in wanted),
    "minimum": lambda wanted, value, _: not _is_number(value) or value >= wanted,
    "maximum": lambda wanted, value, _: not _is_number(value) or value <= wanted,
    "multipleOf": lambda wanted, value, _: not _is_number(value) or value % wanted == 0,
    "maxLength": lambda wanted, value, _: not isinstance(value, str) or len(value) <= wanted,
    "required": lambda wanted, value, _: not isinstance(value, dict) or set(wanted) <= set(value),
    "properties": lambda wanted, value, _: (
        not isinstance(value, dict)
        or all(accepts(wanted[name], value[name]) for name in value if name in wanted)
    ),
    "additionalProperties": lambda wanted, value, schema: (
        wanted or not isinstance(value, dict) or set(value) <= set(schema["properties"])
    ),
}
