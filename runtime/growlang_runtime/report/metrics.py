"""The numbers of a run while it trains: lines of metrics.jsonl."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

from growlang_runtime.storage.files import disk_full, save_text


class Metrics:
    """The file of metrics: one JSON object a line, either of a step or of an event."""

    def __init__(self, path: Path, *, written: bool = True) -> None:
        self.path, self.written = path, written
        """Of several processes only the first writes."""

    def write(self, **values: Any) -> None:
        """Append a line; NaN and infinity, which JSON does not have, are null.

        Raises GrowlangError if the disk is full.
        """
        if not self.written:
            return
        known = {k: v if _is_known(v) else None for k, v in values.items()}
        with disk_full(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(known) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the lines of later steps, which a resumed run does again, and a torn last line."""
        if not (self.written and self.path.exists()):
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except (ValueError, KeyError, TypeError):
                continue
        save_text(self.path, "".join(f"{line}\n" for line in kept))


def _is_known(value: object) -> bool:
    return not isinstance(value, float) or isfinite(value)
