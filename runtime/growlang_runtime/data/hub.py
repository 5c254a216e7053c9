"""A dataset of the Hugging Face Hub, from its local cache: the source `hf(...)`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.spelling import nearest
from growlang.spec.data import HF
from growlang_runtime.data.cache import file_name, user_cache
from growlang_runtime.data.corpus import PIECE, Corpus, Fault, cached_tokens, made_of
from growlang_runtime.data.hub_images import HubImages
from growlang_runtime.data.tokenizers import tokenizer_of

ROWS = 1000
"""Rows that are read at once."""


def open_hf(declared: HF, *given: Any) -> Corpus | HubImages:
    """The tokens of a dataset's split, or its images where a column of them is named.

    `given` is what such a source is opened with (`Data.runtime`). Raises GrowlangError if it is not
    in the cache, has no such split or column, or if the package datasets is not installed.
    """
    if declared.image is None:
        return _corpus(declared, *given)
    wanted, data_root, _ = given
    dataset = dataset_of(declared, data_root)
    for what in ("image", "caption", "label"):
        if (column := getattr(declared, what)) is not None:
            _require_column(dataset, declared, column)
    return HubImages.of(declared, dataset, wanted.members)


def _corpus(declared: HF, data_root: Path, cache: Path | None) -> Corpus:
    dataset = dataset_of(declared, data_root)
    _require_column(dataset, declared, declared.field)
    tokenizer = tokenizer_of(declared.tokenizer, data_root)
    identity = ["hf", PIECE, str(dataset._fingerprint), declared.field, tokenizer.identity]
    name = Path(f"{declared.name}:{declared.split}")
    faults: list[Fault] = []
    made = cached_tokens(
        name,
        (cache or user_cache()) / file_name(identity),
        lambda: made_of(name, _texts(dataset, declared, faults), tokenizer, faults),
    )
    return Corpus((made,), tokenizer)


def dataset_of(declared: HF, data_root: Path) -> Any:
    """The split: of a folder that `save_to_disk` wrote or that has files of data, or by its id."""
    import datasets

    folder = data_root / os.path.expanduser(declared.name)
    given = str(folder) if folder.is_dir() else declared.name
    try:
        if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
            found = datasets.load_from_disk(given)
            return found[declared.split] if isinstance(found, dict) else found
        with _offline(datasets.config):
            return datasets.load_dataset(given, declared.config, split=declared.split)
    except Exception as error:  # datasets raises what each of its loaders does
        said = str(error).strip().splitlines()
        raise GrowlangError(
            f"cannot load the split `{declared.split}` of the dataset `{declared.name}` from the "
            f"local cache ({said[0] if said else type(error).__name__})",
            help=f'load it once while online: python -c "import datasets; '
            f"datasets.load_dataset('{declared.name}')\", or give a folder that `save_to_disk` "
            "wrote",
        ) from error


@contextmanager
def _offline(config: Any) -> Iterator[None]:
    """Keep the packages of the Hub from the network, which they try many times without."""
    from huggingface_hub import constants

    places: tuple[Any, ...] = (config, constants)
    before = [getattr(place, "HF_HUB_OFFLINE", False) for place in places]
    try:
        for place in places:
            place.HF_HUB_OFFLINE = True
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value


def _require_column(dataset: Any, declared: HF, column: str) -> None:
    columns = list(dataset.column_names)
    if column in columns:
        return
    close = nearest(column, columns)
    help = f"its columns: {', '.join(columns)}"
    images = [name for name in ("image", "img") if name in columns]
    if images and declared.image is None:
        help += f'; for a model of images: `hf(..., image = "{images[0]}")`'
    raise GrowlangError(
        f"the dataset `{declared.name}` has no column `{column}`",
        help=f"did you mean `{close[0]}`?" if close else help,
    )


def _texts(dataset: Any, declared: HF, faults: list[Fault]) -> Iterator[tuple[str, str]]:
    number = 0
    for rows in dataset.select_columns([declared.field]).iter(ROWS):
        for value in rows[declared.field]:
            number += 1
            if isinstance(value, str):
                yield f"{declared.split}:{number}", value
            else:
                faults.append(Fault(number, f"it has no text in its column `{declared.field}`"))
