"""`init`: from a folder of images to two specs that train in a budget."""

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from growlang.diagnostics import GrowlangError

if TYPE_CHECKING:
    from growlang.starting.seen import Seen

Data = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="A folder of images, with captions beside them or a folder for each class; or "
        "shards: a folder of them, or a pattern.",
    ),
]
Captions = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Table of a folder's captions and labels: CSV, TSV, JSONL or Parquet.",
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Side of the grown images, in pixels; the core's have half. By default what most "
        "images have, up to 64 on a CPU and 256 elsewhere.",
    ),
]
ConditionOption = Annotated[
    str | None,
    typer.Option(
        metavar="text|classes|none",
        help="What images are drawn for; by default their captions, or else their classes.",
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(metavar="MINUTES", help="Minutes that each of the two trainings may take."),
]
Device = Annotated[
    str | None, typer.Option(help="PyTorch device: auto, cpu, cuda, cuda:1, mps, ...")
]
Name = Annotated[
    str | None, typer.Option(help="Name of the grown model; by default that of the data.")
]
Out = Annotated[Path, typer.Option(help="Folder for the specs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults.")]
Force = Annotated[
    bool, typer.Option("--force", help="Replace the two specs if they are there; never shards.")
]

MINUTES = 10


def init(
    data: Data = None,
    captions: Captions = None,
    size: Size = None,
    condition: ConditionOption = None,
    budget: Budget = None,
    device: Device = None,
    name: Name = None,
    out: Out = Path(),
    yes: Yes = False,
    force: Force = False,
) -> None:
    """Make two specs for one's own images: a core and its growth.

    Each of them trains in a budget of minutes: steps are measured here to choose what fits. Asks
    for what is not given.
    """
    given = {"data": data, "size": size, "condition": condition, "budget": budget, "device": device}
    ask = _asker(given, yes)
    from growlang.api import preparing
    from growlang.starting.seen import Asked
    from growlang.torch_backend import require_torch

    require_torch("measuring a training step")
    from growlang.torch_backend.device import open_device
    from growlang_runtime.starting.looking import seen as look

    gc.enable()
    place = ask("data", "Folder of images, or shards", None, str)
    seen = look(place, out, captions)
    typer.echo(f"{place}: {describe(seen)}", err=True)
    chosen = ask("device", "Device", "auto", str)
    most = seen.size(open_device(chosen).type)
    asked = Asked(
        name=name or place,
        size=ask("size", "Side of the grown images, in pixels", most, _size),
        condition=ask("condition", "Drawn for: text, classes or none", seen.condition, _condition),
        minutes=ask("budget", "Minutes that each of two trainings may take", MINUTES, float),
        device=chosen,
    )
    started = preparing.begin(
        seen,
        asked,
        place,
        out,
        captions=captions,
        force=force,
        say=lambda line: typer.echo(line, err=True),
    )
    typer.echo(f"wrote {started.core} and {started.grown}; next:", err=True)
    for command in started.commands:
        typer.echo(command)


def _size(text: str) -> int:
    from growlang.starting.project import require_size

    require_size(int(text))
    return int(text)


def _condition(text: str) -> str:
    from growlang.starting.seen import require_condition

    return require_condition(text)


def describe(seen: "Seen") -> str:
    """What a set of images holds, in a line."""
    parts = [f"{seen.images:,} images, {seen.side} px"]
    if seen.captions:
        parts.append(f"{len(seen.captions):,} different captions")
    if seen.classes:
        parts.append(f"{len(seen.classes):,} classes")
    return ", ".join(parts)


Ask = Callable[[str, str, Any, Callable[[str], Any]], Any]
"""(option, question, default, what reads the answer) -> the answer."""


def _asker(given: dict[str, Any], yes: bool) -> Ask:
    """What answers for an option that is not given: the terminal, or its default with `--yes`.

    Raises GrowlangError, which names the options, where nobody can answer.
    """
    missing = [f"--{name}" for name, value in given.items() if value is None]
    if yes and "--data" in missing:
        raise GrowlangError(
            "--yes takes the defaults, but --data has none",
            help="give a folder of images or shards: --data PATH",
        )
    if missing and not yes and not sys.stdin.isatty():
        named = "--data PATH --yes" if "--data" in missing else "--yes"
        raise GrowlangError(
            f"there is no terminal on which to ask for {_listed(missing)}",
            help=f"give these options, or the defaults for all but the data: {named}",
        )

    def ask(name: str, question: str, default: Any, read: Callable[[str], Any]) -> Any:
        if given[name] is not None or yes:
            return given[name] if given[name] is not None else default
        return typer.prompt(question, default=default, err=True, value_proc=_again(read))

    return ask


def _again(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """What asks once more where an answer is refused."""

    def answer(text: str) -> Any:
        try:
            return read(text)
        except GrowlangError as error:
            raise typer.BadParameter(f"{error.message}; {error.help}") from None
        except ValueError:
            raise typer.BadParameter(f"`{text}` is no number") from None

    return answer


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
