"""Names of other packages, of whatever kind: found one way, refused in one way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fixture_specs import SPECS, checked, edited, findings
from packages import Install, declare

from growlang.diagnostics import GrowlangError
from growlang.lsp.known import EXTENSIBLE, signature_of
from growlang.net import Net
from growlang.ops import CONDITIONS, OPS, op_in, op_of
from growlang.signatures.signature import Signature
from growlang.signatures.tables import Table

PACKAGE = Path(__file__).parent / "fixtures" / "package"
GROUPS = {table.group: table for table in EXTENSIBLE}
RUNTIME = 'runtime = "other_package:run"'
CLASS = """
from {module} import {base}
class Mine({base}):
    call = "{call}"
    {runtime}
"""


@pytest.fixture(params=GROUPS)
def table(request: pytest.FixtureRequest) -> Table[Signature]:
    """The table of each kind to which packages add."""
    return GROUPS[request.param]


def code(table: Table[Signature], call: str = "mine", runtime: str = RUNTIME) -> str:
    base = table.base
    runtime = runtime if "runtime" in base.__class_vars__ else ""
    return CLASS.format(module=base.__module__, base=base.__name__, call=call, runtime=runtime)


def entry(table: Table[Signature], name: str = "mine", value: str = "other_package:Mine") -> str:
    return f"[{table.group}]\n{name} = {value}\n"


def test_packages_add_to_seven_kinds() -> None:
    kinds = ("ops", "conditions", "objectives", "optimizers", "schedules", "samplers", "data")
    assert set(GROUPS) == {f"growlang.{kind}" for kind in kinds}


def test_an_installed_name_is_found(
    install: Install, tmp_path: Path, table: Table[Signature]
) -> None:
    install(declare(tmp_path, entry(table), code(table)))
    found = table.find("mine")
    assert found is not None
    assert issubclass(found, table.base)
    assert table.names() == [*table, "mine"]
    assert signature_of("mine") is found
    assert table.find("other") is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere:Mine", "cannot use `mine` of other (nowhere:Mine): ModuleNotFoundError"),
        ("other_package:Signature", "it must be a subclass of "),
        ("other_package:Other", "it must be a subclass of "),
    ],
)
def test_what_is_not_what_it_says_is_refused(
    install: Install, tmp_path: Path, table: Table[Signature], value: str, said: str
) -> None:
    wrong = code(table, "other").replace("Mine", "Other")
    imported = "from growlang.signatures.signature import Signature\n"
    install(declare(tmp_path, entry(table, value=value), imported + wrong))
    with pytest.raises(GrowlangError) as error:
        table.find("mine")
    assert said in error.value.message
    assert error.value.help == "fix or uninstall other"


@pytest.mark.parametrize("runtime", ["", 'runtime = "other_package"'])
def test_what_a_run_computes_has_to_be_named(
    install: Install, tmp_path: Path, table: Table[Signature], runtime: str
) -> None:
    install(declare(tmp_path, entry(table), code(table, runtime=runtime)))
    if table is OPS:
        assert table.find("mine") is not None
        return
    with pytest.raises(GrowlangError, match=r"must have runtime = .package\.module:attribute"):
        table.find("mine")


def test_two_packages_cannot_have_one_name(
    install: Install, tmp_path: Path, table: Table[Signature]
) -> None:
    for name in ("one", "two"):
        declare(tmp_path, entry(table, value=f"{name}_package:Mine"), code(table), name)
    install(tmp_path)
    with pytest.raises(GrowlangError, match=f"two packages declare `mine` in `{table.group}`"):
        table.find("mine")


def test_a_built_in_name_stays_what_it_is(
    install: Install, tmp_path: Path, table: Table[Signature]
) -> None:
    name = next(iter(table))
    install(declare(tmp_path, entry(table, name), code(table, name)))
    assert table.find(name) is table[name]
    assert table.names() == [*table]


def test_an_op_and_a_condition_cannot_share_a_name(install: Install, tmp_path: Path) -> None:
    for name, kind in (("one", OPS), ("two", CONDITIONS)):
        declare(tmp_path, entry(kind, value=f"{name}_package:Mine"), code(kind), name)
    install(tmp_path)
    with pytest.raises(GrowlangError, match="packages declare `mine` twice"):
        op_of("mine")


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("words(24, tokens = 5, vocabulary = 30)", "glyphs(24)", "glyphs"),
        ("| residual(width)\n", "| hyena(width)\n", "hyena"),
        ("seed = 7", "objective = diffusion(schedule = zigzag)", "zigzag"),
        ("seed = 7", "objective = rectified()", "rectified"),
        ('webdataset("', 'parquet("', "parquet"),
        ("ddim(steps", "jumps(steps", "jumps"),
    ],
)
def test_a_name_that_nothing_has_may_be_a_packages(
    tmp_path: Path, old: str, new: str, name: str
) -> None:
    path = edited(SPECS / "core.grow", tmp_path / "a.grow", (old, new))
    (found,) = findings(path)
    assert f"`{name}`" in found.message
    assert found.help.endswith(f"or install the package that has `{name}`")
    line = path.read_text().split("\n")[found.span.row - 1]
    assert line[found.span.column - 1 :].startswith(name)


def test_names_are_offered_by_a_spec_that_misspells_them(install: Install, tmp_path: Path) -> None:
    table = GROUPS["growlang.schedules"]
    install(declare(tmp_path / "site", entry(table, "zigzag"), code(table, "zigzag")))
    new = "objective = diffusion(schedule = zigzga)"
    path = edited(SPECS / "core.grow", tmp_path / "a.grow", ("seed = 7", new))
    assert [d.help for d in findings(path)] == ["did you mean `zigzag`?"]
    right = edited(path, tmp_path / "b.grow", ("zigzga", "zigzag"))
    settings = checked(right).resolved.recipes[1].settings
    assert settings.objective.model_dump()["diffusion"]["schedule"] == {"zigzag": {}}


# --- what the compiler does around an op ---------------------------------------------------------

DECLARED = """
[growlang.ops]
joined = joined_package:Joined
apart = joined_package:Apart
weighted = joined_package:Weighted
looking = joined_package:Looking
"""


@pytest.fixture
def net(install: Install, tmp_path: Path) -> Callable[[str], Net]:
    """The net of a spec beside the package's code, with the package installed."""
    code = (PACKAGE / "joined_package.py").read_text()
    install(declare(tmp_path / "site", DECLARED, code, "joined"))
    return lambda name: checked(PACKAGE / f"{name}.grow").net


def test_an_op_that_takes_skips_is_joined_whatever_its_name_is(net: Callable[[str], Net]) -> None:
    joined, apart = (
        [n.inputs for n in net(name).nodes if n.op == "concat"] for name in ("joined", "apart")
    )
    assert joined == [("stage.32.decode.up", "stage.32.encode.joined.0")]
    assert apart == []


def test_an_op_with_positions_of_its_own_is_given_none(net: Callable[[str], Net]) -> None:
    assert [n.path for n in net("joined").nodes if n.op == "position"] == []


def test_what_an_op_attends_to_is_what_its_argument_of_conditions_names(
    net: Callable[[str], Net],
) -> None:
    ops = {node.op: op_in(node) for node in net("joined").nodes if node.declaration}
    assert ops["looking"].attended == ("self",)
    assert ops["joined"].attended is None


def test_a_number_that_decides_what_is_computed_is_not_taken_for_a_size(
    net: Callable[[str], Net],
) -> None:
    assert net("weighted").components
    (found,) = findings(PACKAGE / "weighted_child.grow")
    assert found.code == "G320"
    assert "`strength` is 0.5 here and 1 in the parent" in found.message
    assert found.help == "write `strength = 1`"
