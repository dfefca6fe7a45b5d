"""Train the demo model: a Stable Diffusion pipeline of its own that draws coloured shapes.

Everything is made here: pictures, captions, tokenizer, weights. It needs no network and no GPU;
with a GPU the same run is over in minutes. A run that was stopped goes on where it stood when the
same command is given again, also on the other kind of device.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Set before torch is imported. Waiting threads must sleep: on a busy machine, spinning ones made a
# step several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

PROJECT = Path(__file__).resolve().parent.parent
CACHE = Path.home() / ".cache" / "vertex-diffusion"
MODEL = PROJECT / "handler" / "demo-model"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = parse(argv)
    try:
        import torch
        from diffusers.utils import logging as diffusers_logging
    except ImportError as error:
        print(
            f"The demo model needs torch, diffusers and transformers: {error}. "
            'Run "npm run demo-model", which brings them.',
            file=sys.stderr,
        )
        return 1
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print(
            'The demo model can\'t be run on the device "cuda": torch finds no GPU here. '
            'Use "--device cpu".',
            file=sys.stderr,
        )
        return 1
    torch.set_num_threads(arguments.threads)
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    try:
        return train(arguments) if arguments.command == "train" else score(arguments)
    except KeyboardInterrupt:
        ends = " The same command goes on from the last checkpoint."
        print("Stopped." + (ends if arguments.command == "train" else ""), file=sys.stderr)
        return 130


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="npm run demo-model --", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (default: cpu)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train, or go on with a run that was stopped")
    training.add_argument(
        "--work",
        type=Path,
        help="folder of checkpoints and the learning curve "
        f'(default: "{CACHE}/demo-model-" and the digest of the recipe)',
    )
    training.add_argument("--out", type=Path, default=MODEL, help="folder to write the pipeline to")
    training.add_argument(
        "--until", type=int, metavar="STEP", help="end the UNet's training early, after this step"
    )
    scoring = commands.add_parser(
        "score", help="draw a fixed set of prompts and judge the pictures"
    )
    scoring.add_argument("--model", type=Path, default=MODEL, help="pipeline folder")
    scoring.add_argument("--guidance", type=float, default=None, help="guidance scale")
    scoring.add_argument(
        "--seeds", type=int, nargs="+", metavar="SEED", help="noise to draw from (default: 1 2 3 4)"
    )
    return parser.parse_args(argv)


def train(arguments: argparse.Namespace) -> int:
    """The command "train"."""
    from demo_model.recipe import Recipe
    from demo_model.training import AlreadyTrainingError, only_run
    from demo_model.training import train as train_all

    recipe = Recipe()
    work: Path = arguments.work or CACHE / f"demo-model-{recipe.digest()}"
    try:
        with only_run(CACHE / "demo-model.pid"):
            size = train_all(work, recipe, arguments.out, arguments.until, arguments.device)
    except AlreadyTrainingError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{arguments.out}: {size / 1e6:.2f} MB")
    return 0


def score(arguments: argparse.Namespace) -> int:
    """The command "score": status 0 where the model is good enough, 1 where it is not."""
    from demo_model.pipeline import load
    from demo_model.score import GUIDANCE, PHRASINGS, SEEDS, list_tasks
    from demo_model.score import score as score_all

    guidance = GUIDANCE if arguments.guidance is None else arguments.guidance
    tasks = list(list_tasks(PHRASINGS, arguments.seeds or SEEDS))
    result = score_all(load(arguments.model, arguments.device), tasks, guidance)
    print(f"{len(tasks)} pictures, guidance {guidance:g}")
    for title, tallies in (("colour", result.colours), ("shape", result.shapes)):
        for name, tally in tallies.items():
            print(
                f"{title:8}{name:10}{tally.right:4} of {tally.asked:4}  {100 * tally.share:5.1f} %"
            )
    for seen, count in sorted(result.mistakes.items()):
        print(f"{count:4} times {seen}")
    print("good enough" if result.accepted else "not good enough")
    return 0 if result.accepted else 1


if __name__ == "__main__":
    sys.exit(main())
