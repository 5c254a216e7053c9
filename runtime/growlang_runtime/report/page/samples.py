"""The sample grids of a page: those of one step at a time, chosen with a slider."""

from __future__ import annotations

from collections.abc import Sequence

from growlang.pages.markup import Child, Html, element, joined
from growlang_runtime.report.page.facts import Facts
from growlang_runtime.report.page.pictures import MOST, chosen, data_uri
from growlang_runtime.report.page.sections import key

NAMED = 12
"""Prompts that the text in place of a picture names."""


def samples(runs: Sequence[Facts]) -> Html:
    """A slider over the steps, and a picture of each run for each of its steps."""
    most = max(2, MOST // len(runs))
    figures, steps = [], set[int]()
    for index, run in enumerate(runs):
        pictures: list[Child] = []
        for grid in chosen(run.grids, most):
            uri = data_uri(grid.path)
            if uri is not None:
                alt = f"samples at step {grid.step:,}: {_prompts(run)}"
                pictures.append(element("img", src=uri, alt=alt, data_step=grid.step))
                steps.add(grid.step)
        if pictures:
            name = element("span", key(index), run.name) if len(runs) > 1 else None
            caption = element("figcaption", name, " ", element("span", class_="at"))
            figures.append(element("figure", pictures, caption, class_="grid"))
    if not figures:
        return Html()
    ordered = sorted(steps)
    slider = element(
        "input",
        type="range",
        id="step",
        min=0,
        max=len(ordered) - 1,
        value=len(ordered) - 1,
        step=1,
        data_steps=" ".join(map(str, ordered)),
    )
    shown = element("output", f"step {ordered[-1]:,}", for_="step", id="step-shown")
    play = element("button", "play", type="button", id="play")
    bar = element("p", element("label", "step ", slider), shown, play, class_="slider")
    return joined(bar, element("div", figures, class_="grids"))


def _prompts(run: Facts) -> str:
    prompts = run.plan.sample.prompts
    listed = prompts if isinstance(prompts, list) else [prompts] if prompts else []
    more = ", ..." if len(listed) > NAMED else ""
    return ", ".join(map(str, listed[:NAMED])) + more
