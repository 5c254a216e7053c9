"""Codes of syntax, names and imports."""

from __future__ import annotations

from growlang.diagnostics.codes.code import Code

LANGUAGE = {
    "G001": Code(
        "syntax",
        "The text does not follow the grammar.",
        "The parser met a token that it did not expect. Each statement is parsed separately, so "
        "all others are checked as usual; nothing is reported for what the incomplete statement "
        "may have declared.",
    ),
    "G002": Code(
        "edition",
        "The edition statement is missing or unknown.",
        "The first statement of every file is the edition of the language, so that a later "
        "edition can change a meaning without changing that of your files.",
    ),
    "G003": Code(
        "bad-token",
        "A character, number, name or string is malformed.",
        "Strings are written in double quotes and end on their line, names are lower case, "
        "numbers end at a word boundary and take one suffix.",
    ),
    "G101": Code(
        "unknown-name",
        "A name is not defined.",
        "A bare word is looked up among the choices of its argument, then among the params in "
        "scope: the file's own, then those of its parent. It is in neither.",
    ),
    "G102": Code(
        "duplicate-name",
        "A name is defined twice in one scope, or a model has two inputs.",
        "Every param, block, data source, recipe, slot and setting is defined once in its "
        "scope, and a model takes an image or tokens. Nothing is overridden silently, so the "
        "second definition is an error; so is a model that differs between its Grow file and "
        "its YAML file in one folder.",
    ),
    "G103": Code(
        "unreadable-file",
        "A parent or an imported file cannot be read.",
        "Paths after `grows` and `import` are relative to the file that names them. The file "
        "does not exist, is not UTF-8 text, or is larger than 2 MB.",
    ),
    "G104": Code(
        "cycle",
        "Files, params, blocks or data are circular.",
        "A value, a block, a data source or a spec depends on itself. Repetition is written as "
        "`* n`, growth in steps as a chain of files.",
    ),
    "G105": Code(
        "shadowed-choice",
        "A name in scope is also a choice of the argument.",
        "A bare word that is a choice of its argument always means the choice. A param of that "
        "name would be shadowed silently, so it must have another name.",
    ),
    "G106": Code(
        "unknown-call",
        "An op, block, encoder, rule or other call does not exist.",
        "Only ops, blocks, encoders, rules and the calls that a setting lists can be called. "
        "Ops that change the resolution between stages belong in a stage's options.",
    ),
    "G107": Code(
        "unknown-setting",
        "A setting, option or model binding does not exist.",
        "A model, slot, recipe, phase or section takes a fixed set of settings. An unknown one "
        "would otherwise be ignored, and the run would not be what you wrote.",
    ),
    "G108": Code(
        "unused",
        "A param, import, block or data source is unused.",
        "Nothing in the file reads it. A child that grows the file may, so it is a warning, and "
        "warnings alone exit 0.",
        "warning",
    ),
}
