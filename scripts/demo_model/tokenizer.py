"""A CLIP tokenizer with a small vocabulary: every byte, and one token for each known word."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from transformers import CLIPTokenizer
from transformers.models.clip.tokenization_clip import bytes_to_unicode

TEXT_LENGTH = 77


def make_tokenizer(folder: Path, words: Iterable[str]) -> CLIPTokenizer:
    """Write vocab.json and merges.txt into `folder` and load them."""
    letters = list(bytes_to_unicode().values())
    merges = learn_merges(words)
    tokens = letters + [letter + "</w>" for letter in letters]
    tokens += ["".join(pair) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: index for index, token in enumerate(tokens)}
    vocabulary_file, merges_file = folder / "vocab.json", folder / "merges.txt"
    vocabulary_file.write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2"] + [" ".join(pair) for pair in merges]
    merges_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return CLIPTokenizer(str(vocabulary_file), str(merges_file), model_max_length=TEXT_LENGTH)


def learn_merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, the commonest pair first, until every word is one token."""
    split = [(*word[:-1], word[-1] + "</w>") for word in sorted(words)]
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for parts in split for pair in zip(parts, parts[1:]))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        split = [merge_pair(parts, best) for parts in split]


def merge_pair(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Join each occurrence of `pair` in the parts of a word."""
    joined: list[str] = []
    index = 0
    while index < len(parts):
        if parts[index : index + 2] == pair:
            joined.append("".join(pair))
            index += 2
        else:
            joined.append(parts[index])
            index += 1
    return tuple(joined)
