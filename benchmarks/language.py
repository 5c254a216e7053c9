"""The front end on a long spec: `check` and `fmt` against Lark's parser alone, and their growth."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from lark import Lark

from benchmarks.measuring import Result, ratio, result, show, taken
from growlang.checking import check
from growlang.syntax.grow import GRAMMAR
from growlang.tools.formatting import formatted

LINES = 20_000
SHORT = LINES // 4
PAIRS = 5


def spec(lines: int) -> str:
    """A clean spec of that many lines: params, blocks, one long pipe, recipes."""
    return "\n".join(
        [
            "grow 1",
            "param p0 = 64",
            *(f"param p{i} = p{i - 1} + {i} - {i}  # the same again" for i in range(1, lines // 4)),
            *_blocks(lines // 10),
            "model long {",
            "  image = image(64)",
            "  stem conv(64)",
            "  core @ 64 residual(64)",
            *(f"    | b{i}(p{i})" for i in range(lines // 10)),
            "  head conv(3)",
            "}",
            'data d = webdataset("pictures.tar")',
            *_recipes(lines // 18),
            f"param total = p{lines // 4 - 1}  # the last one",
            "train last { data = d  batch = total  phase main for 10 }",
            "",
        ]
    )


def _blocks(count: int) -> Iterator[str]:
    for i in range(count):
        yield f"block b{i}(width = p0) {{"
        yield "  residual(width) * 2 | residual(width, kernel = 3)"
        yield "}"


def _recipes(count: int) -> Iterator[str]:
    for i in range(count):
        yield f"train r{i} {{"
        yield "  data      = d.where(min(row.width, row.height) >= 512)"
        yield "  batch     = 8"
        yield "  optimizer = adamw(lr = 1e-4, betas = [0.9, 0.99])"
        yield "  phase frozen for 100k { freeze core.residual[0], stem  lr = 1e-4 }"
        yield f"  phase joint  for {i + 1} {{ lr_scale core = 0.5 }}"
        yield "}"


def measure() -> list[Result]:
    """Ratios of seconds in process, the garbage collector off as in the command."""
    gc.disable()
    with TemporaryDirectory() as folder:
        long, short = _written(Path(folder), LINES), _written(Path(folder), SHORT)
        text = long.read_text()
        lark = Lark(GRAMMAR.read_text(), parser="lalr", lexer="basic", propagate_positions=True)
        return [
            _compared("check", lambda: check(long), "Lark's parser", lambda: lark.parse(text), 3),
            _compared("fmt", lambda: formatted(long), "check", lambda: check(long), 2),
            _growth("check", lambda: check(short), lambda: check(long)),
            *_of_slips(Path(folder), lambda: check(long)),
        ]


def _of_slips(folder: Path, clean: Callable[[], object]) -> list[Result]:
    """The same for specs with a typo in each line, of which a thousand are reported."""
    short, long = folder / "short_slips.grow", folder / "long_slips.grow"
    for path, lines in ((short, SHORT), (long, LINES)):
        path.write_text("grow 1\n" + "param a 3  # with no sign\n" * lines)
        assert check(path).diagnostics
    slips = "check of typos"
    return [
        _compared(slips, lambda: check(long), "check of a clean spec", clean, 1),
        _growth(slips, lambda: check(short), lambda: check(long)),
    ]


def _written(folder: Path, lines: int) -> Path:
    """A spec in a file, with no findings."""
    path = folder / f"{lines}.grow"
    path.write_text(spec(lines))
    assert check(path).diagnostics == ()
    return path


def _compared(
    name: str, work: Callable[[], object], other: str, baseline: Callable[[], object], most: float
) -> Result:
    pairs = [(taken(work), taken(baseline)) for _ in range(PAIRS)]
    return ratio(f"{name} of {LINES:,} lines / {other}", pairs, most)


def _growth(what: str, short: Callable[[], object], long: Callable[[], object]) -> Result:
    """How much more a line costs in the longer file: 1 is linear."""
    factor = LINES / SHORT
    found = [taken(long) / taken(short) / factor for _ in range(PAIRS)]
    name = f"{what}, a line of {LINES:,} / a line of {SHORT:,}"
    return result(name, found, "x", 1.3, f"{PAIRS} pairs; 1 is linear")


if __name__ == "__main__":
    show(measure())
