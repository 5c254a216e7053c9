"""The reference of the commands, from the command line itself."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from console import checkout, printed
from typer.models import ArgumentInfo

from growlang.cli import COMMANDS

EXAMPLES = {
    "check": "growlang check specs/ --output-format concise",
    "explain": "growlang explain",
    "fmt": "growlang fmt specs/ --check --diff",
    "convert": "growlang convert examples/emoji/emoji_64.grow --to yaml",
    "show": "growlang show examples/emoji/core_32.grow --resolved --origin",
    "compile": "growlang compile examples/emoji/emoji_64.grow --no-build",
    "pack": "growlang pack shapes --label folder --holdout 10%",
    "diff": "growlang diff examples/emoji/core_32.grow examples/emoji/emoji_64.grow",
    "runs": "growlang runs",
    "compare": "growlang compare runs/grown_16/carry runs/grown_16/main",
    "report": "growlang report runs/core_8/main runs/grown_16/carry -o page.html",
}
"""A command line for each command whose output is the same everywhere; it is run."""
RECORDED = {
    "init": """\
$ growlang init --data shapes --budget 10 --yes
shapes: 100 images, 64 px, 100 different captions
width 64, depth 2: 0.0875 s a step
width 128, depth 2: 0.181 s a step
width 128, depth 3: 0.175 s a step
width 192, depth 4: 0.246 s a step
width 256, depth 6: 0.481 s a step
grown to 64 px: 0.208 s a step
wrote core_32.grow and shapes_64.grow; next:
growlang train core_32.grow --threads auto
growlang train shapes_64.grow --threads auto
growlang sample runs/shapes_64/main""",
    "schema": "$ growlang schema > grow-1.json",
    "lsp": "$ growlang lsp        # an editor starts it, and talks to it over stdin and stdout",
    "grow": """\
$ growlang grow small/model.safetensors large.grow -o large
large grows from small: small/model.safetensors

   component  outcome   tensors  parameters  reason
=  time       copied          4       8,320  kept: large.grow:6:8
~  stem       expanded        2       3,136  grown by widen, deepen: large.grow:7:8
=  core       copied          2          32  grown by widen, deepen: large.grow:7:14
~             expanded       27     153,504  grown by widen, deepen: large.grow:7:14
=  head       copied          1          48  grown by widen, deepen: large.grow:7:20
~             expanded        3       3,200  grown by widen, deepen: large.grow:7:20

Tensors (parameters): 7 copied (8.4 k), 32 expanded (159.8 k)

grown  same function
stem   exact
core   exact
head   exact

Bytes: 32.81 KiB copied, 624.4 KiB computed
large: model.safetensors""",
    "verify": """\
$ growlang verify examples/own_loop/large.grow
large grows from small

component  verdict  reason
time       kept
stem       exact
core       exact
head       exact

promise    place                             measured    limit  holds  what is measured
accounted  all tensors                              0        0  yes    tensors left out
kept       time                                     0        0  yes    tensors that differ
kept       core                                     0        0  yes    tensors that differ
kept       head                                     0        0  yes    tensors that differ
component  time                               0.0e+00        0  yes    |child - parent| / |parent|
function   large                              7.8e-16  1.0e-10  yes    |child - parent| / |parent|
rounding   large                              4.6e-07  3.3e-06  yes    the same in float32; the parent's own: 4.1e-07
adjoint    core.transformer.0.mlp.down.bias   2.3e-14  1.0e-10  yes    |g_old - T^T g_new| / |g_old|
gradient   all new parts                            0        0  yes    entries without one in 3 steps; 64 can have none, in core.transformer.1.mlp.down.bias
parting    core                                     0        0  yes    rows that stay equal
parting    head                                     0        0  yes    rows that stay equal
parting    stem                                     0        0  yes    rows that stay equal

All 12 promises hold.""",  # noqa: E501
    "plan": """\
$ growlang plan examples/emoji/emoji_64.grow -o plan.json
emoji_64, recipe main, grown from core_32
...
pinned in plan.json; train it: growlang train --plan plan.json""",
    "train": """\
$ growlang train examples/emoji/core_32.grow
pretrain  step 10/1000  loss 1.2704  32.2 images/s  data wait 5%  0.43 GiB
pretrain  step 20/1000  loss 0.4326  25.1 images/s  data wait 2%  0.43 GiB  10:23 left
...
pretrain  step 1000/1000  loss 0.0142  108.5 images/s  data wait 2%  0.48 GiB  0:00 left
finished: runs/core_32/main/model.safetensors""",
    "sample": """\
$ growlang sample runs/core_32/main
grid.png
$ growlang sample runs/core_32/main --prompt "red apple" --prompt rocket --each pictures
pictures/000-red-apple.png
pictures/001-rocket.png""",
    "export": """\
$ growlang export runs/core_32/main --to diffusers -o core_32 --license mit
core_32
$ growlang export runs/core_32/main@20k --to safetensors -o core_32.safetensors --dtype bf16
core_32.safetensors
core_32.grow
$ growlang export gpt2.safetensors --to hf -o gpt2_again --like gpt2
gpt2_again""",
    "average": """\
$ growlang average runs/core_32/main --width 0.075 -o narrower.safetensors
narrower.safetensors
step 20,000, of 16 averages; its profile differs from that of `power` by 0.012 of its length""",
    "import": """\
$ growlang import hf gpt2 --as specs/gpt2_small.grow -o gpt2.safetensors
gpt2.safetensors
148 tensors of the spec, each from the checkpoint
12 left out, such as `h.0.attn.bias`: the causal mask, which is no parameter""",
    "evaluate": """\
$ growlang evaluate runs/core_32/main --metric held_out_loss --metric 'fd_efflite0(dimensions = 64)' --count 200
runs/core_32/main, step 400
metric          value  floor  images  real  better
held_out_loss  0.1089                       lower
fd_efflite0     8.646  1.156     200   200  lower
protocol
...""",  # noqa: E501
}
"""What was seen on one machine."""
EXITS = {
    "init": (
        "0: both specs are written. 2: something was not given and there is no terminal to ask, "
        "the data cannot be read, the device is not there, or a spec exists already."
    ),
    "check": "0: no errors (there may be warnings). 1: errors.",
    "explain": "0. 2: no such code.",
    "fmt": "0. 1: a file does not parse, or, with `--check` and `--diff`, would change.",
    "convert": (
        "0. 1: the spec does not parse. 2: the output already exists, or there is no schema at "
        "the path in `--schema`."
    ),
    "show": "0. 1: the spec has errors.",
    "schema": "0.",
    "lsp": "0 when the editor stops it. 2: `growlang[lsp]` is not installed.",
    "compile": (
        "0. 1: the spec has errors, or a phase does not fit `--memory`. 2: PyTorch is not "
        "installed and `--no-build` not given, a device would get no image, or the page exists."
    ),
    "diff": (
        "0. 1: a spec has errors, or, with `--exit-code`, the nets or weights differ. 2: the page "
        "of `--html` exists, and `--force` is not given."
    ),
    "grow": (
        "0: the checkpoint is written. 1: the spec has errors. 2: the weights are damaged, or not "
        "those of the spec's parent, or the folder holds something else. 12: the disk is full; "
        "everything is as it was. 13: another process writes the folder."
    ),
    "verify": (
        "0: every promise holds. 1: one does not, or the spec has errors. 2: the model has no "
        "parent, the weights are not the parent's, or there is no such device."
    ),
    "pack": (
        "0. 2: an image, caption or label cannot be used, or the shards exist. 130: stopped; the "
        "same command goes on."
    ),
    "plan": (
        "0. 1: the spec has errors. 2: the weights are not the parent's, or, with `-o`, the data "
        "cannot be read or the file exists."
    ),
    "train": (
        "0: finished. 1: the spec has errors. 2: the run could not start, or failed. 10: its spec, "
        "its data or its start weights have changed, since the run began or since the plan. "
        "11: NaN or infinity. 12: the disk is full. "
        "13: another process trains in its folder. 130, 143: stopped by a signal, after saving a "
        "checkpoint. [Clusters](../clusters.md#exit-codes) says what to do about each."
    ),
    "sample": "0. 2: no such run, or a prompt that the model cannot read.",
    "average": (
        "0. 2: no such run, it keeps no power-function average, the width is out of range, or the "
        "output exists."
    ),
    "import": (
        "0. 1: the spec has errors. 2: a tensor, a shape or a setting does not fit the spec, the "
        "folder cannot be read, or the output exists."
    ),
    "export": "0. 2: no such run, the output exists, or the model cannot be written so.",
    "evaluate": (
        "0. 2: no such run, a metric needs more images than there are, or weights are missing. An "
        "evaluation that is stopped goes on when it is started again."
    ),
    "runs": (
        "0. 2: no such folder. With `--status`, 0: finished. 1: failed, or torn. 2: no such run. "
        "3: running. 4: interrupted, killed or stopped, to be resumed."
    ),
    "compare": "0. 2: one is no run, has no sample grids, or the output already exists.",
    "report": "0. 2: one is no run, or there is a file at the output that is no report.",
}


VALUES = {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}
"""What stands for the value of an option, by its type."""


class Parameter(NamedTuple):
    """An argument or option of a command, as the page shows it."""

    shown: str
    default: str
    meaning: str
    usage: str = ""
    """Its part of the usage line; empty for an option."""


def commands_page() -> str:
    """A section for each command: usage, arguments, options, exit codes, an example."""
    lines = [
        "# Commands\n",
        "Results go to standard output, progress and logs to standard error. Every command exits "
        "with 2 when it could not do its job (a file that is missing, a wrong option), with 12 "
        "when the disk is full, and says why in one message. `growlang COMMAND --help` prints what "
        "stands here.\n",
    ]
    _require_described()
    with checkout() as folder:
        for name, command in COMMANDS.items():
            lines += _section(name, command)
            example = RECORDED.get(name)
            if example is None:
                example = f"$ {EXAMPLES[name]}\n{printed(EXAMPLES[name], folder)}"
            lines.append(f"````console\n{example.strip()}\n````\n")
    return "\n".join(lines)


def _require_described() -> None:
    """Exit with a message where a command has no exit codes or no example here."""
    missing = [f"`{n}` in EXITS" for n in COMMANDS if n not in EXITS]
    missing += [f"`{n}` in EXAMPLES or RECORDED" for n in COMMANDS if n not in EXAMPLES | RECORDED]
    if missing:
        sys.exit(f"docs/commands.py: add {' and '.join(missing)}")


def _section(name: str, command: Callable[..., None]) -> Iterator[str]:
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    found = [_parameter(n, hints[n], p.default) for n, p in signature.parameters.items()]
    usage = [p.usage for p in found if p.usage]
    options = ["[OPTIONS]"] if len(usage) < len(found) else []
    yield f"## {name}\n"
    yield inspect.cleandoc(command.__doc__ or "") + "\n"
    yield f"`{' '.join(['growlang', name, *options, *usage])}`\n"
    if found:
        yield "| name | default | meaning |\n|---|---|---|"
        yield from (f"| {p.shown} | {p.default} | {p.meaning} |" for p in found)
        yield ""
    yield f"Exit codes. {EXITS[name]}\n"


def _parameter(name: str, hint: Any, default: Any) -> Parameter:
    """What typer makes of a parameter of the command's function."""
    kind, info = get_args(hint)[:2]
    if get_origin(kind) in (Union, UnionType):
        kind = next(k for k in get_args(kind) if k is not NoneType)
    many = get_origin(kind) is list
    kind = get_args(kind)[0] if many else kind
    required = default is inspect.Parameter.empty
    if isinstance(info, ArgumentInfo):
        shown = name.upper() + ("..." if many else "")
        usage = shown if required else f"[{shown}]"
        return Parameter(f"`{shown}`", "required" if required else "", info.help or "", usage)
    # In an annotation, typer keeps the first name where a default would stand.
    stated = [n for n in (info.default, *(info.param_decls or ())) if isinstance(n, str)]
    names = stated or [f"--{name.replace('_', '-')}"]
    value = ""
    if kind is bool:
        names = names if stated else [names[0], f"--no-{names[0][2:]}"]
    else:
        value = f" {info.metavar or _value(kind)}"
    shown = ", ".join(f"`{n}{value if n.startswith('--') else ''}`" for n in names)
    written = {True: "on", False: "", None: ""}.get(default, f"`{default}`")
    return Parameter(shown, "required" if required else written, info.help or "")


def _value(kind: type) -> str:
    """What stands for the value of an option of a type."""
    return "\\|".join(kind) if issubclass(kind, StrEnum) else VALUES[kind]
