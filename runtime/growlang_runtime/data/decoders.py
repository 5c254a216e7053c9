"""Decoders of JPEG other than Pillow, which a recipe names: `decoder = simplejpeg`.

Decoders differ in the last bit, so which one it is belongs to what a run computes.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec

from PIL import Image

from growlang.diagnostics import GrowlangError


def require_decoder(name: str) -> None:
    """Raise GrowlangError if the package that decodes is not installed."""
    if name != "pillow" and find_spec(name) is None:
        raise GrowlangError(
            f"`decoder = {name}` needs the package {name}, which is not installed",
            help='pip install "growlang[fast]"; what was trained with one decoder does not go on '
            "with another, which rounds differently",
        )


def versions(names: Iterable[str]) -> str | None:
    """Decoders and their versions, such as `simplejpeg 1.9.0`; None if there is only Pillow."""
    others = sorted(set(names) - {"pillow"})
    return ", ".join(f"{name} {version(name)}" for name in others) or None


def by_simplejpeg(data: bytes, mode: str, target: tuple[int, int] | None) -> Image.Image | None:
    """A JPEG at the smallest multiple of 1/8 of its size that is not below the target, or whole.

    None for one that simplejpeg refuses, since it is damaged.
    """
    from simplejpeg import decode_jpeg

    width, height = target or (0, 0)
    colours = {"L": "GRAY", "RGB": "RGB"}[mode]
    try:
        pixels = decode_jpeg(data, colours, min_height=height, min_width=width)
    except ValueError:
        return None
    return Image.fromarray(pixels[:, :, 0] if mode == "L" else pixels)
