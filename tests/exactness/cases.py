"""Cases of growth as data: two sets of params of one family of specs, and the rules between."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from growlang.checking import Checked, Report, check

FAMILIES = Path(__file__).parents[1] / "fixtures" / "exactness"
TABLE = FAMILIES / "table.toml"
"""The rows of the table of exactness."""

Value = int | float | bool | str
Expected = Literal["exact", "eps", "inexact", "dead", "incomparable", "impossible"]


@dataclass(frozen=True)
class Case:
    """A growth: from a family of specs with params to one with other params."""

    family: str
    """A file beside the table: the parent, and what the child declares."""
    parent: Mapping[str, Value] = field(default_factory=dict)
    child: Mapping[str, Value] = field(default_factory=dict)
    both: Mapping[str, Value] = field(default_factory=dict)
    by: str = "widen(exact)"
    into: str = ""
    """The family of the child, where it is another."""
    only: tuple[str, ...] = ()
    """The components that grow by rules of their own, `core: deepen(append)`."""
    op: str = ""
    what: str = ""
    expected: Expected = "exact"
    above: float = 1e-3
    """What the error is above where it is not exact."""
    below: float = 10.0
    """What it is below then."""

    @property
    def texts(self) -> dict[str, str]:
        """The params of the child as `check` takes them."""
        return _texts({**self.both, **self.child})

    @property
    def title(self) -> str:
        """The row of the table."""
        return f"{self.op}: {self.what}"


def cases() -> list[Case]:
    """The rows of the table."""
    rows = tomllib.loads(TABLE.read_text())["row"]
    return [Case(**row | {"only": tuple(row.get("only", ()))}) for row in rows]


def write(case: Case, folder: Path, parent: Path | None = None, name: str = "child") -> Path:
    """The child's spec: what its family declares, that grows from the parent's by the rules.

    `parent` is a spec of the family of the case, by default the family itself.
    """
    parent = parent or FAMILIES / f"{case.family}.grow"
    text = (FAMILIES / f"{case.into or case.family}.grow").read_text()
    head, _, body = text.partition("\nmodel ")
    _, _, declared = body.partition(" {\n")
    given = _given({**case.both, **case.parent})
    own = {c.partition(":")[0]: c.partition(":")[2].strip() for c in case.only}
    statements = [f"  grow {name} by {rules}" for name, rules in own.items()]
    if rest := [c for c in components(case) if c not in own]:
        statements.append(f"  grow {', '.join(rest)} by {case.by}")
    grows = f'grows "{parent}"{given and f" ({given})"}'
    path = folder / f"{name}.grow"
    lines = "\n".join(statements)
    path.write_text(f"{head}\nmodel {name} {grows} {{\n{lines}\n{declared}")
    return path


def components(case: Case) -> list[str]:
    """The components that both declare and that have tensors or positions, as selectors."""
    one, other = (net(case, side).net for side in ("parent", "child"))
    shared = {c.name for c in one.components} & {c.name for c in other.components}
    return [c.name.selector for c in one.components if c.name in shared]


def net(case: Case, side: Literal["parent", "child"]) -> Checked:
    """The parent or the child alone, as if neither grew."""
    params = case.parent if side == "parent" else case.child
    family = case.family if side == "parent" else case.into or case.family
    return _alone(family, tuple(_texts({**case.both, **params}).items()))


@lru_cache(maxsize=256)
def _alone(family: str, params: tuple[tuple[str, str], ...]) -> Checked:
    path = FAMILIES / f"{family}.grow"
    return check(path, dict(params)).require(path)


def report(case: Case, folder: Path) -> Report:
    """What `growlang check` says of the child."""
    return check(write(case, folder), case.texts, parent=net(case, "parent"))


def _texts(values: Mapping[str, Value]) -> dict[str, str]:
    return {name: _literal(value) for name, value in values.items()}


def _given(values: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} = {_literal(value)}" for name, value in values.items())


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def by_op(rows: Iterable[Case]) -> dict[str, list[Case]]:
    """The rows of each op, in order."""
    found: dict[str, list[Case]] = {}
    for row in rows:
        found.setdefault(row.op, []).append(row)
    return found
