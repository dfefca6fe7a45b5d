"""What a training run is made of. The same recipe on the same machine gives the same weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Recipe:
    """Sizes, lengths and rates of the three stages: text encoder, autoencoder, UNet."""

    seed: int = 20241124
    pictures: int = 16384

    text_width: int = 64
    text_steps: int = 600
    text_batch: int = 48
    text_rate: float = 2e-3

    latent_channels: int = 8
    vae_channels: tuple[int, ...] = (16, 32, 64)
    vae_steps: int = 1500
    vae_batch: int = 16
    vae_rate: float = 2e-3
    kl_weight: float = 1e-4
    # Noise on the latents while training, as a share of their spread: the decoder learns to draw
    # clean edges from latents that the UNet gets slightly wrong.
    latent_noise: float = 0.1

    unet_channels: tuple[int, ...] = (48, 64, 96)
    unet_steps: int = 11000
    unet_batch: int = 32
    unet_rate: float = 1e-3
    unet_average: float = 0.998
    caption_dropout: float = 0.1

    def digest(self) -> str:
        """Twelve hex digits that name this recipe."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]
