"""Cases drawn from a grammar of widths, heads, groups, conditions, depths and rules."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from exactness.cases import Case, Value

BREAKS = ("none", "shares", "noise(0.1)", "moments")
NORMS = st.sampled_from(("rms", "layer"))
BOOLS = st.booleans()


@st.composite
def chains(draw: st.DrawFn) -> Case:
    """A chain of images or of tokens that grows in width, heads, depth and conditions."""
    family = draw(st.sampled_from(("vit", "still", "gpt")))
    both: dict[str, Value] = {"norm": draw(NORMS), "qk_norm": draw(BOOLS)}
    parent, child = draw(_attention())
    parent["mlp"], child["mlp"] = sorted(draw(st.tuples(_mlps(), _mlps())))
    parent["depth"] = draw(st.integers(1, 2))
    child["depth"] = parent["depth"] + draw(st.integers(0, 2))
    rules = [f"widen(exact, break = {draw(st.sampled_from(BREAKS))})", "extend"]
    if child["depth"] != parent["depth"]:
        rules.append(draw(_deepening()))
    if draw(BOOLS):
        rules.append("heads(copy)")
    parent["vocabulary"] = 10
    child["vocabulary"] = draw(st.sampled_from((10, 20, 30)))
    if family != "gpt":
        both |= {"hidden": 12}
        parent["text_width"] = 6
        child["text_width"] = draw(st.sampled_from((6, 8, 12)))
        child["tokens"] = draw(st.sampled_from((5, 7)))
    if family == "vit":
        parent["time_width"] = 8
        child["time_width"] = draw(st.sampled_from((8, 10, 16)))
    return Case(family, parent, child, both, ", ".join(rules))


@st.composite
def us(draw: st.DrawFn) -> Case:
    """A U that grows in the widths of its places, its depth and its core."""
    family = draw(st.sampled_from(("unet", "wavelet")))
    skips = draw(st.sampled_from(("block", "level", "none")))
    parent, child = draw(_attention())
    for place in ("outer", "inner"):
        parent[place], child[place] = draw(_channels())
    rules = [f"widen(exact, break = {draw(st.sampled_from(BREAKS))})"]
    repeats = 1 if skips == "level" else draw(st.integers(1, 2))
    parent["repeats"] = child["repeats"] = repeats
    if skips != "level" and draw(BOOLS):
        child["repeats"] = repeats + 1
        rules.append(draw(_deepening()))
    return Case(family, parent, child, {"norm": draw(NORMS), "skips": skips}, ", ".join(rules))


def next_generation(case: Case) -> Case:
    """The child of a case grows once more, as much as it grew."""
    more: dict[str, Value] = dict(case.child)
    for name in ("width", "heads", "outer", "inner", "text_width"):
        if name in more:
            more[name] = int(more[name]) * 2
    return replace(case, parent=case.child, child=more)


@st.composite
def _attention(draw: st.DrawFn) -> tuple[dict[str, Value], dict[str, Value]]:
    heads, head = draw(st.sampled_from((1, 2, 3))), draw(st.sampled_from((2, 4, 6)))
    more = heads + draw(st.integers(0, 3))
    wider = head + draw(st.sampled_from((0, 0, 1, 2, 4, 6)))
    return (
        {"heads": heads, "width": heads * head},
        {"heads": more, "width": more * wider},
    )


@st.composite
def _channels(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 12)) * draw(st.sampled_from((2, 4)))
    return n, n * draw(st.sampled_from((2, 2, 3, 4, 5))) // 2


def _mlps() -> st.SearchStrategy[float]:
    return st.sampled_from((1.0, 1.5, 2.0, 2.5, 3.0))


@st.composite
def _deepening(draw: st.DrawFn) -> str:
    how = draw(st.sampled_from(("interleave", "append", "prepend", "middle", "stack")))
    init = ", init = zero" if how == "stack" else draw(st.sampled_from(("", ", init = default")))
    return f"deepen({how}{init})"
