from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fixture_specs import SHIPPED

ROOT = SHIPPED.parent
PACKAGES = {"growlang": ROOT / "growlang", "growlang_runtime": ROOT / "runtime/growlang_runtime"}
STDLIB = sys.stdlib_module_names


def loaded(code: str) -> set[str]:
    """The modules that are loaded once a fresh interpreter has run some code."""
    code = f"{code}\nimport sys\nprint(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.strip().split("\n")[-1].split())


@pytest.mark.parametrize("spec", ["vermeer_1024", "dit_xl_2"])
def test_check_loads_nothing_heavy(spec: str) -> None:
    modules = loaded(
        "import sys\nfrom growlang.cli import main\n"
        f"sys.argv = ['growlang', 'check', 'specs/{spec}.grow']\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
    )
    assert "growlang.checking" in modules
    heavy = {"torch", "networkx", "numpy", "rich", "transformers", "diffusers", "growlang_runtime"}
    assert modules & heavy == set()


def test_the_trainer_knows_no_syntax() -> None:
    modules = loaded("import growlang_runtime.train.training")
    assert "growlang.plans.plan" in modules
    assert {m for m in modules if m.startswith("growlang.syntax")} == set()
    assert "lark" not in modules


# --- the import table ----------------------------------------------------------------------------


@cache
def modules() -> dict[str, Path]:
    """Every module of the project by name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([package, *(p for p in parts if p != "__init__")])] = path
    return found


@cache
def imports(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a module imports when it is imported, and what it imports inside functions."""
    outer: set[str] = set()
    inner: set[str] = set()
    for node, inside in _statements(ast.parse(modules()[module].read_text()), False):
        (inner if inside else outer).update(_names(node))
    return frozenset(outer), frozenset(inner)


def _statements(tree: ast.AST, inside: bool) -> Iterator[tuple[ast.AST, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, inside
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _statements(node, inside or function)


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    assert isinstance(node, ast.ImportFrom)
    assert node.level == 0, "imports are absolute"
    assert node.module is not None
    below = {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in below if name in modules()} or {node.module}


def everything(module: str) -> frozenset[str]:
    outer, inner = imports(module)
    return outer | inner


def top(name: str) -> str:
    return name.split(".")[0]


def third_party(names: frozenset[str]) -> set[str]:
    return {top(n) for n in names} - set(STDLIB) - set(PACKAGES)


def project(names: frozenset[str]) -> set[str]:
    return {n for n in names if top(n) in PACKAGES}


def under(*prefixes: str) -> list[str]:
    return sorted(m for m in modules() if any(m == p or m.startswith(f"{p}.") for p in prefixes))


ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "version": (set(), set()),
    "diagnostics": (set(), {"version"}),
    "net": (set(), {"diagnostics"}),
    "syntax": ({"lark"}, {"diagnostics"}),
    "signatures": ({"pydantic"}, {"diagnostics"}),
    "ops": ({"pydantic"}, {"diagnostics", "net", "signatures"}),
    "rules": ({"pydantic"}, {"diagnostics", "net", "ops", "signatures"}),
    "spec": ({"pydantic"}, {"diagnostics", "net", "ops", "rules", "signatures", "syntax"}),
    "yaml": ({"pydantic", "yaml"}, {"diagnostics", "ops", "rules", "signatures", "spec", "syntax"}),
    "resolve": (
        {"pydantic"},
        {"diagnostics", "net", "ops", "rules", "signatures", "spec", "syntax", "yaml"},
    ),
    "build": ({"pydantic"}, {"diagnostics", "net", "ops", "resolve", "spec"}),
    "growth": (set(), {"diagnostics", "net", "ops", "resolve", "rules", "spec", "syntax"}),
    "growing": (set(), {"diagnostics", "growth", "net", "ops", "resolve", "rules"}),
    "plans": (
        {"pydantic", "pydantic_core"},
        {"diagnostics", "growth", "net", "ops", "resolve", "signatures", "spec", "syntax"},
    ),
    "torch_backend": (
        {"safetensors", "torch"},
        {"diagnostics", "growth", "net", "ops", "plans", "signatures"},
    ),
    "shown": ({"rich"}, {"tables"}),
    "applying": (set(), {"diagnostics", "growth", "shown", "tables", "torch_backend"}),
    "checking": (
        set(),
        {
            *("applying", "build", "diagnostics", "growing", "growth", "net", "plans", "resolve"),
            *("shown", "spec", "syntax", "tables"),
        },
    ),
    "planning": (set(), {"checking", "diagnostics", "growth", "plans", "resolve"}),
    "tables": ({"rich"}, {"diagnostics", "growth", "net", "plans"}),
    "pages": (
        set(),
        {
            *("atomic", "diagnostics", "growth", "net", "ops", "plans", "spec", "tables"),
            "version",
        },
    ),
    "compiling": (
        set(),
        {
            "pages",
            *("atomic", "checking", "diagnostics", "fitting", "growth", "net", "planning", "plans"),
            *("shown", "spec", "tables", "torch_backend"),
        },
    ),
    "fitting": (
        set(),
        {"checking", "diagnostics", "growth", "planning", "plans", "shown", "tables"},
    ),
    "tools": (
        {"pydantic"},
        {
            *("checking", "diagnostics", "net", "plans", "resolve", "signatures", "spec"),
            *("syntax", "yaml", "build", "atomic"),
        },
    ),
    "weight_tables": ({"rich"}, {"net", "plans", "tables"}),
    "comparing": (
        set(),
        {
            *("applying", "checking", "growth", "net", "ops", "pages", "planning", "plans"),
            *("proposing", "selecting", "shown", "spec", "tables", "tools", "torch_backend"),
            "weight_tables",
        },
    ),
    "selecting": (
        set(),
        {"applying", "diagnostics", "growth", "net", "spec", "syntax"},
    ),
    "proposing": (
        {"networkx"},
        {
            *("build", "checking", "diagnostics", "growing", "growth", "net", "ops", "resolve"),
            *("syntax", "tools"),
        },
    ),
    "pinning": (
        set(),
        {
            *("checking", "diagnostics", "pinned_tables", "plans", "shown", "syntax", "tools"),
        },
    ),
    "pinned_tables": ({"rich"}, {"plans", "spec", "tables"}),
    "verifying": (
        set(),
        {
            *("applying", "checking", "diagnostics", "growth", "net", "plans", "resolve", "rules"),
            *("shown", "tables", "torch_backend"),
        },
    ),
    "interop": (
        {"pydantic", "safetensors", "torch", "yaml"},
        {"atomic", "checking", "diagnostics", "net", "ops", "plans", "signatures", "torch_backend"},
    ),
    "transferring": (
        {"numpy", "rich", "torch"},
        {
            *("atomic", "checking", "diagnostics", "growth", "net", "planning", "plans", "shown"),
            *("spec", "tables", "torch_backend"),
        },
    ),
    "atomic": (set(), {"diagnostics"}),
    "extras": (set(), {"diagnostics"}),
    "sweeping": (set(), {"diagnostics"}),
    "starting": (
        set(),
        {"atomic", "checking", "diagnostics", "planning", "plans", "spec", "syntax"},
    ),
    "lsp": (
        {"lark", "lsprotocol", "pydantic", "pygls"},
        {
            *("checking", "diagnostics", "net", "ops", "resolve", "rules", "signatures"),
            *("spec", "syntax", "tools", "version", "yaml"),
        },
    ),
}
"""Each room: what it may import of other packages, and of the rooms below it."""

EXCEPTIONS = {
    "growlang.syntax.highlighting": {"pygments"},
}
"""Modules that stand apart: what they import instead."""


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def of_rooms() -> list[str]:
    return sorted(m for m in under("growlang") if room(m) in ROOMS and m not in EXCEPTIONS)


@pytest.mark.parametrize("module", of_rooms())
def test_a_module_imports_what_its_room_may(module: str) -> None:
    packages, rooms = ROOMS[room(module)]
    assert third_party(everything(module)) <= packages
    found = {room(n) for n in everything(module) if top(n) == "growlang" and n != "growlang"}
    assert found <= {*rooms, room(module)}
    assert not any(top(n) == "growlang_runtime" for n in everything(module))


def test_every_module_is_in_a_room() -> None:
    api = under(
        *(f"growlang.{n}" for n in ("api", "evaluating", "holding", "notebook", "preparing"))
    )
    above = [*api, *under("growlang.cli", "growlang.__main__")]
    outer = {"growlang", *above, *EXCEPTIONS}
    assert set(under("growlang")) - set(of_rooms()) == outer


def test_rooms_import_downwards_only() -> None:
    graph = {name: set(rooms) for name, (_, rooms) in ROOMS.items()}
    while leaves := {name for name, below in graph.items() if not below & graph.keys()}:
        graph = {name: below for name, below in graph.items() if name not in leaves}
    assert graph == {}


@pytest.mark.parametrize("module", sorted(EXCEPTIONS))
def test_what_stands_apart_imports_nothing_of_ours(module: str) -> None:
    assert third_party(everything(module)) == EXCEPTIONS[module]
    assert project(everything(module)) == set()


@pytest.mark.parametrize("module", ["growlang.plans.tensor_file", "growlang.plans.fit"])
def test_files_of_weights_are_read_with_the_standard_library(module: str) -> None:
    assert third_party(everything(module)) == set()
    assert {room(n) for n in project(everything(module))} <= {"diagnostics", "net", "plans"}


MAPPING = {
    f"growlang.growth.{m}"
    for m in (
        "axis_map",
        "constants",
        "constants_json",
        "expansions",
        "space_json",
        "transforms",
        "verdict",
    )
} | {"growlang.growth.wording", "growlang.growth.mapping"}


@pytest.mark.parametrize("module", sorted({*MAPPING, "growlang.growth.mapping_json"}))
def test_the_types_of_a_mapping_need_the_standard_library_only(module: str) -> None:
    assert third_party(everything(module)) == set()
    assert project(everything(module)) <= {*MAPPING, "growlang.net"}


@pytest.mark.parametrize("module", sorted({*under("growlang.cli")} - {"growlang.cli.console"}))
def test_the_command_line_imports_what_is_heavy_inside_commands(module: str) -> None:
    outer, _ = imports(module)
    assert third_party(outer) <= {"typer"}
    assert project(outer) <= {"growlang.diagnostics", *under("growlang.cli")}


@pytest.mark.parametrize("module", under("growlang_runtime"))
def test_the_runtime_reads_plans_and_no_specs(module: str) -> None:
    refused = tuple(f"growlang.{r}" for r in ("syntax", "resolve", "checking", "api", "cli"))
    assert [n for n in everything(module) if n.startswith(refused)] == []
    assert third_party(everything(module)) & {"lark", "yaml", "typer"} == set()


def test_the_options_of_a_run_load_no_torch() -> None:
    modules = loaded("from growlang_runtime.train.options import RunOptions")
    assert modules & {"torch", "numpy", "lark"} == set()


RUNTIME_ROOMS = (
    ("distributed",),
    ("storage", "data", "diffusion"),
    ("conditioning", "packing"),
    ("report",),
    ("sample",),
    ("language", "classification"),
    ("evaluation",),
    ("train",),
    ("notebook", "export"),
    ("starting",),
)
"""The rooms of the runtime from the ground floor up: each imports from lower floors alone."""


def runtime_room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", under("growlang_runtime"))
def test_a_room_of_the_runtime_needs_lower_ones_only(module: str) -> None:
    if module == "growlang_runtime":
        return
    floors = {room: floor for floor, rooms in enumerate(RUNTIME_ROOMS) for room in rooms}
    own = runtime_room(module)
    needed = {runtime_room(n) for n in everything(module) if n.startswith("growlang_runtime.")}
    assert [room for room in needed - {own} if floors[room] >= floors[own]] == []


# --- the table in CONTRIBUTING.md ----------------------------------------------------------------


def written_table() -> list[str]:
    """The modules and packages of the table, from top to bottom and from left to right."""
    rows = re.findall(r"(?m)^\| (`.+?`) \|", (ROOT / "CONTRIBUTING.md").read_text())
    found = []
    for path in re.findall(r"`(.+?)`", " ".join(rows)):
        before, inside, after = re.fullmatch(r"([^{]*)(?:{(.+)})?(.*)", path).groups()
        for name in (inside or "").split(","):
            whole = f"{before}{name}{after}".removeprefix("runtime/").removesuffix(".py")
            found.append(whole.strip("/").replace("/", "."))
    return found


def test_the_written_table_has_every_room_and_each_imports_from_those_before_it() -> None:
    table = written_table()
    outer = {"growlang", "growlang.__main__", "growlang_runtime"}
    place = {m: n for n, name in enumerate(table) for m in under(name)}
    assert set(modules()) - set(place) == outer
    upwards = [
        (module, name)
        for module, own in place.items()
        for name in project(everything(module)) - outer
        if place[name] > own
    ]
    assert upwards == []


def test_no_module_imports_itself_through_others() -> None:
    graph = {m: {n for n in imports(m)[0] if n in modules()} - {m} for m in modules()}
    while leaves := {m for m, needs in graph.items() if not needs & set(graph)}:
        graph = {m: needs for m, needs in graph.items() if m not in leaves}
    assert graph == {}
