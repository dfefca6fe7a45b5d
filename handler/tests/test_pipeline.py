"""The pipeline: seeds, sizes, tokens, and folders that are none."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat
from safetensors.torch import load_file, save_file

from handler import DiffusionHandler
from tests.conftest import new_context
from vertex_diffusion.loading import WeightsError, load_pipeline
from vertex_diffusion.pipeline import ImageTask, Pipeline
from vertex_diffusion.request import GenerationRequest
from vertex_diffusion.schedulers import SCHEDULERS

REQUEST = GenerationRequest(
    prompt="a red circle",
    negative_prompt="",
    num_inference_steps=3,
    guidance_scale=7.5,
    seed=7,
    width=64,
    height=64,
)


@pytest.fixture
def pipeline(handler: DiffusionHandler) -> Pipeline:
    return handler.service.pipeline


def draw(pipeline: Pipeline, **changes: Any) -> Image.Image:
    request = replace(REQUEST, **changes)
    [drawn] = pipeline.generate([ImageTask(request, request.seed)])
    image: Image.Image = drawn.image
    return image


def picture(pipeline: Pipeline, **changes: Any) -> bytes:
    pixels: bytes = draw(pipeline, **changes).tobytes()
    return pixels


def distance(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are apart, in levels of 255."""
    return float(sum(ImageStat.Stat(ImageChops.difference(one, other)).mean))


def test_the_same_request_gives_the_same_picture(pipeline: Pipeline) -> None:
    assert picture(pipeline) == picture(pipeline)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"prompt": "a horse on mars"},
        {"negative_prompt": "blurry"},
        {"num_inference_steps": 4},
        {"guidance_scale": 2.0},
        {"scheduler": "euler_a"},
        {"init_image": Image.new("RGB", (64, 64), "red")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_request_gives_another_picture(pipeline: Pipeline, change: dict[str, Any]) -> None:
    assert picture(pipeline, **change) != picture(pipeline)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (72, 64), (64, 200), (256, 128)])
def test_the_picture_has_the_size_asked_for(pipeline: Pipeline, width: int, height: int) -> None:
    image = draw(pipeline, width=width, height=height, num_inference_steps=1)

    assert image.size == (width, height)


@pytest.mark.parametrize("steps", [1, 2, 100])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_draws_with_every_number_of_steps(
    pipeline: Pipeline, scheduler: str, steps: int
) -> None:
    image = draw(pipeline, scheduler=scheduler, num_inference_steps=steps)

    assert image.getextrema() != ((0, 0),) * 3


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_starts_from_a_picture(pipeline: Pipeline, scheduler: str) -> None:
    red, blue = (
        picture(pipeline, scheduler=scheduler, init_image=Image.new("RGB", (64, 64), colour))
        for colour in ("red", "blue")
    )

    assert red != blue


def test_a_named_scheduler_leaves_the_models_own_for_the_next_request(pipeline: Pipeline) -> None:
    before = picture(pipeline)

    picture(pipeline, scheduler="ddim")

    assert picture(pipeline) == before


def test_a_change_of_a_picture_takes_its_share_of_the_steps(pipeline: Pipeline) -> None:
    told: list[tuple[int, int]] = []
    start = Image.new("RGB", (64, 64), "red")
    request = replace(REQUEST, init_image=start, strength=0.5, num_inference_steps=4)

    pipeline.generate([ImageTask(request, 7, lambda step, of: told.append((step, of)))])

    assert told == [(1, 2), (2, 2)]


def test_tells_each_step_of_a_pass_once_to_each_who_listens(pipeline: Pipeline) -> None:
    one: list[tuple[int, int]] = []
    other: list[tuple[int, int]] = []

    def listen(step: int, of: int) -> None:
        one.append((step, of))

    pipeline.generate(
        [
            *(ImageTask(REQUEST, seed, listen) for seed in (1, 2)),
            ImageTask(REQUEST, 3),
            ImageTask(REQUEST, 4, lambda step, of: other.append((step, of))),
        ]
    )

    assert one == other == [(1, 3), (2, 3), (3, 3)]


def test_the_default_size_is_the_models_own(pipeline: Pipeline) -> None:
    assert pipeline.default_size == (64, 64)


def test_counts_tokens_without_start_and_end(pipeline: Pipeline) -> None:
    assert pipeline.max_tokens == 75
    assert pipeline.count_tokens("") == 0
    assert pipeline.count_tokens("a red circle") < len("a red circle")
    assert pipeline.count_tokens("a " * 80) == 80


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r'"[^"]*/weights" is not a folder') as caught:
        load_pipeline(tmp_path / "weights")

    assert "\n" not in str(caught.value)


def test_a_folder_without_an_index_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r'model_index.json" is missing'):
        load_pipeline(tmp_path)


def test_an_index_that_names_no_class_is_said(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("[]")

    with pytest.raises(WeightsError, match="names no _class_name"):
        load_pipeline(tmp_path)


def test_another_kind_of_pipeline_is_refused(tmp_path: Path) -> None:
    index = {"_class_name": "StableDiffusionXLPipeline"}
    (tmp_path / "model_index.json").write_text(json.dumps(index))

    with pytest.raises(WeightsError, match='"StableDiffusionXLPipeline"'):
        load_pipeline(tmp_path)


def test_weights_that_are_no_safetensors_are_refused(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights, folder)
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    unet.rename(unet.with_suffix(".bin"))

    with pytest.raises(WeightsError, match="could not be loaded") as caught:
        load_pipeline(folder)

    assert "\n" not in str(caught.value)


def test_weights_with_the_old_names_of_their_attention_are_whole(
    weights: Path, tmp_path: Path, pipeline: Pipeline
) -> None:
    # As in the repository of Stable Diffusion 1.5.
    folder = tmp_path / "weights"
    shutil.copytree(weights, folder)
    (path,) = (folder / "vae").glob("*.safetensors")
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(path)
    for name in [name for name in tensors if "attentions" in name]:
        renamed = name
        for new, before in old.items():
            renamed = renamed.replace(f".{new}.", f".{before}.")
        tensors[renamed] = tensors.pop(name)
    assert any(".query." in name for name in tensors)
    save_file(tensors, path, metadata={"format": "pt"})

    assert picture(load_pipeline(folder)) == picture(pipeline)


@pytest.mark.parametrize(
    ("part", "tensor"),
    [
        ("unet", "conv_out.bias"),
        ("vae", "decoder.conv_in.weight"),
        ("text_encoder", "text_model.final_layer_norm.bias"),
    ],
)
def test_weights_that_lack_a_tensor_are_refused(
    weights: Path, tmp_path: Path, part: str, tensor: str
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights, folder)
    (path,) = (folder / part).glob("*.safetensors")
    save_file(
        {name: value for name, value in load_file(path).items() if name != tensor},
        path,
        metadata={"format": "pt"},
    )

    with pytest.raises(WeightsError, match=f'{part}/ lack 1 of .* such as "{tensor}"') as caught:
        load_pipeline(folder)

    assert "\n" not in str(caught.value)


def test_the_handler_logs_one_line_when_it_cannot_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RuntimeError, match="The model archive has no weights"):
        DiffusionHandler().initialize(new_context(model_dir=tmp_path))

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert caplog.messages[0].startswith("The model cannot be served. The model archive has no")


def test_the_handler_refuses_a_bad_setting_before_it_loads_weights(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERTEX_DIFFUSION_DEFAULT_STEPS", "0")

    with pytest.raises(RuntimeError, match="VERTEX_DIFFUSION_DEFAULT_STEPS must be"):
        DiffusionHandler().initialize(new_context(model_dir=weights.parent))
