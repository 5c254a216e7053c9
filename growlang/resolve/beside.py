"""Settings that are given beside a file, as the language writes them: `heun(steps = 20)`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from growlang.diagnostics import Diagnostic, Findings, GrowlangError
from growlang.resolve.arguments import read
from growlang.resolve.names import HOLE, Names
from growlang.spec.forms import choices
from growlang.spec.recipe import Sample
from growlang.spec.samplers import Sampler
from growlang.syntax import grow


def setting_of(
    text: str, part: type[BaseModel], name: str, where: str
) -> tuple[Any, tuple[Diagnostic, ...]]:
    """The value of a part's setting, and what is wrong with how it is written; then it is None.

    `where` stands for the file in the places of findings.
    """
    section = part.__name__.lower()
    document, wrong, _ = grow.read(f"grow 1 {section} {{ {name} = {text} }}", where)
    if document is None or wrong:
        return None, wrong
    settings = [setting for found in document.sections for setting in found.settings]
    if len(settings) != 1:
        return None, ()
    findings = Findings()
    found = read(settings[0].value, choices(part, name), Names(findings))
    wrong = tuple(findings.items)
    return (None if found is HOLE or wrong else found), wrong


def sampler_of(text: str) -> Sampler:
    """The sampler that a call says. Raises GrowlangError for what is none."""
    found, wrong = setting_of(text, Sample, "sampler", "--sampler")
    if isinstance(found, Sampler):
        return found
    raise GrowlangError(
        f"cannot read the sampler `{text}`" + (f": {wrong[0].message}" if wrong else ""),
        help=(wrong and wrong[0].help) or "write it as in a spec: dpm_solver(steps = 20)",
    )
