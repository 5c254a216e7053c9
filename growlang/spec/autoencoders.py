"""What the config of a VAE of diffusers says of its latents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

CONFIG = "config.json"
KIND = "AutoencoderKL"


class Misfit(NamedTuple):
    """What a config says otherwise than a spec; `argument` is the one at fault."""

    argument: str
    message: str
    help: str


def misfits(
    config: Mapping[str, Any], vae: str, channels: int, factor: int, colours: int
) -> Iterator[Misfit]:
    """How a VAE is not the one of latents with so many channels, pixels a side and colours."""
    kind = config.get("_class_name")
    if kind != KIND:
        found = f"a {kind}" if isinstance(kind, str) else "no model of diffusers"
        yield Misfit("vae", f"{vae} is {found}, not an {KIND}", f"name an {KIND}")
        return
    blocks = config.get("block_out_channels") or [0]
    for argument, said, own, what in (
        ("channels", channels, config.get("latent_channels", 4), "channels of latents"),
        ("factor", factor, 2 ** (len(blocks) - 1), "pixels a side for each latent"),
        ("colours", colours, config.get("in_channels", 3), "colour channels"),
    ):
        if said != own:
            message = f"the VAE {vae} has {own} {what}, but `{argument}` is {said}"
            yield Misfit(argument, message, f"write `{argument} = {own}`")
