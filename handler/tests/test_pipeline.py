"""The pipeline: seeds, sizes, tokens, and folders that are none."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from handler import DiffusionHandler
from tests.conftest import new_context
from vertex_diffusion.loading import WeightsError, load_pipeline
from vertex_diffusion.pipeline import Pipeline
from vertex_diffusion.request import GenerationRequest

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
    return handler.pipeline


def picture(pipeline: Pipeline, **changes: object) -> bytes:
    return pipeline.generate(replace(REQUEST, **changes)).tobytes()  # type: ignore[arg-type]


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
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_request_gives_another_picture(
    pipeline: Pipeline, change: dict[str, object]
) -> None:
    assert picture(pipeline, **change) != picture(pipeline)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (72, 64), (64, 200), (256, 128)])
def test_the_picture_has_the_size_asked_for(pipeline: Pipeline, width: int, height: int) -> None:
    image = pipeline.generate(replace(REQUEST, width=width, height=height, num_inference_steps=1))

    assert image.size == (width, height)


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
