"""What to write for images of one's own, where a spec names them as no source reads them."""

from __future__ import annotations

import re
from typing import NamedTuple

from growlang.diagnostics.literals import quoted
from growlang.ops.number import TABLES
from growlang.spec.data import IMAGES, Data, Folder, WebDataset
from growlang.syntax import document as d

MEANT = re.compile(
    "csv|data|dataset|datasets|dir|directory|files|folders|glob|huggingface|json|jsonl|parquet|"
    "path|photos|pictures|png|torchvision|load_.*|.*(image|folder).*"
)
"""Calls by which other libraries read images of one's own."""


class Mistaken(NamedTuple):
    """What is wrong with the place of a source's images, and what to write."""

    message: str
    help: str


class Place(NamedTuple):
    """A folder of images, and the table of their captions, as a path may mean them."""

    folder: str = "images/"
    table: str = ""

    @staticmethod
    def of(path: str) -> Place:
        """What is meant by the path of a folder, of a table or of images."""
        folder = path.rpartition("/")[0]
        if _ending(path) in TABLES:
            return Place(f"{folder}/" if folder else "images/", path)
        if _ending(path) in IMAGES:
            return Place(f"{folder or '.'}/")
        return Place(path.rstrip("/") + "/") if path else Place()

    def two_ways(self) -> str:
        """Both ways to train on the images: in place, and packed."""
        inside = self.table.removeprefix(self.folder)
        caption = f", caption = {quoted(inside)}" if self.table else ""
        option = f" --captions {self.table}" if self.table else ""
        return (
            f"write `folder({quoted(self.folder)}{caption})`, which reads the images where they "
            f"lie, or make shards of them: `growlang pack {self.folder}{option}`"
        )


def about_call(call: d.Call) -> str:
    """What to write instead of a call that reads images of one's own elsewhere; else nothing."""
    given = [a.value.value for a in call.arguments if isinstance(a.value, d.Constant)]
    path = next((value for value in given if isinstance(value, str)), "")
    return about_path(path) if MEANT.fullmatch(call.name) else ""


def about_path(path: str) -> str:
    """What to write instead of a path alone."""
    return _shards(path) if _ending(path) == "tar" else Place.of(path).two_ways()


def mistaken(source: Data) -> Mistaken | None:
    """Why a source cannot read the place that it names, as the name shows."""
    match source:
        case WebDataset(urls=path) if path.endswith("/") or _ending(path) in (*TABLES, *IMAGES):
            message = f"`webdataset` reads tar shards, which {quoted(path)} is not"
            return Mistaken(message, Place.of(path).two_ways())
        case Folder(path=path) if _ending(path) == "tar":
            message = f"`folder` reads a folder of images, and {quoted(path)} names tar shards"
            return Mistaken(message, _shards(path))
        case Folder(path=path) if _ending(path) in (*TABLES, *IMAGES):
            message = f"`folder` reads a folder of images, which {quoted(path)} is not"
            return Mistaken(message, Place.of(path).two_ways())
    return None


def _shards(path: str) -> str:
    return f"write `webdataset({quoted(path)})`"


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""
