"""Whether the tensors of a file are those of a net, and what is the matter where they are not.

Every path by which weights come in (`train`, `sample`, `diff`, `--resume`) asks `require_fit`,
before any tensor is loaded.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from math import prod
from pathlib import Path
from typing import NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.diagnostics.literals import dimensions, shown
from growlang.net import Net
from growlang.plans.tensor_file import Header, Layout, nonfinite

EXACT, WIDENED = "F32", ("F16", "BF16")
"""The dtype of a net's tensors, and those of which every value is one of F32 too."""
SHOWN = 3
"""Tensors of each kind that a message names; of the rest it gives the number."""


class Part(NamedTuple):
    """Tensors of a file that belong to a net's: their names begin with `prefix`."""

    prefix: str = ""
    whole: bool = True
    """Whether each tensor of the net has one."""


MODEL = (Part(),)
"""The parts of a file of weights."""
TRAINING = (
    Part("model."),
    Part("ema."),
    Part("moment.first.", whole=False),
    Part("moment.second.", whole=False),
)
"""The parts of a checkpoint's file, beside what growth left along the axes of tensors, and what
optimizers other than Adam keep: `moment.KIND.NAME`, where a tensor has it."""
BOTH = ("moment.first.", "moment.second.")
KEPT = re.compile(r"moment\.[a-z0-9_]+\.")
GROWN = ("step", "eps", "born", "ema")
"""What growth leaves along axes: factors of steps and of eps, and the counts of updates, by the
optimizer and of averages, at which places came. `grown.PART.AXIS.NAME` has a number a place."""
WRAPPERS = {
    "module.": "DataParallel and DistributedDataParallel add it",
    "_orig_mod.": "torch.compile adds it",
    "_fsdp_wrapped_module.": "FullyShardedDataParallel adds it",
    "_forward_module.": "Lightning Fabric adds it",
}
"""What wraps a module, by what it puts into the names of its tensors."""

DEEPEST = 20
"""Dots of a name that a prefix is looked for at."""


def averages_in(names: Iterable[str]) -> list[str]:
    """The prefixes of the averages among the tensors of a checkpoint, in order.

    `ema.`, or `ema.0.`, `ema.1.` and so on where it has several: no component's name is a number.
    """
    found = {match[1] for name in names if (match := re.match(r"ema\.(\d+)\.", name))}
    return [f"ema.{number}." for number in sorted(found, key=int)] or ["ema."]


Shapes = Mapping[str, tuple[int, ...]]


class Difference(NamedTuple):
    """One kind of what does not fit, and a line on each tensor of that kind."""

    kind: str
    lines: list[str]

    def __str__(self) -> str:
        listed = ", ".join(self.lines[:SHOWN])
        more = len(self.lines) - SHOWN
        return f"{len(self.lines):,} {self.kind}: {listed}" + (
            f" and {more:,} more" if more > 0 else ""
        )


def require_fit(
    path: Path, header: Header, net: Net, parts: Collection[Part] = MODEL, whose: str = ""
) -> str:
    """Hold a file's tensors to a net: names, shapes, dtypes, and whether each value is finite.

    Returns what is to be told of a file that fits: that its tensors are widened; "" if they are
    not. `whose` says whose net it is, where not the file's own. A header without a length is that
    of several files, whose values were looked at when they were written. Raises GrowlangError, with
    the first differences and their likely cause, if the file does not fit.
    """
    wanted = _wanted(net, parts, header.tensors)
    given = {name: layout.shape for name, layout in header.tensors.items()}
    found = [*differences(given, wanted), *_dtypes(header.tensors)]
    if found:
        cause, help = _cause(path, header, wanted, [d.kind for d in found])
        raise GrowlangError(
            f"the tensors of {path} do not fit {whose or f'the net {net.name} that it names'}:"
            + "".join(f"\n  {difference}" for difference in found)
            + (f"\n  likely cause: {cause}" if cause else ""),
            help=help,
        )
    if header.length:
        require_finite(path, header)
    widened = sorted({t.dtype for t in header.tensors.values()} - {EXACT})
    return f"{path} is in {' and '.join(widened)}, which is widened to F32" if widened else ""


def require_finite(path: Path, header: Header) -> None:
    """Raise GrowlangError, with the tensors' names, if a file holds NaN or infinity."""
    broken = list(nonfinite(path, header))
    if broken:
        kind = f"of {len(header.tensors):,} tensors"
        raise GrowlangError(
            f"the weights in {path} are not finite: NaN or infinity is in "
            f"{Difference(kind, [f'`{name}`' for name in broken])}",
            help="take weights from before the training broke down, such as an older checkpoint, "
            "or train again with a lower learning rate",
        )


def differences(given: Shapes, wanted: Shapes) -> list[Difference]:
    """What of the names and shapes differs, by kind."""
    missing = [f"{shown(n)} {dimensions(s)}" for n, s in wanted.items() if n not in given]
    extra = [f"{shown(n)} {dimensions(s)}" for n, s in given.items() if n not in wanted]
    shapes = [
        f"{shown(n)} is {dimensions(given[n])} and not {dimensions(s)}{_relation(given[n], s)}"
        for n, s in wanted.items()
        if n in given and given[n] != s
    ]
    kinds = {"missing": missing, "not in the net": extra, "of another shape": shapes}
    return [Difference(kind, lines) for kind, lines in kinds.items() if lines]


def _relation(given: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """How a shape may have come about."""
    if len(given) > 1 and given == wanted[::-1]:
        return " (transposed)"
    if prod(given) == prod(wanted):
        return " (reshaped)"
    behind = wanted[len(wanted) - len(given) :]
    if len(given) <= len(wanted) and all(g in (1, w) for g, w in zip(given, behind, strict=True)):
        return " (it would be broadcast)"
    return ""


def _wanted(net: Net, parts: Iterable[Part], names: Collection[str]) -> Shapes:
    """The shapes by name that a file must hold; a tensor has both moments of Adam, or none."""
    shapes = {tensor.name: tensor.shape for tensor in net.tensors()}
    parts = [*parts]
    if parts[1:]:
        kept = {found.group() for name in names if (found := KEPT.match(name))}
        parts = [part for part in parts if part.prefix != "ema."]
        parts += map(Part, averages_in(names))
        parts += [Part(k, whole=False) for k in sorted(kept - {part.prefix for part in parts})]
    has = {part.prefix: {n for n in shapes if part.prefix + n in names} for part in parts}
    both = set[str]().union(*(has.get(prefix, ()) for prefix in BOTH))
    wanted = {
        part.prefix + name: shape
        for part in parts
        for name, shape in shapes.items()
        if part.whole or name in (both if part.prefix in BOTH else has[part.prefix])
    }
    return {**wanted, **(_along(shapes, names) if parts[1:] else {})}


def _along(shapes: Shapes, names: Collection[str]) -> Shapes:
    """The shapes of what growth left along axes: all axes of a tensor, or none."""
    given = {tuple(n.split(".", 3)) for n in names if n.startswith("grown.")}
    found = {(key[1], key[3]) for key in given if len(key) == 4}
    return {
        f"grown.{part}.{axis}.{name}": (side,)
        for part, name in found
        if part in GROWN and name in shapes
        for axis, side in enumerate(shapes[name])
    }


def _dtypes(tensors: Mapping[str, Layout]) -> list[Difference]:
    others = [
        f"{shown(name)} is {layout.dtype}"
        for name, layout in tensors.items()
        if layout.dtype not in (EXACT, *WIDENED)
    ]
    return [Difference("not F32, F16 or BF16", others)] if others else []


def _cause(path: Path, header: Header, wanted: Shapes, kinds: list[str]) -> tuple[str, str]:
    """The likely cause of what does not fit, and what to do about it."""
    extra = [name for name in header.tensors if name not in wanted]
    for prefix in _prefixes(extra, wanted):
        return _prefixed(path, header, prefix, wanted)
    for wrapper, what in WRAPPERS.items():
        if len({name.replace(wrapper, "") for name in extra} & wanted.keys()) * 2 > len(extra) > 0:
            cause = f"`{wrapper}` is in the names; {what}"
            return cause, _rewrite("take it out", path, f'k.replace({_text(wrapper)}, "")')
    alien = not header.tensors.keys() & wanted.keys()
    for prefix in _prefixes(wanted, extra) if alien else ():
        return f"they are the tensors of `{prefix[:-1]}` alone", HELP
    if re.search(r"-\d+-of-\d+$", path.stem):
        return "the file is one of several that hold the weights together", HELP
    if kinds == ["not in the net"] and len(extra) <= SHOWN:
        return "", _rewrite("leave them out", path, "k", f"k not in {_text(extra)}")
    if kinds == ["not F32, F16 or BF16"]:
        if {t.dtype for t in header.tensors.values()} <= {"F64", EXACT, *WIDENED}:
            return "", _rewrite("round them", path, "k", change=".float()")
        return "numbers that stand for weights (quantised, or indices) are not weights", HELP
    if alien:
        return "the file is from another net or another library", HELP
    return "", HELP


HELP = "name weights that `growlang train` wrote for this net"


def _prefixes(longer: Iterable[str], shorter: Collection[str]) -> Iterator[str]:
    """What to take from the front of longer names, most of all, to get most of the shorter ones.

    The averages come first where there are several, as in a checkpoint.
    """
    votes = Counter(
        name[: dot.end()]
        for name in longer
        for dot in islice(re.finditer(r"\.", name), DEEPEST)
        if name[dot.end() :] in shorter
    )
    best = max(votes.values(), default=0)
    if best * 2 > len(shorter):
        found = [prefix for prefix, count in votes.items() if count == best]
        yield from sorted(found, key=lambda prefix: "ema" not in prefix)


def _prefixed(path: Path, header: Header, prefix: str, wanted: Shapes) -> tuple[str, str]:
    """The cause, and the way out, where names have a prefix."""
    if any(name.startswith("moment.first.") for name in header.tensors):
        cause = "it is the full-state file of a checkpoint, outside its folder"
    else:
        first = re.match(r"[^.]*\.", prefix)
        what = WRAPPERS.get(first.group() if first else "")
        cause = f"the names begin with `{prefix}`" + (f"; {what}" if what else "")
    own = {n.removeprefix(prefix): t for n, t in header.tensors.items() if n.startswith(prefix)}
    left = differences({name: layout.shape for name, layout in own.items()}, wanted)
    if left:
        cause += "; without it, " + "; ".join(map(str, left))
    text = _text(prefix)
    return cause, _rewrite("strip it", path, f"k.removeprefix({text})", f"k.startswith({text})")


def _rewrite(verb: str, path: Path, name: str, condition: str = "True", change: str = "") -> str:
    """A command that writes the file's tensors again, with its metadata, as the verb says."""
    new = path.with_name(f"{path.stem}_fixed.safetensors")
    code = (
        "import safetensors, safetensors.torch; "
        f'f = safetensors.safe_open({_text(str(path))}, "pt"); '
        f"t = {{{name}: f.get_tensor(k){change} for k in f.keys() if {condition}}}; "
        f"safetensors.torch.save_file(t, {_text(str(new))}, f.metadata())"
    )
    return f"{verb}, and name {new} instead: {shlex.join(['python', '-c', code])}"


def _text(value: object) -> str:
    """A text or a list as Python writes it, in double quotes: the shell's are the single ones."""
    return json.dumps(value, ensure_ascii=False)
