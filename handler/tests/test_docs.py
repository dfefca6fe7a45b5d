"""The tables of docs/serving.md, which people read in place of the code."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

import pytest

from container.contract import ServerSettings
from tests.torchserve import HANDLER
from vertex_diffusion.metrics import METRICS, PREFIX
from vertex_diffusion.request import FIELDS, Choice, GenerationRequest, Number, Picture
from vertex_diffusion.settings import Settings, variable_of

PAGE = (HANDLER.parent / "docs" / "serving.md").read_text(encoding="utf-8")


def rows_after(mark: str) -> list[list[str]]:
    """The cells of the table after `<!-- mark -->`, without its head."""
    lines = PAGE.split(f"<!-- {mark} -->\n\n", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def takes(rule: Any) -> str:
    if isinstance(rule, Number):
        multiple = f", a multiple of {rule.multiple_of}" if rule.multiple_of > 1 else ""
        return f"{rule.low} to {rule.high}{multiple}"
    if isinstance(rule, Choice):
        return ", ".join(f"`{option}`" for option in rule.options)
    return "a picture" if isinstance(rule, Picture) else "text"


def test_the_page_lists_the_fields_of_an_instance() -> None:
    rows = rows_after("fields")

    assert [name for name, _, _ in rows] == [f"`{name}`" for name in FIELDS]
    assert [what for _, what, _ in rows] == [
        takes(each.metadata["rule"]) for each in fields(GenerationRequest)
    ]
    constant = {
        f"`{each.name}`": str(each.default)
        for each in fields(GenerationRequest)
        if each.default not in (MISSING, None, "")
    }
    assert {name: default for name, _, default in rows if name in constant} == constant


@pytest.mark.parametrize(
    ("mark", "kind"), [("settings", Settings), ("container settings", ServerSettings)]
)
def test_the_page_lists_the_settings(mark: str, kind: Any) -> None:
    assert rows_after(mark) == [
        [
            f"`{variable_of(each.name)}`",
            each.metadata["description"],
            str(each.metadata["range"].low),
            str(each.metadata["range"].high),
            str(each.default),
        ]
        for each in fields(kind)
    ]


def test_the_page_lists_the_metrics() -> None:
    assert rows_after("metrics") == [
        [
            f"`{PREFIX}{name}`",
            metric.kind,
            f"`{metric.label}`" if metric.label else "",
            metric.description,
        ]
        for name, metric in METRICS.items()
    ]
