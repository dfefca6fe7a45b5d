"""The diffusion pipeline: making one picture."""

from __future__ import annotations

from typing import Any

import torch
from PIL.Image import Image

from vertex_diffusion.request import GenerationRequest


class Pipeline:
    """A loaded Stable Diffusion pipeline on one device. It has no safety checker."""

    def __init__(self, pipeline: Any, device: torch.device, dtype: torch.dtype) -> None:
        self._pipeline = pipeline
        size = pipeline.unet.config.sample_size
        height, width = (size, size) if isinstance(size, int) else (size[0], size[1])
        scale = pipeline.vae_scale_factor
        self.default_size: tuple[int, int] = (width * scale, height * scale)
        # The tokenizer puts one token at the start and one at the end of every prompt.
        self.max_tokens: int = pipeline.tokenizer.model_max_length - 2
        self.description = (
            f"{type(pipeline).__name__} on {device} in {str(dtype).replace('torch.', '')}, "
            f"{self.default_size[0]}x{self.default_size[1]} pixels"
        )

    def count_tokens(self, text: str) -> int:
        """How many tokens of the model's vocabulary `text` is, without start and end."""
        return len(self._pipeline.tokenizer(text, add_special_tokens=False).input_ids)

    def generate(self, request: GenerationRequest) -> Image:
        """Make one picture. The seed alone decides the noise, on every device the same."""
        output = self._pipeline(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            num_inference_steps=request.num_inference_steps,
            guidance_scale=request.guidance_scale,
            width=request.width,
            height=request.height,
            generator=torch.Generator("cpu").manual_seed(request.seed),
        )
        image: Image = output.images[0]
        return image
