"""The demo model's training: its pictures, captions and tokenizer, and runs that are cut off."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.torchserve import HANDLER

sys.path.append(str(HANDLER.parent / "scripts"))

from demo_model import score as scoring
from demo_model import training
from demo_model.captions import Caption, describe, disturb, known_words
from demo_model.pipeline import assemble, load, save_half
from demo_model.recipe import Recipe
from demo_model.score import Score, Task, list_tasks
from demo_model.stages import Stage, step_generator, to_picture_tensor
from demo_model.text import encode_captions, make_text_encoder
from demo_model.tokenizer import make_tokenizer
from demo_model.training import AlreadyTrainingError, only_run
from demo_model.unet import make_unet
from demo_model.vae import encode, make_vae, normalise_latents, paint_all
from demo_model.world import Scene, paint, random_scene

SCENE = Scene("orange", "circle", "grey", "large", 20.0, 32.0, 32.0)
TINY = replace(Recipe(), vae_channels=(8, 8, 8), unet_channels=(16, 16, 16))
SHORT = replace(
    TINY, pictures=24, text_steps=2, text_batch=4, vae_steps=2, unet_steps=4, unet_batch=4
)

LONGER = replace(SHORT, vae_steps=8, unet_steps=16)  # long enough for a GPU to replay steps


def test_a_painted_scene_has_its_colours_inside_and_out() -> None:
    picture = paint(SCENE)

    assert picture.shape == (64, 64, 3)
    assert picture[32, 32].tolist() == [250, 140, 20]
    assert picture[2, 2].tolist() == [205, 205, 205]


def test_a_caption_says_what_it_claims_to_say() -> None:
    random = np.random.default_rng(3)
    captions = [describe(random_scene(random), random) for _ in range(500)]

    for caption in captions:
        assert caption.colour in caption.text
        assert caption.shape in caption.text.replace("disc", "circle")
        assert caption.background in caption.text.replace("gray", "grey")
    assert len({caption.text for caption in captions}) > 250


def test_a_disturbed_caption_keeps_its_words_in_order() -> None:
    caption = Caption("a small red circle", colour="red", shape="circle", size="small")

    disturbed = disturb(caption, np.random.default_rng(1))

    left = iter(disturbed.text.split(" "))
    assert disturbed.text != caption.text
    assert all(word in left for word in caption.text.split(" "))


def test_every_word_of_the_captions_is_one_token_and_any_text_can_be_read(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path, known_words())

    lengths = {word: len(tokenizer(word).input_ids) - 2 for word in known_words()}

    assert set(lengths.values()) == {1}
    assert tokenizer.unk_token_id not in tokenizer("crêpe 漢字").input_ids[1:-1]
    assert encode_captions(tokenizer, ["a red circle " * 100]).shape == (1, 77)


def test_normalised_latents_keep_the_picture() -> None:
    torch.manual_seed(5)
    vae = make_vae(TINY).eval()
    pictures = paint_all([random_scene(np.random.default_rng(seed)) for seed in range(8)])
    before = vae.encode(to_picture_tensor(pictures)).latent_dist
    drawn = vae.decode(before.mean).sample

    normalise_latents(vae, before.mean)

    after = encode(vae, pictures)
    torch.testing.assert_close(after.mean((0, 2, 3)), torch.zeros(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(after.std((0, 2, 3)), torch.ones(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(vae.decode(after).sample, drawn, atol=1e-4, rtol=1e-3)


def test_a_run_that_is_cut_off_ends_with_the_weights_of_one_that_is_not(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"

    expected = run_stage(whole)
    with pytest.raises(KeyboardInterrupt):
        run_stage(cut, stop_before=7)
    resumed = run_stage(cut)

    assert torch.equal(resumed, expected)


def test_a_whole_run_that_is_ended_early_writes_the_same_pipeline_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SCORE_PHRASINGS", ())

    training.train(tmp_path / "whole", SHORT, tmp_path / "expected")
    training.train(tmp_path / "cut", SHORT, tmp_path / "early", until=2)
    training.train(tmp_path / "cut", SHORT, tmp_path / "later")

    assert unet_bytes(tmp_path / "later") == unet_bytes(tmp_path / "expected")
    assert unet_bytes(tmp_path / "early") != unet_bytes(tmp_path / "expected")


def unet_bytes(pipeline: Path) -> bytes:
    return (pipeline / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_runs_the_course_of_a_cpu_from_the_start_or_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SCORE_PHRASINGS", ())

    for folder, device in (("cpu", "cpu"), ("gpu", "cuda"), ("both", "cpu")):
        training.train(tmp_path / folder, LONGER, tmp_path / "early", 8, device)
    for folder, device in (("cpu", "cpu"), ("gpu", "cuda"), ("both", "cuda")):
        training.train(tmp_path / folder, LONGER, tmp_path / folder / "model", None, device)

    course = losses(tmp_path / "cpu")
    expected = [(stage, pytest.approx(loss, rel=0.01)) for stage, loss in course]
    assert [stage for stage, _ in course] == ["text", "vae", "unet", "unet"]
    assert losses(tmp_path / "gpu") == expected
    assert losses(tmp_path / "both") == expected
    assert load(tmp_path / "gpu" / "model", "cuda").device.type == "cuda"


def losses(folder: Path) -> list[tuple[str, float]]:
    """The stages and losses of a run's learning curve."""
    lines = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    return [(line["stage"], line["loss"]) for line in lines if "loss" in line]


def test_a_gpu_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    script = runpy.run_path(str(HANDLER.parent / "scripts" / "train-demo-model.py"))

    status = script["main"](["--device", "cuda", "train"])

    assert status == 1
    assert '"cuda": torch finds no GPU here. Use "--device cpu".' in capsys.readouterr().err


def test_a_run_that_is_ended_early_goes_on_later(tmp_path: Path) -> None:
    expected = run_stage(tmp_path / "whole")

    early = run_stage(tmp_path / "early", until=6)
    later = run_stage(tmp_path / "early")

    assert not torch.equal(early, expected)
    assert torch.equal(later, expected)


def run_stage(
    folder: Path, stop_before: int | None = None, until: int | None = None
) -> torch.Tensor:
    """Ten steps of a small stage that saves itself after every fifth."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(1)
    model = torch.nn.Linear(4, 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    stage = Stage(folder, "small", 10, {"model": model}, optimizer)

    def take_step(step: int) -> float:
        if step == stop_before:
            raise KeyboardInterrupt
        loss = model(torch.randn(3, 4, generator=step_generator(9, step))).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss)

    stage.run(take_step, checkpoint_steps=5, until=until)
    return model.weight.detach().clone()


def test_a_second_run_at_once_is_refused(tmp_path: Path) -> None:
    pid_file = tmp_path / "demo-model.pid"

    with only_run(pid_file), pytest.raises(AlreadyTrainingError), only_run(pid_file):
        pass
    with only_run(pid_file):
        assert pid_file.read_text().strip().isdigit()


def test_a_saved_pipeline_is_small_and_draws_without_network(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path / "words", known_words())
    recipe = Recipe()
    parts = make_vae(recipe), make_text_encoder(tokenizer, recipe.text_width)
    pipeline = assemble(*parts, tokenizer, make_unet(recipe))

    size = save_half(pipeline, tmp_path / "model")

    loaded = load(tmp_path / "model")
    picture = loaded("a red circle", num_inference_steps=2, output_type="np").images[0]
    assert size <= 8_000_000
    assert loaded.safety_checker is None
    assert picture.shape == (64, 64, 3)


def test_a_score_is_accepted_by_its_weakest_shape() -> None:
    tasks = list(list_tasks(["{a} {colour} {shape}"], seeds=[1, 2]))
    true = {task: paint(replace(SCENE, colour=task.colour, shape=task.shape)) for task in tasks}
    right, wrong = Score(), Score()

    for task in tasks:
        right.add(task, true[task])
        drawn = replace(SCENE, colour=task.colour, shape="circle")
        wrong.add(task, paint(drawn) if task.shape == "square" else true[task])

    assert Task("an orange square", "orange", "square", 2) in tasks
    assert right.accepted
    assert wrong.summary() == {
        "colour": 100.0,
        "circle": 100.0,
        "square": 0.0,
        "triangle": 100.0,
        "mistakes": {"square seen as circle": 16},
    }
    assert not wrong.accepted


def test_score_draws_from_the_seeds_that_are_named_and_a_stop_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[int] = []

    def interrupt(_pipeline: object, tasks: Sequence[Task], _guidance: float) -> None:
        drawn.extend(task.seed for task in tasks)
        raise KeyboardInterrupt

    monkeypatch.setattr(scoring, "score", interrupt)
    # Another number of threads adds up in another order: the tests that follow compare pictures.
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    script = runpy.run_path(str(HANDLER.parent / "scripts" / "train-demo-model.py"))

    status = script["main"](["score", "--seeds", "5", "9"])

    assert status == 130
    assert sorted(set(drawn)) == [5, 9]
    assert capsys.readouterr().err == "Stopped.\n"
