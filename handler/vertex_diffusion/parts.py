"""The models of a pipeline from its folder: each part's weights beside its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

# Parts that a pipeline may name and this handler never loads.
NOT_LOADED = ("safety_checker", "feature_extractor")
LIBRARIES = {"diffusers": diffusers, "transformers": transformers}


def load_parts(folder: Path, index: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """The models that model_index.json names, by the names that the pipeline has for them.

    The pipeline's own from_pretrained would serve noise in place of a tensor that is missing.
    Raises ValueError with the reason for a model that is not whole.
    """
    models = {}
    for part, model_class in _model_classes(index):
        models[part], found = model_class.from_pretrained(
            str(folder / part),
            torch_dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
        missing = sorted(found["missing_keys"])
        if missing:
            raise ValueError(
                f"the weights in {part}/ lack {len(missing)} of the tensors that its config.json "
                f'asks for, such as "{missing[0]}". Copy them again.'
            )
    return models


def _model_classes(index: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The parts that have weights; schedulers, tokenizers and what is null have none."""
    for part, named in index.items():
        if part in NOT_LOADED or not isinstance(named, list):
            continue
        library, name = (str(value) for value in named)
        found = getattr(LIBRARIES.get(library), name, None)
        if isinstance(found, type) and issubclass(found, torch.nn.Module):
            yield part, found
