"""What the data of a run is: the identity of each source, as a value and as plans record it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

LATENTS = " as latents of "
"""Stands between the samples and the VAE of an identity, in plans and protocols."""
PHASES = "+"
"""Stands between the identities of sources of one name, where phases have different ones."""


@dataclass(frozen=True)
class Identity:
    """Which samples a source has, and which VAE makes latents of them."""

    samples: str
    """The hash of the source's index or tokens, and what decodes its images."""
    vae: str = ""
    """The hash of the VAE; empty where the samples are not latents."""

    def __str__(self) -> str:
        return f"{self.samples}{LATENTS}{self.vae}" if self.vae else self.samples

    @staticmethod
    def read(text: str) -> Identity:
        """The identity that is recorded as this."""
        samples, _, vae = text.partition(LATENTS)
        return Identity(samples, vae)

    def without_vae(self) -> Identity:
        """That of the samples themselves."""
        return replace(self, vae="")


def recorded(identities: Mapping[str, Identity]) -> dict[str, str]:
    """Identities by the names of their sources, as plans and protocols record them."""
    return {name: str(identity) for name, identity in identities.items()}


def recorded_of_phases(phases: Iterable[Mapping[str, Identity]]) -> dict[str, str]:
    """The identities of the sources of several phases, as plans record them."""
    found: dict[str, dict[str, None]] = {}
    for identities in phases:
        for name, text in recorded(identities).items():
            found.setdefault(name, {})[text] = None
    return {name: PHASES.join(several) for name, several in found.items()}


def read_recorded(data: Mapping[str, str]) -> set[Identity]:
    """All identities that a plan records."""
    return {Identity.read(text) for texts in data.values() for text in texts.split(PHASES)}
