import inspect
from dataclasses import fields

from growlang.cli.commands.train import train
from growlang_runtime.train.options import RunOptions


def test_the_command_line_has_the_defaults_of_the_options() -> None:
    declared = {f.name: f.default for f in fields(RunOptions)}
    said = {name: p.default for name, p in inspect.signature(train).parameters.items()}
    shared = (declared.keys() & said.keys()) - {"resume"}  # which is a choice of two flags
    assert declared.keys() - shared == {"resume", "quiet", "clock"}
    assert said.keys() & {"name", "fresh", "from_run"} == {"name", "fresh", "from_run"}
    assert {name: said[name] for name in shared} == {name: declared[name] for name in shared}
