"""One Python file of the definitions of many modules: read from their sources, never imported.

From some names on, what they use is followed through the modules' own imports. What is taken keeps
its text; imports of other packages are gathered at the top. Left out are annotations by classes of
the compiler, methods that are not wanted, and decorators that are its own.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from growlang.diagnostics import GrowlangError

OWN = ("growlang", "growlang_runtime")
COMPILER = tuple(f"growlang.{room}" for room in ("net", "ops", "spec", "signatures", "plans"))
"""Where classes are declarations, which mean nothing without the compiler."""


class Name(NamedTuple):
    """A name of a module."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Source:
    """A module's text, what it defines and what it imports, both by name."""

    lines: list[str]
    defined: Mapping[str, ast.stmt]
    notes: Mapping[str, ast.stmt]
    """The docstrings of constants."""
    imported: Mapping[str, Name]
    """What a name is in its own module; the name is empty for a module."""


@cache
def source(module: str) -> Source:
    """The source of an installed module. Raises GrowlangError if it has none."""
    spec = find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise GrowlangError(f"the source of the module {module} is not installed")
    text = Path(spec.origin).read_text(encoding="utf-8")
    tree = ast.parse(text)
    defined: dict[str, ast.stmt] = {}
    notes: dict[str, ast.stmt] = {}
    imported: dict[str, Name] = {}
    last = ""
    for node in tree.body:
        if isinstance(node, ast.Expr) and last:
            notes[last] = node
        last = ""
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            last = _targets(node)[0]
            defined |= dict.fromkeys(_targets(node), node)
        elif isinstance(node, ast.Import):
            imported |= {a.asname or a.name: Name(a.name, "") for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            imported |= {a.asname or a.name: _of(node.module or "", a.name) for a in node.names}
    return Source(text.splitlines(), defined, notes, imported)


def _targets(node: ast.stmt) -> list[str]:
    """The names that an assignment of a module defines, several of `A, B = 1, 2`."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", node)
    found = [part.id for part in ast.walk(target) if isinstance(part, ast.Name)]
    return found if isinstance(node, ast.Assign | ast.AnnAssign) else []


def _of(module: str, name: str) -> Name:
    """What `from module import name` gives: a module, or something in it."""
    inside = find_spec(module)
    is_package = inside is not None and inside.submodule_search_locations is not None
    if module.split(".")[0] in OWN and is_package and find_spec(f"{module}.{name}"):
        return Name(f"{module}.{name}", "")
    return Name(module, name)


@dataclass
class Flat:
    """The text of definitions, and the imports that they need; `add` takes more of them."""

    own: tuple[str, ...] = OWN
    """Packages whose definitions are taken; those of others are imported."""
    bases: Mapping[str, str] = field(default_factory=dict)
    """Other base classes than those that are written, by name."""
    without: frozenset[str] = frozenset()
    """Methods that are left out."""
    bare: frozenset[str] = frozenset()
    """Methods whose arguments have no annotations."""
    texts: dict[str, str] = field(default_factory=dict)
    imports: dict[str, Name] = field(default_factory=dict)
    taken: dict[str, Name] = field(default_factory=dict)

    def add(self, wanted: Name) -> str:
        """Take a definition with all that it uses; gives its name in the file.

        Raises GrowlangError for what cannot be taken: another thing has its name, or it uses a
        declaration of the compiler.
        """
        where = source(wanted.module)
        if wanted.name not in where.defined:
            found = where.imported.get(wanted.name)
            if found is None:
                raise GrowlangError(f"{wanted} is defined nowhere that can be read")
            return self._import(wanted.name, found)
        wanted = Name(wanted.module, next(iter(_targets(where.defined[wanted.name])), wanted.name))
        if (other := self.taken.setdefault(wanted.name, wanted)) != wanted:
            raise GrowlangError(f"{wanted} and {other} have one name: a flat file holds only one")
        if wanted.name in self.texts:
            return wanted.name
        node = where.defined[wanted.name]
        if isinstance(node, ast.ClassDef) and wanted.module.startswith(COMPILER):
            raise GrowlangError(f"{wanted} is a declaration of the compiler")
        self.texts[wanted.name] = ""  # in work: functions may use each other
        edits = _Edits(self, wanted.module, node)
        text = edits.text()
        del self.texts[wanted.name]
        if note := where.notes.get(wanted.name):
            text += "\n" + _segment(where.lines, note)
        self.texts[wanted.name] = text
        return wanted.name

    def resolve(self, module: str, name: str) -> None:
        """Take what a name means in a module; what only Python knows needs nothing."""
        where = source(module)
        if name in where.defined or name in where.imported:
            self.add(Name(module, name))
        elif not hasattr(builtins, name):
            raise GrowlangError(f"`{name}` in {module} is defined nowhere that can be read")

    def readable(self, module: str, name: str) -> bool:
        """Whether an annotation can keep a name."""
        where = source(module)
        found = where.imported.get(name, Name(module, name))
        if found.module.split(".")[0] not in self.own:
            return True
        node = source(found.module).defined.get(found.name)
        is_declared = isinstance(node, ast.ClassDef) and found.module.startswith(COMPILER)
        return node is not None and not is_declared

    def _import(self, name: str, found: Name) -> str:
        package = found.module.split(".")[0]
        if package in self.own:
            if not found.name:
                raise GrowlangError(f"the module {found.module} is used as a whole")
            return self.add(found)
        if (other := self.imports.setdefault(name, found)) != found:
            raise GrowlangError(f"`{name}` is imported from {found} and from {other}")
        return name

    def header(self) -> str:
        """The imports, as ruff sorts them."""
        return "\n\n".join(
            filter(None, (self._imports(installed=False), self._imports(installed=True)))
        )

    def _imports(self, installed: bool) -> str:
        plain, froms = [], dict[str, list[str]]()
        for name, found in self.imports.items():
            if (found.module.split(".")[0] in sys.stdlib_module_names) is installed:
                continue
            if not found.name:
                renamed = f" as {name}" if name != found.module else ""
                plain.append(f"import {found.module}{renamed}")
            else:
                renamed = f" as {name}" if name != found.name else ""
                froms.setdefault(found.module, []).append(f"{found.name}{renamed}")
        lines = [f"from {module} import {', '.join(sorted(n))}" for module, n in froms.items()]
        return "\n".join([*sorted(plain), *sorted(lines)])

    def body(self) -> str:
        """The definitions, each after those that it needs when it is made."""
        return "\n\n\n".join(self.texts.values())


class _Edits:
    """A definition's text without what is left out; what it uses is taken on the way."""

    def __init__(self, flat: Flat, module: str, node: ast.stmt) -> None:
        self.flat, self.module, self.node = flat, module, node
        self.lines = source(module).lines
        self.cuts: list[tuple[int, int, int, int, str]] = []
        """First line and column, last line and column, and what stands there instead."""

    def text(self) -> str:
        self._visit(self.node, bound=frozenset())
        lines = [*self.lines]
        for row, column, end, last, instead in sorted(self.cuts, reverse=True):
            joined = lines[row][:column] + instead + lines[end][last:]
            lines[row : end + 1] = [joined] if joined.strip() else []
        first = min([self.node.lineno, *(d.lineno for d in _decorators(self.node))]) - 1
        behind = len(self.lines) - (self.node.end_lineno or 0)
        kept = lines[first : len(lines) - behind]
        while kept and not kept[0].strip():
            kept.pop(0)
        return "\n".join(_tidy(kept))

    def _cut(self, first: tuple[int, int], last: tuple[int, int], instead: str = "") -> None:
        (row, column), (end, stop) = first, last
        column = len(self.lines[row - 1].encode()[:column].decode())
        stop = len(self.lines[end - 1].encode()[:stop].decode())
        self.cuts.append((row - 1, column, end - 1, stop, instead))

    def _visit(self, node: ast.AST, bound: frozenset[str]) -> None:
        match node:
            case ast.ClassDef():
                self._class(node, bound)
            case ast.FunctionDef() | ast.Lambda():
                self._function(node, bound)
            case ast.AnnAssign():
                self._annotation(node, bound)
            case ast.Name(id=name, ctx=ast.Load()):
                if name not in bound:
                    self.flat.resolve(self.module, name)
            case _:
                for child in ast.iter_child_nodes(node):
                    self._visit(child, bound)

    def _class(self, node: ast.ClassDef, bound: frozenset[str]) -> None:
        for decorator in node.decorator_list:
            self._decorator(decorator, bound)
        for base in node.bases:
            written = ast.unparse(base)
            if written in self.flat.bases:
                at = (base.end_lineno or 0, base.end_col_offset or 0)
                self._cut((base.lineno, base.col_offset), at, self.flat.bases[written])
            else:
                self._visit(base, bound)
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name in self.flat.without:
                first = min([part.lineno, *(d.lineno for d in part.decorator_list)])
                self._cut((first, 0), (part.end_lineno or 0, part.end_col_offset or 0))
            else:
                self._visit(part, bound)

    def _function(self, node: ast.FunctionDef | ast.Lambda, bound: frozenset[str]) -> None:
        inner = bound | frozenset(_bound(node))
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        arguments += [a for a in (node.args.vararg, node.args.kwarg) if a]
        bare = isinstance(node, ast.FunctionDef) and node.name in self.flat.bare
        for argument in arguments:
            if argument.annotation is not None:
                after = (argument.lineno, argument.col_offset + len(argument.arg.encode()))
                self._annotate(argument.annotation, after, bound, bare)
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self._visit(default, bound)
        if isinstance(node, ast.Lambda):
            self._visit(node.body, inner)
            return
        for decorator in node.decorator_list:
            self._decorator(decorator, bound)
        if node.returns is not None and not self._keeps(node.returns, bound):
            self._cut(_before(self.lines, node.returns, "->"), _end(node.returns))
        for statement in node.body:
            self._visit(statement, inner)

    def _decorator(self, node: ast.expr, bound: frozenset[str]) -> None:
        if ast.unparse(node).split("(")[0] == "builds":
            self._cut((node.lineno, node.col_offset - 1), _end(node))
        else:
            self._visit(node, bound)

    def _annotation(self, node: ast.AnnAssign, bound: frozenset[str]) -> None:
        """Of an assignment; one without a value is a field, which is nothing else."""
        if node.value is None:
            self._visit(node.annotation, bound)
        else:
            self._annotate(node.annotation, _end(node.target), bound, bare=False)
            self._visit(node.value, bound)
        self._visit(node.target, bound)

    def _annotate(
        self, node: ast.expr, after: tuple[int, int], bound: frozenset[str], bare: bool
    ) -> None:
        if bare or not self._keeps(node, bound):
            self._cut(after, _end(node))

    def _keeps(self, node: ast.expr, bound: frozenset[str]) -> bool:
        """Whether all names of an annotation are known in the file, where they are then taken."""
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - bound
        if not all(hasattr(builtins, n) or self.flat.readable(self.module, n) for n in names):
            return False
        for name in sorted(names):
            self.flat.resolve(self.module, name)
        return True


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a function binds: arguments, assignments, imports, functions of its own.

    Its own name is none of them: in a method that is another thing.
    """
    for part in ast.walk(node):
        if part is node:
            continue
        match part:
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (a.asname or a.name.split(".")[0] for a in names)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name


def _decorators(node: ast.stmt) -> Iterable[ast.expr]:
    return node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else ()


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def _before(lines: list[str], node: ast.expr, sign: str) -> tuple[int, int]:
    """Where a sign before a node begins, with the space before it; on the node's first line."""
    before = lines[node.lineno - 1].encode()[: node.col_offset].decode()
    return node.lineno, len(before[: before.rindex(sign)].rstrip().encode())


def _segment(lines: list[str], node: ast.stmt) -> str:
    return "\n".join(lines[node.lineno - 1 : node.end_lineno])


def _tidy(lines: list[str]) -> Iterator[str]:
    """Lines with at most one empty one in a row, and none at the end of a class."""
    last = ""
    for line in "\n".join(lines).rstrip().split("\n"):
        if line.strip() or last.strip():
            yield line
        last = line
