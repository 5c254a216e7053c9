from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.language import spec
from growlang.checking import check, errors
from growlang.diagnostics.codes import CODES
from growlang.diagnostics.text import as_json, as_text

ERRORS = Path(__file__).parent / "fixtures" / "errors"
BROKEN = sorted(p for p in ERRORS.glob("*.grow") if not p.name.startswith("_"))
MEASURED = sorted((Path(__file__).parent.parent / "benchmarks").glob("*.grow"))
SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.grow"))


def plain(text: str, role: str) -> str:
    return text


@pytest.mark.parametrize("path", BROKEN, ids=lambda p: p.stem)
def test_a_mistake_gets_its_message(
    path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """And a file that a code names has one finding, of that code."""
    monkeypatch.chdir(ERRORS)
    report = check(Path(path.name))
    if path.stem[0] == "g":
        assert [d.code.lower() for d in report.diagnostics] == [path.stem.split("_")[0]]
    text = "\n\n".join(as_text(d, report.texts, plain) for d in report.diagnostics) + "\n"
    expected = path.with_suffix(".txt")
    if request.config.getoption("--update"):
        expected.write_text(text)
    assert text == expected.read_text()
    assert (report.checked is None) == bool(errors(report.diagnostics))


def test_every_code_has_a_fixture() -> None:
    single = [p.stem for p in BROKEN if p.stem[0] == "g"]
    compared = [p.name for p in (ERRORS.parent / "against").iterdir()]
    compared += [p.name for p in (ERRORS.parent / "lengths").glob("g*.grow")]  # `compile` tells
    compared += [p.name for p in (ERRORS.parent / "devices").glob("g*.grow")]  # with a limit
    internal = {code for code in CODES if code.startswith("G9")}  # no spec may cause it
    assert {name.split("_")[0].upper() for name in [*single, *compared]} == set(CODES) - internal


@pytest.mark.parametrize("path", [*SPECS, ERRORS / "_parent.grow"], ids=lambda p: p.stem)
def test_good_specs_are_clean(path: Path) -> None:
    report = check(path)
    few = "evaluate { count = 1k }" in path.read_text()
    assert [d.code for d in report.diagnostics] == ["G460"] * few
    assert report.checked is not None


@pytest.mark.parametrize("path", MEASURED, ids=lambda p: p.stem)
def test_specs_of_the_benchmarks_are_clean(path: Path) -> None:
    assert check(path).diagnostics == ()


def test_what_the_benchmarks_write_is_clean(tmp_path: Path) -> None:
    written = tmp_path / "long.grow"
    written.write_text(spec(360))
    assert check(written).diagnostics == ()


def test_json_names_code_place_and_edit() -> None:
    report = check(ERRORS / "g203_unknown_argument.grow")
    data = json.loads(json.dumps(as_json(report.diagnostics)))
    assert data["format_version"] == 1
    (item,) = data["diagnostics"]
    assert item["code"] == "G203"
    assert item["severity"] == "error"
    assert item["name"] == "unknown-argument"
    assert item["filename"].endswith("g203_unknown_argument.grow")
    assert item["location"] == {"row": 11, "column": 32}
    assert item["end_location"]["row"] == 11
    assert "heads" in item["help"]
