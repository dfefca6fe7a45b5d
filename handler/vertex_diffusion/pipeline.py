"""The diffusion pipeline: making pictures."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable

import torch
from diffusers import StableDiffusionImg2ImgPipeline
from PIL.Image import Image

from vertex_diffusion.calls import OnStep
from vertex_diffusion.request import GenerationRequest
from vertex_diffusion.schedulers import make_scheduler

# Of the GPU, and of the machine where there is none.
OUT_OF_MEMORY = (torch.cuda.OutOfMemoryError, MemoryError)


@dataclass(frozen=True)
class ImageTask:
    """One picture of a request, and the seed that alone decides its noise."""

    request: GenerationRequest
    seed: int
    # Hears of each step of its pass.
    on_step: OnStep | None = None


@dataclass(frozen=True)
class Drawn:
    """A picture; black when the safety checker flagged it."""

    image: Image
    is_flagged: bool = False


class Pipeline:
    """A loaded Stable Diffusion pipeline on one device. Not for two threads at once."""

    def __init__(self, pipeline: Any, device: torch.device, dtype: torch.dtype) -> None:
        if device.type == "cuda":
            # The layout that the convolutions of a GPU's tensor cores work in.
            for model in (pipeline.unet, pipeline.vae):
                model.to(memory_format=torch.channels_last)
        self.device = device
        self.dtype = dtype
        self._pipeline = pipeline
        # The same models in memory, used from a picture on.
        self._from_picture = StableDiffusionImg2ImgPipeline(
            **pipeline.components, requires_safety_checker=False
        )
        self._from_picture.set_progress_bar_config(disable=True)
        self._own_scheduler = pipeline.scheduler
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

    def use_safety_checker(self, checker: Any, extractor: Any) -> None:
        """Check every picture from now on."""
        for pipeline in (self._pipeline, self._from_picture):
            pipeline.register_modules(safety_checker=checker, feature_extractor=extractor)

    def compile(self) -> None:
        """Compile the model that takes most of the time; the next pass does it, and is slow."""
        self._pipeline.unet.compile()

    def count_tokens(self, text: str) -> int:
        """How many tokens of the model's vocabulary `text` is, without start and end."""
        return len(self._pipeline.tokenizer(text, add_special_tokens=False).input_ids)

    def generate(self, tasks: Sequence[ImageTask], is_sparing: bool = False) -> list[Drawn]:
        """Make the pictures in one pass; their requests differ in texts, picture and seed alone.

        `is_sparing` takes less memory and more time, and can leave faint seams between tiles of a
        large picture.
        """
        if not is_sparing:
            return self._generate(tasks)
        # Attention is torch's own (SDPA), which slices would make slower and no smaller.
        self._pipeline.enable_vae_tiling()
        try:
            return self._generate(tasks)
        finally:
            self._pipeline.disable_vae_tiling()

    def free_memory(self) -> None:
        """Give back what a failed pass left; raises when the GPU answers nothing any more."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.empty_cache()

    def memory_bytes(self) -> dict[str, int]:
        """The GPU's memory: what this process holds, and the most that was in use. Else empty."""
        if self.device.type != "cuda":
            return {}
        return {
            "reserved": torch.cuda.memory_reserved(self.device),
            "peak": torch.cuda.max_memory_allocated(self.device),
        }

    def _generate(self, tasks: Sequence[ImageTask]) -> list[Drawn]:
        request = tasks[0].request
        # Several pictures of a call have one listener, which hears of each step once.
        listeners = {id(task.on_step): task.on_step for task in tasks if task.on_step}.values()
        is_from_picture = request.init_image is not None
        pipeline = self._from_picture if is_from_picture else self._pipeline
        pipeline.scheduler = (
            make_scheduler(request.scheduler, self._own_scheduler.config)
            if request.scheduler
            else self._own_scheduler
        )
        kind: dict[str, Any] = (
            {
                "image": [task.request.init_image for task in tasks],
                "strength": request.strength,
            }
            if is_from_picture
            else {"width": request.width, "height": request.height}
        )
        output = pipeline(
            prompt=[task.request.prompt for task in tasks],
            negative_prompt=[task.request.negative_prompt for task in tasks],
            num_inference_steps=request.num_inference_steps,
            guidance_scale=request.guidance_scale,
            # On the CPU, so that a seed gives the same noise on every device.
            generator=[torch.Generator("cpu").manual_seed(task.seed) for task in tasks],
            callback_on_step_end=_reporter(list(listeners)) if listeners else None,
            **kind,
        )
        flags = output.nsfw_content_detected or [False] * len(tasks)
        return [Drawn(image, bool(flag)) for image, flag in zip(output.images, flags)]


def warm_up_tasks(size: tuple[int, int], count: int) -> list[ImageTask]:
    """Pictures of that size in as few steps as show that everything is in place."""
    width, height = size
    request = GenerationRequest(
        prompt="", num_inference_steps=2, seed=0, width=width, height=height
    )
    return [ImageTask(request, seed) for seed in range(count)]


def _reporter(listeners: Sequence[OnStep]) -> Callable[..., dict[str, Any]]:
    def report(pipeline: Any, step: int, _timestep: Any, _tensors: Any) -> dict[str, Any]:
        for on_step in listeners:
            on_step(step + 1, pipeline.num_timesteps)
        return {}

    return report
