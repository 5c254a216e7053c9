"""The name of a component, and its two spellings in the language."""

from __future__ import annotations

PREFIX = "stage."
RETAINED = "retained."


class ComponentName(str):
    """A component by the path of its tensors: `stem`, `stage.16`, `core`, `time`, a condition."""

    __slots__ = ()

    @staticmethod
    def of_stage(at: int) -> ComponentName:
        """The stage at a resolution, in positions."""
        return ComponentName(f"{PREFIX}{at}")

    @staticmethod
    def of_retained(size: int) -> ComponentName:
        """The ends that made images of a size, in pixels, before the model grew."""
        return ComponentName(f"{RETAINED}{size}")

    @staticmethod
    def of_tensor(name: str) -> ComponentName:
        """The component that the name of a tensor begins with."""
        first, second, *_ = name.split(".")
        return ComponentName(f"{first}.{second}" if f"{first}." in (PREFIX, RETAINED) else first)

    @property
    def is_stage(self) -> bool:
        """Whether it is a stage."""
        return self.startswith(PREFIX)

    @property
    def is_retained(self) -> bool:
        """Whether it is the ends of a former generation."""
        return self.startswith(RETAINED)

    @property
    def selector(self) -> str:
        """As a selector names it: `stage[16]`, `retained[32]`."""
        kind, _, at = self.partition(".")
        return f"{kind}[{at}]" if at else str(self)

    @property
    def slot(self) -> str:
        """As a model declares it: `stage @ 16`."""
        return f"stage @ {self.removeprefix(PREFIX)}" if self.is_stage else str(self)

    def slot_at(self, at: int) -> str:
        """As a model would declare it at another resolution: `stage @ 8`, `core @ 8`."""
        return f"{'stage' if self.is_stage else self} @ {at}"


STEM, CORE, HEAD, TIME = map(ComponentName, ("stem", "core", "head", "time"))
"""The components that each model of images has."""
