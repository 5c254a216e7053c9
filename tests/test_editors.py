"""The colours: the Pygments lexer, and the words of the TextMate grammar.

`npm test` in editors/vscode/ holds the TextMate grammar itself to the same specs.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pygments.lexers import load_lexer_from_file
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    _TokenType,
)
from roles import TERMINALS, Word, spread, words
from test_fmt import ALIKE, PARSED, sampled

from growlang import __version__
from growlang.syntax import highlighting
from growlang.syntax.grow import parser
from growlang.syntax.highlighting import GrowLexer

ROOT = Path(__file__).parent.parent
VSCODE = ROOT / "editors" / "vscode"
NAMES = VSCODE / "test" / "names.grow"
GRAMMAR: dict[str, Any] = json.loads((VSCODE / "syntaxes" / "grow.tmLanguage.json").read_text())
PACKAGE: dict[str, Any] = json.loads((VSCODE / "package.json").read_text())
TOKENS: dict[str, _TokenType] = {
    "comment": Comment.Single,
    "string": String,
    "number": Number,
    "constant": Keyword.Constant,
    "operator": Operator.Word,
    "keyword": Keyword,
    "slot": Keyword.Type,
    "place": Name.Builtin,
    "import": Name.Namespace,
    "param": Name.Constant,
    "data": Name.Constant,
    "block": Name.Function,
    "model": Name.Class,
    "section": Name.Label,
    "binding": Name.Attribute,
    "argument": Name.Attribute,
    "op": Name.Function,
    "call": Name.Function,
    "name": Name,
}
"""What Pygments calls the words of each role."""


# --- Pygments ------------------------------------------------------------------------------------


def coloured(text: str) -> list[_TokenType]:
    """The token type of each character; a string's parts are strings."""
    found: list[_TokenType] = []
    for index, kind, value in GrowLexer().get_tokens_unprocessed(text):
        assert index == len(found)
        found += [String if kind in String else kind] * len(value)
    return found


def disagreements(text: str) -> Iterator[tuple[Word, set[_TokenType]]]:
    """The words that are coloured otherwise than their roles ask."""
    kinds = coloured(text)
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    for word in words(text):
        start = starts[word.row - 1] + word.column - 1
        here = set(kinds[start : start + len(word.text)])
        if here != {TOKENS[word.role]}:
            yield word, here


@pytest.mark.parametrize("path", sampled([*PARSED, NAMES]))
def test_pygments_agrees_with_the_parser_in_every_layout(path: Path) -> None:
    text = path.read_text()
    for layout in (text, spread(text, " "), spread(text, "\n"), spread(text, " # and\n")):
        assert list(disagreements(layout)) == []
        kinds = coloured(layout)
        assert len(kinds) == len(layout)
        assert Error not in kinds


def test_every_role_is_met() -> None:
    found = {word.role for path in {*PARSED, NAMES} - ALIKE for word in words(path.read_text())}
    assert found == set(TOKENS)


@pytest.mark.parametrize("path", sampled(sorted((ROOT / "tests" / "fixtures").rglob("*.grow"))))
def test_pygments_keeps_every_character(path: Path) -> None:
    text = path.read_text()
    assert len(coloured(text)) == len(text)
    lexer = GrowLexer(stripnl=False, ensurenl=False)
    assert "".join(value for _, value in lexer.get_tokens(text)) == text


@pytest.mark.parametrize("text", ["5x", "Width", "é"])
def test_what_the_language_refuses_is_an_error(text: str) -> None:
    line = f"param a = {text} param b = 1"
    kinds = coloured(line)
    assert {*kinds[10 : 10 + len(text)]} == {Error}
    assert kinds[line.rindex("param")] is Keyword


def test_a_slip_leaves_the_statements_behind_it_as_they_are() -> None:
    text = (VSCODE / "test" / "slips.grow").read_text()
    after = text[text.index("train {") :]
    assert coloured(text)[-len(after) :] == coloured(after)


def test_pygments_finds_the_lexer_where_the_package_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["pygments.lexers"]["grow"].partition(":")
    path = ROOT / f"{module.replace('.', '/')}.py"
    assert load_lexer_from_file(str(path), name).name == "Grow"
    assert GrowLexer.aliases == ["grow"]
    assert GrowLexer.filenames == ["*.grow"]


# --- the words -----------------------------------------------------------------------------------


def language() -> dict[str, set[str]]:
    """The words of grow.lark by their role."""
    found = defaultdict(set)
    for terminal in parser().terminals:
        text = terminal.pattern.value
        if terminal.pattern.type == "str" and text[0].isalpha():
            found[TERMINALS.get(terminal.name, "keyword")].add(text)
    return dict(found)


def rules(node: Any) -> Iterator[dict[str, Any]]:
    """Every rule of a TextMate grammar."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from rules(value)
    elif isinstance(node, list):
        for value in node:
            yield from rules(value)


def spelt(pattern: str) -> set[str]:
    """The words that a regular expression spells out."""
    plain = re.sub(r"\[(?:\\.|[^\]])*\]|\\.|\(\?<?[:=!]", " ", pattern)
    return set(re.findall(r"[a-z_]{2,}", plain))


def scoped() -> dict[str, set[str]]:
    """The words that the TextMate grammar spells out at the beginning of a rule, by scope."""
    found = defaultdict(set)
    for rule in rules(GRAMMAR):
        begin = rule.get("begin", rule.get("match", ""))
        captures = rule.get("beginCaptures", rule.get("captures", {}))
        for scope in (rule.get("name"), *(c.get("name") for c in captures.values())):
            if scope and spelt(begin) and not scope.startswith(("punctuation", "variable.param")):
                found[scope] |= spelt(begin)
    return dict(found)


def test_the_lexer_has_the_words_of_the_grammar() -> None:
    assert language() == {
        "keyword": set(highlighting.KEYWORDS),
        "slot": {*highlighting.SLOTS, *highlighting.SIDES},
        "operator": set(highlighting.OPERATORS),
        "constant": set(highlighting.CONSTANTS),
    }


def test_the_textmate_grammar_has_the_words_of_the_grammar() -> None:
    own = language()
    assert scoped() == {
        "keyword.control.grow": own["keyword"],
        "storage.type.slot.grow": own["slot"],
        "variable.language.place.grow": own["slot"],
        "keyword.operator.word.grow": own["operator"],
        "constant.language.grow": own["constant"] | {"all"},
    }
    every = {
        w for r in rules(GRAMMAR) for k in ("begin", "end", "match") for w in spelt(r.get(k, ""))
    }
    assert every == set().union(*own.values()) | {"all"}


def test_numbers_and_names_are_those_of_the_grammar() -> None:
    own = {t.name: t.pattern.value for t in parser().terminals}
    number = GRAMMAR["repository"]["number"]["patterns"][0]["match"]
    for text in [
        "0",
        "1_000",
        "2.5e-1",
        "5%",
        "1.5M",
        "2k",
        "3B",
        "5x",
        "1e1234",
        "2kk",
        "1.",
        "7_",
    ]:
        matches = [re.fullmatch(p, text) for p in (own["NUMBER"], highlighting.NUMBER, number)]
        assert len({bool(m) for m in matches}) == 1, text


# --- the extension -------------------------------------------------------------------------------


def test_the_extension_has_the_version_of_the_package() -> None:
    version = __version__.partition(".dev")[0]  # npm has another form for what comes before it
    assert PACKAGE["version"] == version
    lock = json.loads((VSCODE / "package-lock.json").read_text())
    assert lock["version"] == lock["packages"][""]["version"] == version


def test_the_lock_file_names_no_host() -> None:
    lock = json.loads((VSCODE / "package-lock.json").read_text())
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
    assert all("integrity" in entry for name, entry in lock["packages"].items() if name)


def test_the_extension_contributes_files_that_exist() -> None:
    contributes = PACKAGE["contributes"]
    (entry,), (colours,) = contributes["languages"], contributes["grammars"]
    assert entry["id"] == colours["language"] == "grow"
    assert colours["scopeName"] == GRAMMAR["scopeName"]
    assert (VSCODE / colours["path"]).is_file()
    configuration = json.loads((VSCODE / entry["configuration"]).read_text())
    assert configuration["comments"] == {"lineComment": "#"}
    assert contributes["yamlValidation"] == [
        {"fileMatch": "*.grow.yaml", "url": "./dist/grow-1.json"}
    ]
    assert (ROOT / "docs" / "schema" / "grow-1.json").is_file()


def test_includes_lead_to_rules_and_every_rule_is_used() -> None:
    included = {r["include"] for r in rules(GRAMMAR) if "include" in r}
    assert included == {f"#{name}" for name in GRAMMAR["repository"]}


def test_indentation_follows_open_brackets() -> None:
    configuration = json.loads((VSCODE / "language-configuration.json").read_text())
    increase = re.compile(configuration["indentationRules"]["increaseIndentPattern"])
    decrease = re.compile(configuration["indentationRules"]["decreaseIndentPattern"])
    assert increase.match("model a {   # the model")
    assert increase.match('model a grows "b" (')
    assert not increase.match("sample { guidance = 4.0 }")
    assert not increase.match('param a = "{" # {')
    assert not increase.match("param a = 1  # (")
    assert decrease.match("  } # the end")
    assert not decrease.match("  stem (a | b)")
    words_of = re.compile(configuration["wordPattern"])
    assert [m[0] for m in words_of.finditer("lr_scale core = 1.5M")] == [
        "lr_scale",
        "core",
        "1.5M",
    ]


def test_the_settings_are_documented() -> None:
    readme = (VSCODE / "README.md").read_text()
    for setting in PACKAGE["contributes"]["configuration"]["properties"]:
        assert f"`{setting}`" in readme
