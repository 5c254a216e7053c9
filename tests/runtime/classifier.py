"""A small ViT and its data: the digits of scikit-learn, in folders by their class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import growlang
from growlang.plans.plan import Plan

SIZE = 8
SPEC = """grow 1

model digits_8 {
  image = image(8)
  label = classes(10)

  stem  patch(2, 16)
  core (prepend = [class_token])  transformer(16, heads = 2, qk_norm = false, dropout = 0.1)
  head  classify(label, pool = first)
}

data digits = folder("digits", caption = none, label = "folder")

train {
  data      = digits
  holdout   = 20%
  objective = classify(label)
  batch     = 8
  optimizer = adamw(lr = 1e-2)
  ema       = 0.5
  phase first for 5
  phase second for 4 { freeze stem }
}
"""


def write_digits(folder: Path, count: int = 100) -> None:
    """The first images, enlarged by no factor, as `digits/CLASS/NUMBER.png`."""
    found = load_digits()
    for number, (image, label) in enumerate(zip(found.images, found.target, strict=True)):
        if number == count:
            return
        place = folder / "digits" / str(label)
        place.mkdir(parents=True, exist_ok=True)
        pixels = (image * 255 / 16).astype(np.uint8)
        Image.fromarray(pixels).convert("RGB").save(place / f"{number:03}.png")


def plan_of(folder: Path, *changes: tuple[str, str]) -> Plan:
    """The plan of the model on the digits of a folder."""
    text = SPEC
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    spec = folder / "digits_8.grow"
    spec.write_text(text)
    return growlang.plan(spec)
