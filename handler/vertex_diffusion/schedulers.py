"""The schedulers that an instance may name, made from the model's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Name, class in diffusers, and what it must be set to whatever the model's own scheduler says.
SCHEDULERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "dpm++": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "solver_order": 2},
    ),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "unipc": ("UniPCMultistepScheduler", {"solver_order": 2}),
}


def make_scheduler(name: str, config: Mapping[str, Any]) -> Any:
    """A scheduler of that name with the noise schedule of `config`."""
    import diffusers  # seconds to load, which who only reads names does not need

    class_name, settings = SCHEDULERS[name]
    return getattr(diffusers, class_name).from_config(config, **settings)
