"""The two specs that a project starts with, from their templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from growlang.diagnostics import GrowlangError
from growlang.spec.declaring import strings
from growlang.starting.choice import Choice
from growlang.syntax.fmt import fmt_text

SMALLEST, LARGEST, MULTIPLE = 16, 1024, 8
"""Sides, in pixels, that a grown image may have, and what they are multiples of."""
ROWS = 32
"""Rows of the embedding of words, at most, for each channel: a smaller net has fewer."""
MOST_TOKENS = 16
"""Side of the core's grid above which patches become larger instead."""


@dataclass(frozen=True)
class Project:
    """What is known before anything is measured."""

    name: str
    """Of the data, and of the grown model: `shapes` makes `shapes_64`."""
    size: int
    """Side of a grown image, in pixels; the core's have half of it."""
    data: str
    """The statement that declares the data."""
    condition: str
    """The call of the condition that the core attends to; empty where there is none.

    Of `words`, without the vocabulary, which depends on the width too.
    """
    prompts: tuple[str, ...]
    """What the sample grids are drawn for."""
    images: int
    minutes: float
    device: str
    vocabulary: int = 1024
    """Rows of an embedding of words in which frequent words share none."""
    holdout: bool = False
    """Whether there are enough images to hold some out."""

    @property
    def core_size(self) -> int:
        """Side of the core's images, in pixels."""
        return self.size // 2

    @property
    def core(self) -> str:
        """Name of the core's model."""
        return f"core_{self.core_size}"

    @property
    def grown(self) -> str:
        """Name of the grown model."""
        return f"{self.name}_{self.size}"

    @property
    def files(self) -> tuple[str, str]:
        """Names of the two specs' files."""
        return f"{self.core}.grow", f"{self.grown}.grow"

    @property
    def patch(self) -> int:
        """Side of a patch, in pixels, of both models."""
        return max(4, self.core_size // MOST_TOKENS)


def require_size(size: int) -> None:
    """Raise GrowlangError for a side that the templates cannot make."""
    if not SMALLEST <= size <= LARGEST or size % MULTIPLE or (size // 2) % max(4, size // 32):
        raise GrowlangError(
            f"--size {size}: the grown images need a side that halves into whole patches",
            help=f"choose one of {', '.join(map(str, SIZES))}",
        )


SIZES = (16, 32, 64, 128, 256, 512)
"""The sides that are proposed."""


def proposed_size(side: int, most: int) -> int:
    """The largest usual side up to that of most images and up to `most`."""
    return max(size for size in SIZES if size == SIZES[0] or size <= min(side, most))


def specs(project: Project, core: Choice, grown: Choice) -> dict[str, str]:
    """The texts of the core's spec and of the grown one's, formatted, by the names of files."""
    texts = _filled("core", project, core), _filled("grown", project, grown)
    return dict(zip(project.files, texts, strict=True))


def _filled(template: str, project: Project, choice: Choice) -> str:
    name = f"{template}.grow.template"
    text = (files("growlang.starting") / "templates" / name).read_text("utf-8")
    filled = Template(text).substitute(_values(project, choice))
    formatted = fmt_text(filled, f"{template}.grow")
    assert formatted.result is not None, formatted.findings
    return formatted.result


def _values(project: Project, choice: Choice) -> dict[str, object]:
    kind = project.condition.partition("(")[0]
    name = {"words": "text", "classes": "label"}.get(kind, "")
    grid = project.core_size // project.patch
    seen = choice.steps * choice.batch / max(1, project.images)
    return {
        "name": project.name,
        "core": project.core,
        "grown": project.grown,
        "size": project.size,
        "core_size": project.core_size,
        "patch": project.patch,
        "grid": grid,
        "grid_above": 2 * grid,
        "condition": f"{name} = {_condition(project, choice)}" if name else "",
        "attend": f"[self, {name}]" if name else "[self]",
        "kept": f"core, {name}, time" if name else "core, time",
        "data": project.data,
        "images": f"{project.images:,}",
        "seen": f"{max(1, round(seen)):,}",
        "minutes": f"{project.minutes:g} {'minute' if project.minutes == 1 else 'minutes'}",
        "device": project.device,
        "width": choice.width,
        "depth": choice.depth,
        "batch": choice.batch,
        "steps": choice.steps,
        "lr": f"{choice.lr:g}",
        "detail": max(32, choice.width // 2),
        "drop": "0.1" if name else "0",
        "guidance": "1.5" if name else "1",
        "prompts": f"prompts = {strings(project.prompts)}" if project.prompts else "",
        "holdout": "holdout = 2%" if project.holdout else "",
    }


def _condition(project: Project, choice: Choice) -> str:
    """The call of the condition; the embedding of words stays smaller than the rest of the net."""
    if not project.condition.startswith("words("):
        return project.condition
    vocabulary = min(project.vocabulary, ROWS * choice.width)
    return project.condition.replace(")", f", vocabulary = {vocabulary})")


def refuse_existing(folder: Path, names: Sequence[str], force: bool) -> None:
    """Raise GrowlangError if a file that would be written is there already, unless `force`."""
    there = [str(folder / name) for name in names if (folder / name).exists()]
    if there and not force:
        raise GrowlangError(
            f"{' and '.join(there)} {'exists' if len(there) == 1 else 'exist'} already",
            help="--force replaces what init would write; --out writes elsewhere; --name gives "
            "the grown model another name",
        )
