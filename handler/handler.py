"""What TorchServe loads: a thin edge around the vertex_diffusion package beside it."""

from __future__ import annotations

import logging
import os
import sys
import time
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

from vertex_diffusion.artifact import ArtifactError, find_weights
from vertex_diffusion.envelopes import open_envelopes, read_batch, write_answers
from vertex_diffusion.loading import WeightsError, load_pipeline
from vertex_diffusion.pipeline import Pipeline
from vertex_diffusion.prediction import predict_instances
from vertex_diffusion.request import RequestRules, steps_from_environment

# TorchServe imports this file before it makes the envelope.
open_envelopes()


class DiffusionHandler:
    """One per TorchServe worker. TorchServe's loader wants exactly one class in this file."""

    pipeline: Pipeline
    rules: RequestRules

    def initialize(self, context: Any) -> None:
        """Load the weights beside this file; a failure is one line in the log and no worker."""
        started = time.monotonic()
        properties = context.system_properties
        try:
            default_steps = steps_from_environment()
            weights = find_weights(Path(properties["model_dir"]))
            self.pipeline = load_pipeline(weights, properties.get("gpu_id"))
        except (ArtifactError, WeightsError, ValueError) as error:
            logger.error("The model cannot be served. %s", error)
            # TorchServe reports a RuntimeError as a failed load and lets anything else escape.
            raise RuntimeError(str(error)) from None
        width, height = self.pipeline.default_size
        self.rules = RequestRules(
            default_width=width,
            default_height=height,
            default_steps=default_steps,
            count_tokens=self.pipeline.count_tokens,
            max_tokens=self.pipeline.max_tokens,
        )
        logger.info("Ready in %.1f s: %s", time.monotonic() - started, self.pipeline.description)

    def handle(self, data: list[Any], context: Any) -> list[Any]:
        """Answer what TorchServe collected: one answer for each item of `data`."""
        batch = read_batch(data, context)
        predictions = [
            predict_instances(call.instances, self.rules, self.pipeline) for call in batch.calls
        ]
        return write_answers(batch, predictions, context)
