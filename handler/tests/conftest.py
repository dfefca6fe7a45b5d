"""The tiny pipeline, made once by its script, and what the tests build on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# The tiny model gains nothing from threads, and on a busy machine they wait for each other. Set
# before torch is imported; the servers and scripts that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from ts.context import Context, RequestProcessor
from ts.torch_handler.request_envelope.base import BaseEnvelope

from tests.torchserve import HANDLER

# Kept from before the handler opens the envelopes, so that a test can close them again.
CLOSED_HANDLE = BaseEnvelope.handle

from handler import DiffusionHandler  # noqa: E402

SCRIPT = HANDLER.parent / "scripts" / "make-tiny-pipeline.py"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder of the real classes; its pictures are 64x64 pixels."""
    folder: Path = tmp_path_factory.mktemp("model") / "weights"
    subprocess.run([sys.executable, str(SCRIPT), "--out", str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def handler(weights: Path) -> DiffusionHandler:
    """The handler as TorchServe has it after initialize, on the tiny pipeline."""
    handler = DiffusionHandler()
    handler.initialize(new_context(model_dir=weights.parent))
    return handler


@pytest.fixture(scope="session")
def packages() -> Path:
    """The wheels of packages.lock, laid out as in an archive: packages.lock and packages/."""
    return Path(os.environ["VERTEX_DIFFUSION_PACKAGES"])


def new_context(requests: int = 0, model_dir: Path | None = None) -> Any:
    """TorchServe's own context for a batch of this many requests."""
    context = Context("model", str(model_dir), {}, 1, None, "0.12.0")
    context.request_ids = {index: f"request-{index}" for index in range(requests)}
    context.request_processor = [RequestProcessor({}) for _ in range(requests)]
    return context


@pytest.fixture
def closed_envelopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """TorchServe's envelopes as they are where the handler could not open them."""
    monkeypatch.setattr(BaseEnvelope, "handle", CLOSED_HANDLE)
