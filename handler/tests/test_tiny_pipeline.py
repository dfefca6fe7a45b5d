"""The script that makes the tiny pipeline."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SCRIPT


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False
    )


def test_a_second_run_replaces_the_folder_by_the_same_bytes(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / "left over").write_text("")

    result = run("--out", str(folder), "--json")

    assert result.returncode == 0, result.stderr
    assert digests(folder) == digests(weights)
    assert json.loads(result.stdout)["bytes"] < 3_000_000
    assert list(tmp_path.iterdir()) == [folder]


def test_the_folder_holds_safetensors_and_no_safety_checker(weights: Path) -> None:
    index = json.loads((weights / "model_index.json").read_text())

    assert index["_class_name"] == "StableDiffusionPipeline"
    assert index["safety_checker"] == [None, None]
    assert sorted(path.parent.name for path in weights.rglob("*.safetensors")) == [
        "text_encoder",
        "unet",
        "vae",
    ]
    assert {path.suffix for path in weights.rglob("*.*")} == {".json", ".txt", ".safetensors"}


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")

    result = run("--out", str(tmp_path))

    assert result.returncode == 2
    assert "is not a pipeline folder" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("arguments", [["--help"]])
def test_help_says_what_is_written(arguments: list[str]) -> None:
    result = run(*arguments)

    assert result.returncode == 0
    assert "the same bytes on every run" in " ".join(result.stdout.split())
