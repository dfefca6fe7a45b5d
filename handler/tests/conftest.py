"""The tiny pipeline, made once by its script, and what the tests build on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HANDLER = Path(__file__).resolve().parent.parent
SCRIPT = HANDLER.parent / "scripts" / "make-tiny-pipeline.py"

sys.path.insert(0, str(HANDLER))


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder of the real classes with 64x64 pictures."""
    folder = tmp_path_factory.mktemp("pipeline") / "weights"
    subprocess.run([sys.executable, str(SCRIPT), "--out", str(folder)], check=True)  # noqa: S603
    return folder
