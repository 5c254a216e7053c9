"""The name of a component, and its two spellings in the language."""

from __future__ import annotations

PREFIX = "stage."


class ComponentName(str):
    """A component by the path of its tensors: `stem`, `stage.16`, `core`, `time`, a condition."""

    __slots__ = ()

    @staticmethod
    def of_stage(at: int) -> ComponentName:
        """The stage at a resolution, in positions."""
        return ComponentName(f"{PREFIX}{at}")

    @staticmethod
    def of_tensor(name: str) -> ComponentName:
        """The component that the name of a tensor begins with."""
        first, second, *_ = name.split(".")
        return ComponentName(f"{PREFIX}{second}" if f"{first}." == PREFIX else first)

    @property
    def is_stage(self) -> bool:
        """Whether it is a stage."""
        return self.startswith(PREFIX)

    @property
    def selector(self) -> str:
        """As a selector names it: `stage[16]`."""
        return f"stage[{self.removeprefix(PREFIX)}]" if self.is_stage else str(self)

    @property
    def slot(self) -> str:
        """As a model declares it: `stage @ 16`."""
        return f"stage @ {self.removeprefix(PREFIX)}" if self.is_stage else str(self)

    def slot_at(self, at: int) -> str:
        """As a model would declare it at another resolution: `stage @ 8`, `core @ 8`."""
        return f"{'stage' if self.is_stage else self} @ {at}"


STEM, CORE, HEAD, TIME = map(ComponentName, ("stem", "core", "head", "time"))
"""The components that each model of images has."""
