"""What conditions could not read of the captions of a run, counted step by step."""

from __future__ import annotations

from collections.abc import Mapping

from growlang_runtime.conditioning.readings import Reading, quoted
from growlang_runtime.storage.record import CaptionCounts


class Tally:
    """Counts over a run, by condition; only steps that are done are counted."""

    def __init__(self, counts: Mapping[str, CaptionCounts] | None = None) -> None:
        self.counts = dict(counts or {})

    def add(self, readings: Mapping[str, Reading]) -> list[str]:
        """Count a step's readings. Returns a warning for the first loss of each kind."""
        lines = []
        for name, reading in readings.items():
            before = self.counts.get(name, CaptionCounts())
            if reading.cut and not before.cut:
                lines.append(
                    f"condition `{name}` reads at most {reading.limit} {reading.unit} of a caption "
                    f"and truncated {quoted(reading.cut[0])}; the total is reported at the end"
                )
            if reading.wordless and not before.wordless:
                lines.append(
                    f"condition `{name}` found no words in {quoted(reading.wordless[0])} and "
                    "treats it as no caption; the total is reported at the end"
                )
            self.counts[name] = CaptionCounts(
                captions=before.captions + reading.captions,
                cut=before.cut + len(reading.cut),
                wordless=before.wordless + len(reading.wordless),
            )
        return lines

    def totals(self) -> list[tuple[str, str, CaptionCounts]]:
        """For each condition that could not read all: its name, a line, and its counts."""
        found = []
        for name, counts in self.counts.items():
            parts = []
            if counts.cut:
                parts.append(f"{counts.cut:,} truncated (raise its `tokens`)")
            if counts.wordless:
                parts.append(f"{counts.wordless:,} without words")
            if parts:
                line = f"condition `{name}` read {counts.captions:,} captions: {', '.join(parts)}"
                found.append((name, line, counts))
        return found
