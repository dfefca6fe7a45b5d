"""A pipeline from a single file: the pictures of its folder, or one line that says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.original_layout import CHECKPOINT, original_layout, write_single_file
from tests.test_pipeline import picture
from vertex_diffusion.loading import WeightsError, load_pipeline


@pytest.fixture(scope="module")
def parts(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny pipeline with norms and biases of their own, so that none can stand for another."""
    folder: Path = tmp_path_factory.mktemp("parts") / "weights"
    shutil.copytree(weights, folder)
    random = torch.Generator().manual_seed(7)
    for path in folder.rglob("*.safetensors"):
        tensors = load_file(path)
        for name, tensor in sorted(tensors.items()):
            if tensor.dim() == 1:
                tensors[name] = tensor + 0.1 * torch.randn(tensor.shape, generator=random)
        save_file(tensors, path, metadata={"format": "pt"})
    return folder


@pytest.fixture
def single(parts: Path, tmp_path: Path) -> Path:
    """The same pipeline as an archive carries a single file."""
    return write_single_file(parts, tmp_path / "weights")


def rewrite(single: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, single / CHECKPOINT)


def test_the_pictures_are_those_of_the_same_weights_in_a_folder(parts: Path, single: Path) -> None:
    from_parts, from_file = load_pipeline(parts), load_pipeline(single)

    assert picture(from_file) == picture(from_parts)
    assert picture(from_file, prompt="a horse") == picture(from_parts, prompt="a horse")
    assert from_file.description == from_parts.description


def test_loads_without_a_network_and_without_a_safety_checker(
    single: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = single / "model_index.json"
    named = json.loads(index.read_text())
    named["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    named["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    index.write_text(json.dumps(named))

    def refuse(*_: object) -> None:
        raise AssertionError("a network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)

    assert load_pipeline(single).default_size == (64, 64)


def test_half_precision_is_read_as_from_a_folder(parts: Path, single: Path, tmp_path: Path) -> None:
    halves = tmp_path / "halves"
    shutil.copytree(parts, halves)
    for path in halves.rglob("*.safetensors"):
        half = {name: tensor.half() for name, tensor in load_file(path).items()}
        save_file(half, path, metadata={"format": "pt"})
    rewrite(single, original_layout(halves))

    assert picture(load_pipeline(single)) == picture(load_pipeline(halves))


def test_what_training_left_in_the_file_does_not_count(parts: Path, single: Path) -> None:
    left = {
        "model_ema.decay": torch.zeros(1),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(77)[None],
    }
    rewrite(single, {**original_layout(parts), **left})

    assert picture(load_pipeline(single)) == picture(load_pipeline(parts))


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("model.diffusion_model.out.2.bias", r"of the \d+ tensors that unet/config.json asks for"),
        ("model.diffusion_model.", r"has 0 of the \d+ tensors that unet/config.json asks for"),
        ("first_stage_model.", r"has 0 of the \d+ tensors that vae/config.json asks for"),
        ("cond_stage_model.", r"has 0 of the \d+ tensors that text_encoder/config.json asks for"),
    ],
)
def test_a_file_without_all_of_a_model_is_refused(
    parts: Path, single: Path, prefix: str, says: str
) -> None:
    tensors = original_layout(parts)
    rewrite(single, {name: tensors[name] for name in tensors if not name.startswith(prefix)})

    with pytest.raises(WeightsError, match=says) as caught:
        load_pipeline(single)

    assert "\n" not in str(caught.value)


def test_a_configuration_of_another_model_is_refused(single: Path) -> None:
    config = single / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "cross_attention_dim": 16}))

    with pytest.raises(WeightsError, match=r"is \d+x32 in checkpoint.safetensors and \d+x16 by"):
        load_pipeline(single)


def test_a_file_that_is_cut_off_is_refused(single: Path) -> None:
    checkpoint = single / CHECKPOINT
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])

    with pytest.raises(WeightsError, match="could not be loaded") as caught:
        load_pipeline(single)

    assert "\n" not in str(caught.value)


def test_a_configuration_that_is_missing_is_said(single: Path) -> None:
    (single / "vae" / "config.json").unlink()

    with pytest.raises(WeightsError, match=r"config\.json") as caught:
        load_pipeline(single)

    assert "\n" not in str(caught.value)
