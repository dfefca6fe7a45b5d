"""Where the model comes from: a folder, or what AIP_STORAGE_URI names."""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from container.remote_archive import fetch_archive
from vertex_diffusion.artifact import find_weights
from vertex_diffusion.metrics import Recorder
from vertex_diffusion.packages import use_packages

if TYPE_CHECKING:
    from vertex_diffusion.service import Service

logger = logging.getLogger(__name__)

BESIDE_THE_CODE = Path(__file__).resolve().parent.parent


def start_model(folder: Path | None, scratch: Path, recorder: Recorder) -> Service:
    """Load the model; a RuntimeError says in one line why it can't be done.

    `folder` holds an unpacked archive. Without it the model is what AIP_STORAGE_URI names, and
    without that what lies beside the code. Of an archive only the weights are used: the code is
    this image's own, and so are the packages, unless the environment has none.
    """
    has_packages = importlib.util.find_spec("diffusers") is not None
    if folder is None and os.environ.get("AIP_STORAGE_URI"):
        fetch_archive(scratch, with_packages=not has_packages)
        folder = scratch
    archive = folder or BESIDE_THE_CODE
    if not has_packages:
        use_packages(archive)
    started = time.monotonic()
    # Only now are the packages there.
    from vertex_diffusion.service import start_service

    logger.info("Packages imported in %.1f s", time.monotonic() - started)
    return start_service(lambda: find_weights(archive), os.environ, recorder=recorder)
