"""Decoders of JPEG other than Pillow, which a recipe names: `decoder = simplejpeg`.

Decoders differ in the last bit, so which one it is belongs to what a run computes.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
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


def decoder_version(name: str) -> str | None:
    """A decoder and its version, such as `simplejpeg 1.9.0`; None for Pillow."""
    if name == "pillow":
        return None
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return name


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
