"""Charts of results as SVG: scores by arm with their spread over seeds, and curves."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import mean, stdev

import matplotlib
from arms import CALM, HALF, LABELS, PATH
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from results import Results, Row

COLOURS = {
    "core": "#000000",
    "scratch": "#999999",
    "joint": "#cc79a7",
    "frozen": "#56b4e9",
    "greedy": "#0072b2",
    "bridge": "#e69f00",
    "retain": "#009e73",
    CALM: "#d55e00",
    HALF: "#882255",
    PATH: "#117733",
}
"""Of arms, mostly Okabe and Ito's, which the colour-blind tell apart."""


@contextmanager
def chart(columns: int, height: float = 3.0) -> Iterator[tuple[list[Axes], io.StringIO]]:
    """Axes side by side, and the text that holds them as SVG afterwards."""
    text = io.StringIO()
    with matplotlib.rc_context(
        {
            "svg.hashsalt": "growlang",
            "svg.fonttype": "none",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    ):
        figure = Figure(figsize=(4.2 * columns, height), layout="constrained")
        axes = figure.subplots(1, columns, squeeze=False)[0]
        yield list(axes), text
        figure.savefig(text, format="svg", metadata={"Date": None})


def scores_chart(found: Results) -> str:
    """Retrieval@1, error and detail of each arm, on objects never seen at the size and others."""
    by_arm = rows_by_arm(found)
    with chart(3) as (axes, text):
        titles = ("retrieval@1 (of 1)", "error", "correlation of the detail")
        for axis, title, name in zip(axes, titles, ("hits", "rmse", "detail"), strict=True):
            for shift, which in ((-0.2, "unseen"), (0.2, "seen")):
                for place, (arm, rows) in enumerate(by_arm.items()):
                    some = [getattr(row, which) for row in rows]
                    over = some[0].objects if name == "hits" else 1
                    values = [getattr(s, name) / over for s in some]
                    _bar(axis, place + shift, values, COLOURS[arm], pale=which == "seen")
            axis.set_title(title)
            axis.set_xticks(range(len(by_arm)), list(by_arm), rotation=45, ha="right")
        axes[0].set_ylabel(f"never seen at the size | seen (pale)\n{_runs(by_arm)}")
    return text.getvalue()


def _bar(axis: Axes, x: float, values: Sequence[float], colour: str, pale: bool) -> None:
    error = stdev(values) if len(values) > 1 else 0
    alpha = 0.4 if pale else 1
    axis.bar(x, mean(values), 0.38, yerr=error, color=colour, alpha=alpha, ecolor="#666666")


def losses_chart(found: Results) -> str:
    """The held-out loss of each arm by log-SNR."""
    with chart(1, 3.4) as ((axis,), text):
        for arm, rows in rows_by_arm(found).items():
            if not all(row.losses for row in rows):
                continue
            levels = [level.log_snr for level in rows[0].losses]
            values = [mean(column) for column in zip(*_losses(rows), strict=True)]
            axis.plot(levels, values, marker="o", markersize=3, color=COLOURS[arm], label=arm)
        label_losses(axis, f"log-SNR (right: less noise); {_runs(rows_by_arm(found))}")
    return text.getvalue()


def _runs(by_arm: Mapping[str, Sequence[Row]]) -> str:
    """How many runs stand behind each arm of a chart."""
    counts = sorted({len(rows) for rows in by_arm.values()})
    return f"mean of {' to '.join(map(str, counts))} runs of each arm"


def label_losses(axis: Axes, across: str) -> None:
    """Label a chart of held-out losses over something."""
    axis.set_yscale("log")
    axis.set_xlabel(across)
    axis.set_ylabel("loss on objects never seen at the size")
    if axis.lines:
        axis.legend(frameon=False)


def _losses(rows: Sequence[Row]) -> list[list[float]]:
    return [[level.loss for level in row.losses] for row in rows]


def rows_by_arm(found: Results) -> Mapping[str, list[Row]]:
    """The rows of each arm that has some, in the order of the tables."""
    grouped = {arm: [row for row in found.rows if row.arm == arm] for arm in LABELS}
    return {arm: rows for arm, rows in grouped.items() if rows}
