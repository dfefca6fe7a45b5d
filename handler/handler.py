"""What TorchServe loads: a thin edge around the vertex_diffusion package beside it."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

# A server that starts asks no network for anything; the libraries read this as they are imported.
os.environ["HF_HUB_OFFLINE"] = "1"
# At the front of the path no package of the image can hide the one beside this file.
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from vertex_diffusion.packages import PackagesError, use_packages

logger = logging.getLogger("vertex_diffusion")

# Before anything imports a package that the archive brings.
try:
    use_packages(HERE)
except PackagesError as error:
    logger.error("The model cannot be served. %s", error)
    raise

from vertex_diffusion.artifact import find_weights
from vertex_diffusion.envelopes import open_envelopes, read_batch, write_answers
from vertex_diffusion.service import Service, StartError, start_service
from vertex_diffusion.torchserve_metrics import recorder_for

# TorchServe imports this file before it makes the envelope.
open_envelopes()


class DiffusionHandler:
    """One per TorchServe worker. TorchServe's loader wants exactly one class in this file."""

    service: Service

    def initialize(self, context: Any) -> None:
        """Load the weights beside this file; a failure is one line in the log and no worker."""
        properties = context.system_properties
        model_dir = Path(properties["model_dir"])
        try:
            self.service = start_service(
                lambda: find_weights(model_dir),
                os.environ,
                properties.get("gpu_id"),
                recorder_for(context),
            )
        except StartError as error:
            logger.error("The model cannot be served. %s", error)
            # TorchServe reports a RuntimeError as a failed load and lets anything else escape.
            raise RuntimeError(str(error)) from None

    def handle(self, data: list[Any], context: Any) -> list[Any]:
        """Answer what TorchServe collected: one answer for each item of `data`."""
        batch = read_batch(data, context, self.service.settings)
        return write_answers(batch, self.service.predict(batch.calls), context)
