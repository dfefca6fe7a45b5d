"""The UNet: learns to take noise off latents, told what to draw by the frozen text encoder."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from demo_model.captions import PLAIN_CAPTIONS, describe
from demo_model.recipe import Recipe
from demo_model.replay import Replayed
from demo_model.stages import Stage, average_pull, follow, make_optimizer, set_rate, step_generator
from demo_model.text import encode_captions
from demo_model.world import PICTURE_SIZE, Scene

# Start and end of the noise of one step; the sampler must know the same ones.
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "prediction_type": "v_prediction",
    "steps_offset": 1,
}
SNR_LIMIT = 5.0
ENCODE_BATCH = 256


def make_unet(recipe: Recipe) -> UNet2DConditionModel:
    """An untrained UNet.

    The text reaches it twice: by cross-attention where the picture is smallest, and, pooled, by
    the embedding of the time step, which scales and shifts every block from the first step on.
    """
    levels = len(recipe.unet_channels)
    unet = UNet2DConditionModel(
        sample_size=PICTURE_SIZE >> (len(recipe.vae_channels) - 1),
        in_channels=recipe.latent_channels,
        out_channels=recipe.latent_channels,
        down_block_types=("DownBlock2D",) * (levels - 1) + ("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",) + ("UpBlock2D",) * (levels - 1),
        block_out_channels=recipe.unet_channels,
        layers_per_block=1,
        cross_attention_dim=recipe.text_width,
        encoder_hid_dim=recipe.text_width,
        attention_head_dim=16,
        norm_num_groups=8,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )
    # The backward pass of the fused attention is the slower one on a CPU.
    unet.set_attn_processor(AttnProcessor())
    return unet


class CaptionStates:
    """What the text encoder says of every picture's caption, computed once."""

    def __init__(
        self, recipe: Recipe, encoder: CLIPTextModel, tokenizer: CLIPTokenizer, scenes: list[Scene]
    ) -> None:
        random = np.random.default_rng([recipe.seed, len(scenes)])
        texts = [describe(scene, random).text for scene in scenes]
        known = {text: index for index, text in enumerate(sorted({*texts, *PLAIN_CAPTIONS}))}
        self._of_scene = torch.tensor([known[text] for text in texts])
        self._plain = torch.tensor([known[text] for text in PLAIN_CAPTIONS])
        ids = encode_captions(tokenizer, list(known))
        with torch.no_grad():
            parts = [
                encoder(part.to(encoder.device)).last_hidden_state.half().cpu()
                for part in ids.split(ENCODE_BATCH)
            ]
        self._states = torch.cat(parts)

    def choose(self, scenes: Tensor, dropout: float, random: torch.Generator) -> Tensor:
        """States of these scenes' captions; a share of them says nothing, for guidance."""
        rows = self._of_scene[scenes]
        plain = self._plain[torch.randint(len(self._plain), rows.shape, generator=random)]
        dropped = torch.rand(rows.shape, generator=random) < dropout
        return self._states[torch.where(dropped, plain, rows)].float()


def train_unet(
    folder: Path,
    recipe: Recipe,
    latents: Tensor,
    captions: CaptionStates,
    on_checkpoint: Callable[[int, UNet2DConditionModel], None],
    checkpoint_steps: int,
    until: int | None,
    device: str,
) -> UNet2DConditionModel:
    """Train the UNet, or load it where that is done. Returns the running average of its weights.

    `on_checkpoint` gets the step and the average every `checkpoint_steps` and at the end. `until`
    ends the run early, on the same course: a later run goes on from there.
    """
    steps, rate = recipe.unet_steps, recipe.unet_rate
    seed = recipe.seed + 2
    torch.manual_seed(seed)
    unet = make_unet(recipe).to(device)
    average = copy.deepcopy(unet).eval().requires_grad_(False)
    optimizer = make_optimizer(unet, device, (0.9, 0.99), 0.01)
    stage = Stage(folder, "unet", steps, {"unet": unet, "average": average}, optimizer)
    kept = DDPMScheduler(**SCHEDULE).alphas_cumprod
    snr = kept / (1 - kept)
    # Weight of each time step for a v-prediction, so that easy steps do not outweigh hard ones.
    weights = (snr.clamp(max=SNR_LIMIT) / (snr + 1)).to(device)
    kept = kept.to(device)

    def learn(clean: Tensor, noise: Tensor, times: Tensor, states: Tensor, pull: Tensor) -> Tensor:
        signal = kept[times].sqrt()[:, None, None, None]
        blur = (1 - kept[times]).sqrt()[:, None, None, None]
        target = signal * noise - blur * clean
        guess = unet(signal * clean + blur * noise, times, states).sample
        loss = (weights[times] * (guess - target).square().mean((1, 2, 3))).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        follow(average, unet, pull)
        return loss.detach()

    learning = Replayed(learn, device)

    def take_step(step: int) -> float:
        set_rate(optimizer, rate, step, steps)
        random = step_generator(seed, step)
        batch = recipe.unet_batch
        chosen = torch.randint(len(latents), (batch,), generator=random)
        # One time step from each of `batch` equal slices: the loss varies less than with free ones.
        slices = (torch.arange(batch) + torch.rand(batch, generator=random)) / batch
        times = (slices * len(kept)).long().clamp(max=len(kept) - 1)
        states = captions.choose(chosen, recipe.caption_dropout, random)
        noise = torch.randn(latents[chosen].shape, generator=random)
        pull = average_pull(recipe.unet_average, step)
        return float(learning(latents[chosen], noise, times, states, pull).item())

    stage.run(take_step, lambda step: on_checkpoint(step, average), checkpoint_steps, until)
    return average
