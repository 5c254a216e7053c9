from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from fixture_specs import SHIPPED, SPECS, assert_golden, checked, growlang, without_evaluate
from packages import Install, declare
from typer.testing import CliRunner

from growlang.cli import COMMANDS, app
from growlang.cli.extras import EXTRAS, missing
from growlang.diagnostics import Exit

ERRORS = Path(__file__).parent / "fixtures" / "errors"
GOLDEN = Path(__file__).parent / "fixtures" / "compile"


def process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "growlang", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


# --- exit codes of the process -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["check", SPECS / "core.grow"], 0),
        (["check", ERRORS / "five_mistakes.grow"], 1),
        (["check", SPECS / "nowhere.grow"], 2),
        (["check", "--nonsense"], 2),
    ],
)
def test_exit_status(arguments: list[str | Path], status: int) -> None:
    done = process(*arguments)
    assert done.returncode == status
    assert "Traceback" not in done.stdout + done.stderr


def test_help_lists_every_command() -> None:
    run = growlang("--help")
    assert run.status == 0
    listed = [line.split()[0] for line in run.out.split("Commands:")[1].split("\n") if line.strip()]
    assert listed == list(COMMANDS)
    assert "..." not in run.out.split("Commands:")[1], "a summary is cut off"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command: str) -> None:
    run = growlang(command, "--help")
    assert run.status == 0
    options = run.out.split("Options:")[1].split("\n  -")[1:]
    assert options
    for option in options:
        assert len(option.split()) > 2, option


# --- check ---------------------------------------------------------------------------------------


def test_check_leaves_out_hidden_folders(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / ".venv", tmp_path / "specs" / ".cache"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "core.grow").write_bytes((SPECS / "level.grow").read_bytes())
    assert growlang("check", tmp_path).err == "1 spec checked, no errors\n"
    assert growlang("check", tmp_path / ".venv").err == "1 spec checked, no errors\n"


def test_check_of_a_clean_spec_prints_nothing_on_stdout() -> None:
    run = growlang("check", SPECS / "level.grow", SPECS / "child.grow")
    assert (run.status, run.out) == (0, "")
    assert run.err == "2 specs checked, no errors\n"


def test_a_folder_is_walked(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "good.grow").write_text((SPECS / "level.grow").read_text())
    (tmp_path / "bad.grow").write_text("grow 1 param a = b")
    (tmp_path / "no_spec.txt").write_text("grow")
    run = growlang("check", tmp_path)
    assert run.status == 1
    assert run.err == "2 specs checked, 1 error\n"
    assert "error[G101]: `b` is not defined" in run.out
    assert growlang("check", tmp_path / "a").status == 0


def test_a_file_that_is_named_twice_is_checked_once(tmp_path: Path) -> None:
    (tmp_path / "bad.grow").write_text("grow 1 param a = b")
    run = growlang("check", tmp_path, tmp_path / "bad.grow")
    assert run.out.count("error[G101]") == 1


def test_a_mistake_of_the_parent_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "core.grow").write_text(
        (SPECS / "core.grow").read_text().replace("batch     = 8", "batch     = 0")
    )
    (tmp_path / "child.grow").write_text((SPECS / "child.grow").read_text())
    run = growlang("check", tmp_path)
    assert run.status == 1
    assert run.err == "2 specs checked, 1 error\n"


def test_check_as_json() -> None:
    run = growlang("check", ERRORS / "five_mistakes.grow", "--output-format", "json")
    assert (run.status, run.err) == (1, "")
    data = json.loads(run.out)
    assert data["format_version"] == 1
    assert len(data["diagnostics"]) == 5
    for item in data["diagnostics"]:
        assert {"code", "severity", "name", "message", "filename", "location", "help"} <= set(item)
        assert set(item["location"]) == {"row", "column"}
    clean = growlang("check", SPECS / "level.grow", "--output-format", "json")
    assert (clean.status, json.loads(clean.out)["diagnostics"]) == (0, [])


# --- what cannot be done -------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "library.grow"
    path.write_text("grow 1 param width = 3")
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "nowhere.grow"], ["nowhere.grow"]),
        (["check", "empty"], ["no *.grow or *.grow.yaml"]),
        (["check", "binary.grow"], ["UTF-8"]),
        (["compile", "nowhere.grow"], ["nowhere.grow"]),
        (["compile", "library.grow"], ["no model"]),
        (["compile", "core.grow", "--recipe", "frist", "--no-build"], ["frist", "first, second"]),
        (["compile", "core.grow", "--no-build", "--set", "width"], ["width", "="]),
        (["compile", "core.grow", "--no-build", "--set", "widht=3"], ["widht", "width"]),
        (["compile", "core.grow", "--no-build", "--set", "width=="], ["width"]),
        (["diff", "core.grow", "nowhere.grow"], ["nowhere.grow"]),
        (["train", "core.grow", "--recipe", "frist"], ["frist", "first, second"]),
        (["train", "plain.grow"], ["no recipe"]),
        (["sample", "nowhere", "--prompt", "a cat"], ["nowhere"]),
        (["sample", "nowhere"], ["no weights at nowhere"]),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(
    tmp_path: Path,
    library: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "core.grow").write_text(without_evaluate(SPECS / "core.grow"))
    (tmp_path / "plain.grow").write_text(
        "grow 1 model m { image = image(8) stem conv(4) core norm head conv(3) }"
    )
    (tmp_path / "binary.grow").write_bytes(b"grow 1 \xff")
    (tmp_path / "empty").mkdir()
    run = growlang(*arguments)
    assert (run.status, run.out) == (2, "")
    assert run.err.startswith("error: ")
    assert run.err.count("error") == 1
    for words in said:
        assert words in run.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["compile", "train", "diff"])
def test_a_broken_spec_is_findings_and_exit_1(command: str) -> None:
    path = ERRORS / "five_mistakes.grow"
    run = growlang(command, path, *([path] if command == "diff" else []))
    assert (run.status, run.out) == (1, "")
    assert run.err.count("error[G") == 5


# --- compile -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", sorted(SHIPPED.glob("*.grow")), ids=lambda p: p.stem)
def test_compile_prints_the_costs(
    spec: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(SHIPPED.parent)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    run = growlang("compile", f"specs/{spec.name}", "--no-build")
    assert (run.status, run.err) == (0, "")
    text = "\n".join(map(str.rstrip, run.out.split("\n")))
    assert_golden(GOLDEN / f"{spec.stem}.txt", text, bool(request.config.getoption("--update")))


def test_compile_as_json() -> None:
    run = growlang("compile", SPECS / "child.grow", "--json", "--no-build")
    data, found = json.loads(run.out), checked(SPECS / "child.grow")
    assert data["format_version"] == 1
    assert data["net_hash"] == found.net.net_hash
    assert data["spec_hash"] == found.resolved.spec_hash
    assert data["totals"]["parameters"] == found.net.parameters
    assert [c["name"] for c in data["components"]] == [c.name for c in found.net.components]
    assert sum(c["parameters"] for c in data["components"]) == found.net.parameters
    assert [(p["name"], p["steps"]) for p in data["phases"]] == [("frozen", 20), ("joint", 30)]
    assert data["phases"][0]["trainable"] + data["phases"][0]["frozen"] == found.net.parameters


def test_compile_of_another_recipe_and_other_params() -> None:
    run = growlang(
        "compile", SPECS / "core.grow", "--json", "--no-build", "-r", "second", "--set", "half=2"
    )
    data = json.loads(run.out)
    assert (data["recipe"], data["phases"][0]["steps"]) == ("second", 10)
    assert data["totals"]["parameters"] == checked(SPECS / "core.grow", half="2").net.parameters


def test_compile_builds_the_graph_unless_told_not_to() -> None:
    count = len(checked(SPECS / "child.grow").net.table)
    built = growlang("compile", SPECS / "child.grow")
    assert f"PyTorch graph built: {count} parameter tensors" in built.out
    assert "PyTorch" not in growlang("compile", SPECS / "child.grow", "--no-build").out


def test_emit_fx_prints_code_that_python_reads() -> None:
    run = growlang("compile", SPECS / "child.grow", "--emit", "fx")
    assert run.status == 0
    compile(run.out, "emitted", "exec")
    assert "def forward(self, image, log_snr" in run.out
    assert "core.transformer" in run.out


def test_a_reader_that_stops_early_is_no_error() -> None:
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "growlang", "diff", "-v"]
    command += [str(root / "specs" / name) for name in ("core_64.grow", "uvit_512.grow")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None and run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 0


def test_a_failure_of_growlang_itself_says_so_and_keeps_the_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("somewhere")

    monkeypatch.setattr("growlang.checking.resolve", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = growlang("check", SPECS / "core.grow")
    assert (done.status, done.out) == (2, "")
    (log,) = tmp_path.iterdir()
    assert done.err.splitlines() == [
        "error[G901]: growlang itself has failed: KeyError: 'somewhere'",
        f"  help: please report this with the command and the spec; the traceback is in {log}",
    ]
    assert "Traceback" in log.read_text() and "test_cli.py" in log.read_text()


@pytest.mark.parametrize(
    ("module", "extra"),
    [("diffusers", "train"), ("tensorboard.summary", "train"), ("torchmetrics", "evaluate")],
)
def test_a_package_that_is_missing_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    monkeypatch.setattr("growlang.checking.resolve", lambda *_: import_module(module))
    done = growlang("check", SPECS / "core.grow")
    assert (done.status, done.out) == (2, "")
    assert done.err.splitlines() == [
        f"error: this command needs the package {module.partition('.')[0]}, which is not installed",
        f'  help: pip install "growlang[{extra}]"',
    ]


def test_what_says_in_words_which_package_it_needs_is_understood() -> None:
    said = missing(ModuleNotFoundError("`CLIPScore` metric requires `transformers` package"))
    assert said is not None and said.help == 'pip install "growlang[train]"'
    assert missing(ModuleNotFoundError("No module named 'mine'", name="mine")) is None


def test_every_package_of_an_extra_is_known_by_its_module() -> None:
    extras = tomllib.loads((SPECS.parents[2] / "pyproject.toml").read_text())["project"]
    for extra, modules in EXTRAS.items():
        listed = extras["optional-dependencies"][extra]
        names = {re.split("[<>=]", line)[0].replace("-", "_") for line in listed}
        assert {"pillow" if name == "PIL" else name for name in modules} == names


def test_a_failure_of_an_installed_package_names_the_package(
    install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entries = "[growlang.samplers]\nmine = other_package:Mine\n"
    install(declare(tmp_path / "site", entries, "def work(*_):\n    return 1 / 0\n"))
    monkeypatch.setattr("growlang.checking.resolve", import_module("other_package").work)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = growlang("check", SPECS / "core.grow")
    assert (done.status, done.out) == (2, "")
    (log,) = tmp_path.glob("*.log")
    assert done.err.splitlines() == [
        "error: the installed package other has failed: ZeroDivisionError: division by zero",
        f"  help: please report this to its authors; the traceback is in {log}",
    ]


@pytest.mark.parametrize("command", [("schema",), ("show", SPECS / "core.grow"), ("--help",)])
def test_a_full_disk_is_one_message(command: tuple[str | Path, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "growlang", *command], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == Exit.FULL
    assert done.stderr == b"error: No space left on device\n"


def test_a_locale_without_letters_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.grow"
    path.write_text("grow 1  # \u00e9\nparam \u00e9 = 3\n", encoding="utf-8")
    for command in (["check", path], ["diff", SHIPPED / "core_64.grow", SHIPPED / "uvit_512.grow"]):
        done = subprocess.run(
            [sys.executable, "-m", "growlang", *command],
            capture_output=True,
            env={**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        )
        assert done.returncode == (1 if path in command else 0)
        assert "\u00e9" in done.stdout.decode() or "\u00b1" in done.stdout.decode()


@pytest.mark.parametrize("damage", [b"garbage", b"", None])
def test_a_damaged_cache_is_made_anew(damage: bytes | None, tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "growlang", "check", str(SPECS / "level.grow")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    for _ in range(2):
        done = subprocess.run(arguments, capture_output=True, env=environment)
        assert (done.returncode, done.stdout) == (0, b"")
        (cache,) = (tmp_path / "growlang").iterdir()
        cache.write_bytes(cache.read_bytes()[:3000] if damage is None else damage)


def test_shells_complete_commands_and_say_how_to_install_it() -> None:
    asked = {
        "_GROWLANG_COMPLETE": "complete_bash",
        "COMP_WORDS": "growlang tr",
        "COMP_CWORD": "1",
    }
    done = CliRunner().invoke(app, [], env=asked, prog_name="growlang")
    assert done.stdout.split() == ["train"]
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout
