"""Latents: the images of a net that are what a frozen VAE makes of images of pixels."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from growlang.net.shape import Shape, grid


class Latent(NamedTuple):
    """What is known of the VAE without it."""

    vae: str
    """Its id, or its folder."""
    factor: int
    """Pixels a side for each latent."""
    colours: int
    """Colour channels of the images of pixels."""

    def pixels(self, image: Shape) -> Shape:
        """Shape (colours, height, width) of the images whose latents have the shape `image`."""
        _, height, width = image.dims
        return grid(self.colours, self.factor * height, self.factor * width)

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return self._asdict()

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "Latent":
        """The inverse of `to_json`. Raises ValueError for what it never gives."""
        found = Latent(**stored)
        if not (isinstance(found.vae, str) and all(type(n) is int and n > 0 for n in found[1:])):
            raise ValueError(f"{dict(stored)!r} describes no latents")
        return found
