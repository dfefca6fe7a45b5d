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
from vertex_diffusion.batching import Batcher
from vertex_diffusion.envelopes import open_envelopes, read_batch, write_answers
from vertex_diffusion.loading import WeightsError, load_pipeline
from vertex_diffusion.parsing import RequestRules
from vertex_diffusion.pipeline import Pipeline
from vertex_diffusion.prediction import predict_calls
from vertex_diffusion.settings import read_settings

# TorchServe imports this file before it makes the envelope.
open_envelopes()


class DiffusionHandler:
    """One per TorchServe worker. TorchServe's loader wants exactly one class in this file."""

    pipeline: Pipeline
    batcher: Batcher
    rules: RequestRules

    def initialize(self, context: Any) -> None:
        """Load the weights beside this file; a failure is one line in the log and no worker."""
        started = time.monotonic()
        properties = context.system_properties
        try:
            settings = read_settings()
            weights = find_weights(Path(properties["model_dir"]))
            self.pipeline = load_pipeline(weights, properties.get("gpu_id"))
        except (ArtifactError, WeightsError, ValueError) as error:
            logger.error("The model cannot be served. %s", error)
            # TorchServe reports a RuntimeError as a failed load and lets anything else escape.
            raise RuntimeError(str(error)) from None
        self.batcher = Batcher(self.pipeline, settings.max_batch_size)
        self.rules = RequestRules.of(self.pipeline, settings)
        logger.info("Ready in %.1f s: %s", time.monotonic() - started, self.pipeline.description)

    def handle(self, data: list[Any], context: Any) -> list[Any]:
        """Answer what TorchServe collected: one answer for each item of `data`."""
        batch = read_batch(data, context, self.rules.settings)
        outcomes = predict_calls(batch.calls, self.rules, self.batcher)
        return write_answers(batch, outcomes, context)
