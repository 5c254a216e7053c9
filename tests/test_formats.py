from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from growlang.check import check
from growlang.cli import app
from growlang.diagnostics import Diagnostic, Span
from growlang.formats import concise, github, location, sarif

FIXTURES = Path(__file__).parent / "fixtures"
ERRORS = FIXTURES / "errors"
SCHEMA = json.loads((FIXTURES / "schema" / "sarif-2.1.0-subset.json").read_text())


@pytest.mark.parametrize("path", sorted(ERRORS.glob("*.grow")), ids=lambda p: p.stem)
def test_sarif_is_valid_and_says_all(path: Path) -> None:
    found = check(path).diagnostics
    log = json.loads(json.dumps(sarif(found)))
    jsonschema.validate(log, SCHEMA, jsonschema.Draft7Validator)
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [r["ruleId"] for r in run["results"]] == [item.code for item in found]
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in run["results"])


def test_paths_are_relative_to_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    spec = tmp_path / "a folder" / "ä.grow"
    assert location(str(spec)) == ("a folder/ä.grow", True)
    item = Diagnostic("G201", "it is wrong", Span(str(spec), 2, 3, 2, 9))
    place = sarif([item])["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20folder/%C3%A4.grow", "uriBaseId": "ROOT"}


def test_a_file_outside_of_a_repository_has_its_whole_path() -> None:
    name, relative = location("/nowhere/a.grow")
    assert (name, relative) == ("/nowhere/a.grow", False)


def test_github_commands_are_escaped() -> None:
    item = Diagnostic("G201", "50% is\nwrong", Span("/no,where/a:b.grow", 2, 3, 4, 9), "write 5")
    assert github(item) == (
        "::error file=/no%2Cwhere/a%3Ab.grow,line=2,endLine=4,"
        "title=G201 bad-value::50%25 is%0Awrong%0Ahelp: write 5"
    )


def test_concise_is_one_line_a_finding() -> None:
    lines = [concise(item) for item in check(ERRORS / "five_mistakes.grow").diagnostics]
    assert len(lines) == 5
    assert all("\n" not in line for line in lines)
    assert lines[0].endswith(
        "five_mistakes.grow:7:33: error[G203]: `words` has no argument `vocabulry` "
        "(did you mean `vocabulary`?)"
    )


@pytest.mark.parametrize("form", ["text", "concise", "json", "github", "sarif"])
def test_every_format_reports_findings_and_exits_1(form: str) -> None:
    arguments = ["check", str(ERRORS / "five_mistakes.grow"), "--output-format", form]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert all(code in done.stdout for code in ("G106", "G201", "G203", "G207", "G402"))
    assert "\x1b" not in done.stdout


def test_a_clean_spec_is_an_empty_sarif_run() -> None:
    arguments = ["check", str(ERRORS / "_parent.grow"), "--output-format", "sarif"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["runs"][0]["results"] == []
