"""The syntax of the prebuilt image's Python."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import SCRIPT
from tests.torchserve import HANDLER

FILES = [SCRIPT, *sorted(path for path in HANDLER.rglob("*.py") if ".venv" not in path.parts)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_parses_as_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))
