"""Captions of scenes: many phrasings, and a record of what each one mentions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo_model.world import BACKGROUNDS, COLOURS, SHAPES, SIZES, Scene

# {a} is "a" or "an", {thing} is "small red circle", {shape} is "small circle".
PHRASINGS = (
    "{a} {thing}",
    "{a} {thing}",
    "{thing}",
    "one {thing}",
    "the {thing}",
    "a picture of {a} {thing}",
    "a photo of {a} {thing}",
    "a drawing of {a} {thing}",
    "an image of {a} {thing}",
    "a painting of {a} {thing}",
    "a simple {thing}",
    "a {shape} that is {colour}",
    "a {shape} in {colour}",
    "a {shape}, {colour}",
    "a {colour} coloured {shape}",
)
BACKGROUND_PHRASINGS = (
    " on a {background} background",
    " on {background}",
    ", {background} background",
    " with a {background} background",
)
ENDINGS = (", high quality", ", simple", ", flat design", ", detailed", ", minimalist", ".")
# What stands for "nothing in particular": the empty prompt and usual negative prompts.
PLAIN_CAPTIONS = (
    "",
    "",
    "",
    "low quality",
    "blurry",
    "blurry, low quality",
    "worst quality",
    "bad anatomy, text, watermark",
    "a picture",
    "an image",
)
WORDS_FOR = {
    "circle": ("circle", "circle", "circle", "disc"),
    "square": ("square",),
    "triangle": ("triangle",),
    "small": ("small", "little", "tiny"),
    "medium": ("medium", "medium sized"),
    "large": ("large", "big", "huge"),
    "white": ("white", "plain white"),
    "grey": ("grey", "light grey", "gray"),
}
# Words of other prompts. The text encoder learns to look past them.
OTHER_TEXT = (
    "astronaut horse mars cat dog house garden tree car city night sunset mountain "
    "portrait woman man bird flower digital art oil canvas style bright nice clean "
    "draw me show make please paint shape something figure geometric icon logo sign "
    "two three and or not no my your this that it is by from centre middle center "
    "masterpiece realistic cartoon sketch vector poster paper beautiful small-scale"
)
OTHER_WORDS = tuple(OTHER_TEXT.split())


@dataclass(frozen=True)
class Caption:
    """A prompt and what it says: each field is a name of the world, or "" where it is silent."""

    text: str
    colour: str = ""
    shape: str = ""
    background: str = ""
    size: str = ""


def describe(scene: Scene, random: np.random.Generator) -> Caption:
    """A caption of the scene. One in twelve is silent about the colour or the shape."""
    colour, shape = scene.colour, scene.shape
    silent = random.random()
    if silent < 0.04:
        shape = ""
    elif silent < 0.08:
        colour = ""
    size = scene.size if random.random() < 0.4 else ""
    background = scene.background if random.random() < 0.4 else ""
    noun = pick(WORDS_FOR[shape], random) if shape else "shape"
    sized = f"{pick(WORDS_FOR[size], random)} {noun}" if size else noun
    thing = f"{pick(WORDS_FOR[size], random)} " if size else ""
    thing += f"{colour} {noun}" if colour else noun
    phrasing = pick(PHRASINGS if colour else PHRASINGS[:10], random)
    text = phrasing.format(
        a="an" if thing[0] in "aeiou" else "a", thing=thing, shape=sized, colour=colour
    )
    if background:
        ending = pick(BACKGROUND_PHRASINGS, random)
        text += ending.format(background=pick(WORDS_FOR[background], random))
    if random.random() < 0.15:
        text += pick(ENDINGS, random)
    return Caption(text, colour, shape, background, size)


def disturb(caption: Caption, random: np.random.Generator) -> Caption:
    """The caption with up to four foreign words or letters put in; it still says the same."""
    words = caption.text.split(" ")
    for _ in range(int(random.integers(1, 5))):
        if random.random() < 0.8:
            word = pick(OTHER_WORDS, random)
        else:
            letters = random.integers(ord("a"), ord("z") + 1, size=int(random.integers(1, 6)))
            word = "".join(chr(letter) for letter in letters)
        words.insert(int(random.integers(0, len(words) + 1)), word)
    return Caption(
        " ".join(words).strip(), caption.colour, caption.shape, caption.background, caption.size
    )


def plain_caption(random: np.random.Generator) -> Caption:
    """A caption that says nothing about the picture."""
    return Caption(pick(PLAIN_CAPTIONS, random))


def known_words() -> list[str]:
    """Every word that captions are made of, sorted: the tokenizer gives each a token of its own."""
    texts = [*PHRASINGS, *BACKGROUND_PHRASINGS, *ENDINGS, *PLAIN_CAPTIONS, *OTHER_WORDS]
    for words in WORDS_FOR.values():
        texts += words
    texts += [*COLOURS, *SHAPES, *SIZES, *BACKGROUNDS, "an", "shape"]
    words_only = "".join(c if c.isalpha() else " " for c in " ".join(texts))
    return sorted(set(words_only.split()) - {"thing"})


def pick(choices: tuple[str, ...], random: np.random.Generator) -> str:
    """One of the choices, each as likely."""
    return choices[int(random.integers(len(choices)))]
