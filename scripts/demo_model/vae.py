"""The autoencoder: 64x64 pictures to 16x16 latents of eight channels, and sharp edges back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from demo_model.recipe import Recipe
from demo_model.replay import Replayed
from demo_model.stages import Stage, make_optimizer, set_rate, step_generator, to_picture_tensor
from demo_model.world import PICTURE_SIZE, Scene, paint, random_scene

ENCODE_BATCH = 64


def make_vae(recipe: Recipe) -> AutoencoderKL:
    """An untrained autoencoder. Each step between its widths halves the size of the picture."""
    blocks = len(recipe.vae_channels)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=recipe.latent_channels,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=recipe.vae_channels,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=PICTURE_SIZE,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )


def make_scenes(seed: int, count: int) -> list[Scene]:
    """The fixed scenes that the model learns from."""
    random = np.random.default_rng(seed)
    return [random_scene(random) for _ in range(count)]


def paint_all(scenes: list[Scene]) -> Tensor:
    """Pictures of the scenes as bytes (scenes, height, width, 3)."""
    return torch.from_numpy(np.stack([paint(scene) for scene in scenes]))


def train_vae(folder: Path, recipe: Recipe, pictures: Tensor, device: str) -> AutoencoderKL:
    """Train the autoencoder, or load it where that is done. Latents get mean 0 and spread 1."""
    steps, rate = recipe.vae_steps, recipe.vae_rate
    seed = recipe.seed + 1
    torch.manual_seed(seed)
    vae = make_vae(recipe).to(device)
    optimizer = make_optimizer(vae, device, (0.9, 0.98), 0.0)
    stage = Stage(folder, "vae", steps, {"vae": vae}, optimizer)

    def learn(target: Tensor, noise: Tensor) -> Tensor:
        posterior = vae.encode(target).latent_dist
        spread = posterior.mean.detach().std()
        latents = posterior.mean + (posterior.std + recipe.latent_noise * spread) * noise
        drawn = vae.decode(latents).sample
        kl = 0.5 * (posterior.mean**2 + posterior.var - 1.0 - posterior.logvar).mean()
        loss = l1_loss(drawn, target) + 2 * mse_loss(drawn, target) + recipe.kl_weight * kl
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        return loss.detach()

    learning = Replayed(learn, device)
    side = PICTURE_SIZE >> (len(recipe.vae_channels) - 1)

    def take_step(step: int) -> float:
        set_rate(optimizer, rate, step, steps)
        random = step_generator(seed, step)
        chosen = torch.randint(len(pictures), (recipe.vae_batch,), generator=random)
        shape = (recipe.vae_batch, recipe.latent_channels, side, side)
        noise = torch.randn(shape, generator=random)
        return float(learning(to_picture_tensor(pictures[chosen]), noise).item())

    stage.run(take_step)
    vae.eval().requires_grad_(False)
    normalise_latents(vae, encode(vae, pictures[:1024]))
    return vae


def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """The mean latents, on the CPU, of pictures given as bytes."""
    with torch.no_grad():
        parts = [
            vae.encode(to_picture_tensor(part).to(vae.device)).latent_dist.mean.cpu()
            for part in pictures.split(ENCODE_BATCH)
        ]
    return torch.cat(parts)


def normalise_latents(vae: AutoencoderKL, latents: Tensor) -> None:
    """Fold a shift and scale of each latent channel into the two 1x1 convolutions around it.

    The pipeline knows one scaling factor for all channels and no shift; with this it needs neither.
    """
    latents = latents.to(vae.device)
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    channels = len(mean)
    into, out = vae.quant_conv, vae.post_quant_conv
    with torch.no_grad():
        # The first convolution gives the means, then the logarithms of the variances.
        out.bias += out.weight[:, :, 0, 0] @ mean
        out.weight *= spread[None, :, None, None]
        into.bias[:channels] = (into.bias[:channels] - mean) / spread
        into.weight[:channels] /= spread[:, None, None, None]
        into.bias[channels:] -= 2 * spread.log()
