"""Replaces a file, for `fmt` and for `check --fix`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import NamedTemporaryFile

from growlang.diagnostics import GrowlangError


def replace(path: Path, text: str) -> None:
    """Replace a file by a text, whole or not at all; its permissions stay.

    Raises GrowlangError if that fails, or if the file is read-only, though its folder is not.
    """
    target = path.resolve()
    try:
        if not os.access(target, os.W_OK):
            raise OSError("it is read-only")
        with NamedTemporaryFile(
            "wb", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as file:
            file.write(text.encode())
        try:
            shutil.copymode(target, file.name)
            os.replace(file.name, target)
        finally:
            Path(file.name).unlink(missing_ok=True)
    except OSError as error:
        raise GrowlangError(f"cannot write {path}: {error.strerror or error}") from None
