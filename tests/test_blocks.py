"""Params, blocks and imports across files."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixture_specs import SPECS, checked, edited, findings

from growlang.cli import app
from growlang.resolve.files import Files
from growlang.resolve.spec import resolve

ERRORS = Path(__file__).parent / "fixtures" / "errors"
MODEL = """
model m {
  image = image(8)
  stem  conv(%s)
  core  %s
  head  conv(3)
}
"""


def spec(folder: Path, head: str, width: str, core: str, name: str = "m.grow") -> Path:
    path = folder / name
    path.write_text(f"grow 1\n{head}\n{MODEL % (width, core)}")
    return path


def paths(path: Path) -> list[str]:
    return [n.path for n in checked(path).net.nodes if n.component == "core"]


def test_a_default_sees_the_parameters_before_it(tmp_path: Path) -> None:
    head = "param inner = 2\nblock b(width, inner = width * 2) { conv(inner) | conv(width) }"
    path = spec(tmp_path, head, "inner", "b(6)")
    widths = [n.output.width for n in checked(path).net.nodes if n.component == "core"]
    assert widths == [12, 6]


def test_a_param_is_computed_from_an_imported_one(tmp_path: Path) -> None:
    (tmp_path / "lib.grow").write_text("grow 1\nparam channels = 8\n")
    head = 'param width = 2 * lib.channels\nimport "lib.grow" as lib'
    path = spec(tmp_path, head, "width", "conv(lib.channels)")
    assert [c.output.width for c in checked(path).net.components] == [16, 8, 3]


def test_a_library_is_resolved_once_however_many_files_import_it(tmp_path: Path) -> None:
    (tmp_path / "l0.grow").write_text("grow 1\nblock b(width) { conv(width) }\n")
    for i in range(1, 25):
        text = f'grow 1\nimport "l{i - 1}.grow" as x\nimport "l{i - 1}.grow" as y\n'
        text += "block b(width) { x.b(width) }\nblock c(width) { y.b(width) }\n"
        (tmp_path / f"l{i}.grow").write_text(text)
    path = spec(tmp_path, 'import "l24.grow" as lib', "4", "lib.b(4)")
    assert paths(path) == ["core" + ".b.0" * 25 + ".conv.0"]
    files = Files()
    assert resolve(path, files).result is not None
    assert len(files.documents) == 26


def test_what_a_library_imports_stays_inside_it(tmp_path: Path) -> None:
    (tmp_path / "inner.grow").write_text("grow 1\nblock b(width) { conv(width) }\n")
    (tmp_path / "lib.grow").write_text(
        'grow 1\nimport "inner.grow" as inner\nblock c(width) { inner.b(width) }\n'
    )
    path = spec(tmp_path, 'import "lib.grow" as lib', "4", "lib.c(4) | lib.inner.b(4)")
    assert [d.code for d in findings(path)] == ["G106"]


def test_mistakes_at_one_call_are_all_reported(tmp_path: Path) -> None:
    head = "block b(width, depth) { conv(width) * depth }"
    path = spec(tmp_path, head, "4", "b(colour = 1, shape = 2)")
    assert [d.code for d in findings(path)] == ["G203", "G203"]
    assert [d.code for d in findings(spec(tmp_path, head, "4", "b()"))] == ["G202"]


def test_a_mistake_of_the_block_itself_stays_in_the_block(tmp_path: Path) -> None:
    head = "block b(width) { conv(width, kernel = 2) }"
    (found,) = findings(spec(tmp_path, head, "4", "b(4) | b(4)"))
    assert found.span.row == 2
    assert [n.message for n in found.notes] == ["`b` is called here"]


def test_an_input_that_does_not_fit_a_block_names_both_places(tmp_path: Path) -> None:
    head = "block b() { patch(3, 4) }"
    (found,) = findings(spec(tmp_path, head, "4", "b()"))
    assert (found.code, found.span.row) == ("G204", 2)
    assert [n.span.row for n in found.notes] == [7]


# --- what is not used ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "core", "unused"),
    [
        ("param a = 1", "conv(4)", ["a"]),
        ("param a = b\nparam b = 1", "conv(4)", ["a"]),
        ("param a = 4", "conv(a)", []),
        ("param a = 4", "conv(4) * a", []),
        ("param a = 4\nblock b(a) { conv(a) }", "b(4)", ["a"]),
        ("param a = 4\nblock b(c = a) { conv(c) }", "b()", []),
        ("block b(c) { conv(c) }\nblock d(c) { b(c) }", "d(4)", []),
    ],
)
def test_unused_names_are_warned_of(
    tmp_path: Path, head: str, core: str, unused: list[str]
) -> None:
    found = findings(spec(tmp_path, head, "4", core))
    assert {d.code for d in found} <= {"G108"}
    assert [d.message.split("`")[1] for d in found] == unused


def test_a_library_may_hold_what_it_does_not_use_itself() -> None:
    assert findings(SPECS / "lib" / "blocks.grow") == ()


def test_data_is_used_by_a_mix_a_filter_or_a_recipe() -> None:
    assert findings(SPECS / "blocks.grow") == ()


def test_an_error_silences_the_warnings_that_it_may_cause(tmp_path: Path) -> None:
    path = edited(
        ERRORS / "g108_param.grow", tmp_path / "a.grow", ("transformer(width", "transformer(dept")
    )
    assert [d.code for d in findings(path)] == ["G101"]


def test_warnings_alone_exit_zero(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ERRORS / "g108_param.grow")
    for command in (["check", path], ["compile", "--no-build", path]):
        with pytest.raises(SystemExit) as ended:
            app(command)
        assert ended.value.code == 0
        out = capsys.readouterr()
        assert "warning[G108]: param `depth` is not used" in out.out + out.err
    with pytest.raises(SystemExit) as ended:
        app(["check", str(ERRORS / "g101_unknown_param.grow")])
    assert ended.value.code == 1
