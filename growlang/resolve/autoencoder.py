"""Whether latents are those of the VAE that they name, as far as a folder on this machine says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from growlang.diagnostics import Findings, Span
from growlang.spec.autoencoders import CONFIG, Misfit, misfits
from growlang.spec.model import LatentImage


class Place(NamedTuple):
    """Where the latents are declared, and each of their arguments."""

    span: Span
    arguments: Mapping[str, Span]


def refuse_other_vae(image: LatentImage, place: Place, findings: Findings) -> None:
    """Record what the config of the VAE's folder says otherwise; a folder elsewhere says nothing.

    A folder is relative to the working directory, where it is loaded from in training.
    """
    for wrong in _wrong(image):
        span = place.arguments.get(wrong.argument, place.span)
        findings.add("G214", wrong.message, span, help=wrong.help)


def _wrong(image: LatentImage) -> Iterator[Misfit]:
    folder = Path(image.vae)
    if not folder.is_dir():
        return
    config = read_config(folder)
    if config is None:
        yield Misfit(
            "vae",
            f"the folder {folder} has no {CONFIG} of a VAE",
            "name the folder of an AutoencoderKL, which `save_pretrained` writes",
        )
        return
    yield from misfits(config, str(folder), image.channels, image.factor, image.colours)


def read_config(folder: Path) -> dict[str, Any] | None:
    """The config of a model of diffusers; None where there is none that can be read."""
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
