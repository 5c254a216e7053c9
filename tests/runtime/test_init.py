"""`growlang init`, from images to two specs that train."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fixture_specs import SHIPPED, edited, growlang
from tiny import phase, plan, write_data

from growlang.checking import check
from growlang.diagnostics import GrowlangError
from growlang.tools.formatting import formatted
from growlang_runtime.starting import looking, measuring, sources
from growlang_runtime.starting.looking import look
from growlang_runtime.starting.sources import pattern_of, source_of
from growlang_runtime.train.options import RunOptions

sys.path.append(str(SHIPPED.parent / "examples" / "shapes"))

from draw import Layout, drawings, write

Draw = Callable[[Layout], Path]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models whose steps were asked for; each takes a second."""
    asked = []

    def seconds(plan: object, options: object) -> float:
        asked.append(plan.model)  # type: ignore[attr-defined]
        return 1.0

    monkeypatch.setattr(measuring, "seconds_per_step", seconds)
    return asked


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Draws ten circles and two squares into a folder `shapes`."""

    def drawn(layout: Layout) -> Path:
        folder = tmp_path / "shapes"
        folder.mkdir()
        for number, drawing in enumerate(drawings(12, 32, seed=0)):
            write(drawing, number, layout, folder)
        return folder

    return drawn


def answers(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """A terminal at which these lines are typed."""
    terminal = io.StringIO("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)


def init(data: Path | str, out: Path, *more: str) -> Sequence[Path]:
    """The specs that `init --yes` writes."""
    run = growlang("init", "--data", data, "--out", out, "--device", "cpu", "--yes", *more)
    assert run.status == 0, run.err
    return sorted(out.glob("*.grow"))


def require_clean(specs: Sequence[Path]) -> None:
    for path in specs:
        assert check(path).diagnostics == ()
        assert not formatted(path).changed


# --- what is written -----------------------------------------------------------------------------


def test_what_is_written_trains_and_grows(tmp_path: Path, measured: list[str]) -> None:
    data = write_data(tmp_path) / "data.tar"
    core, grown = init(data, tmp_path / "specs", "--budget", "0.1", "--size", "16")
    require_clean([core, grown])
    edited(core, core, ("ddim(steps = 40)", "ddim(steps = 1)"))
    runs = tmp_path / "runs"
    for spec in (core, grown):
        done = growlang("train", spec, "--out", runs, "--log-every", "1")
        assert done.status == 0, done.err
    assert {path.parent.parent.name for path in runs.glob("*/main/model.safetensors")} == {
        "core_8",
        "data_16",
    }


def test_a_step_is_measured_by_training_some(data: Path) -> None:
    options = RunOptions(data_root=data, out=data / "runs")
    found = measuring.seconds_per_step(plan([phase(steps=5)]), options)
    rates = measuring.images_per_second(data / "runs" / "tiny" / "main")
    assert len(rates) == 5
    assert min(rates[3:]) <= 4 / found <= max(rates[3:])


def test_a_step_that_is_not_finite_ends_the_measuring(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(
        '{"step": 1, "loss": 0.5, "images_per_s": 9}\n'
        '{"step": 2, "event": "skipped", "loss": "nan", "grad_norm": "nan"}\n'
    )
    with pytest.raises(GrowlangError, match="step 2 of the measuring was not finite"):
        measuring.images_per_second(tmp_path)


def test_many_images_are_packed_first(
    tmp_path: Path, draw: Draw, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "FEW", 10)
    core, grown = init(draw(Layout.folders), tmp_path / "specs")
    require_clean([core, grown])
    text = core.read_text("utf-8")
    assert 'data shapes = webdataset("shapes_shards/' in text
    assert 'names = ["circle", "square"]' in text
    assert list((tmp_path / "specs" / "shapes_shards").glob("*.tar"))


def test_no_shards_of_another_set_are_replaced(
    tmp_path: Path, draw: Draw, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "FEW", 10)
    folder, out = draw(Layout.folders), tmp_path / "specs"
    other = folder.parent / "others"
    shutil.copytree(folder, other)
    init(folder, out)
    first = out / "shapes_shards" / "000000.tar"
    before = first.read_bytes()
    init(other, out, "--force")
    assert (out / "others_shards" / "000000.tar").is_file()
    next(folder.rglob("*.png")).unlink()
    given = ("--data", folder, "--out", out, "--device", "cpu", "--yes", "--force")
    refused = growlang("init", *given)
    assert refused.status == 2
    assert "give --name" in refused.err
    assert first.read_bytes() == before
    assert growlang("init", *given, "--name", "again").status == 0


def test_folders_of_one_name_are_one_class(tmp_path: Path, draw: Draw, measured: list[str]) -> None:
    drawn = [*draw(Layout.folders).rglob("*.png")]
    for year in ("2023", "2024"):
        (tmp_path / "photos" / year / "img").mkdir(parents=True)
    for number, path in enumerate(drawn):
        path.rename(tmp_path / "photos" / f"{2023 + number % 2}" / "img" / f"{number}.png")
    core, _ = init(tmp_path / "photos", tmp_path / "specs")
    assert "label" not in core.read_text("utf-8")


def test_a_folder_is_looked_at_once(
    tmp_path: Path, draw: Draw, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    look_at = looking.look
    monkeypatch.setattr(looking, "look", lambda *given: looked.append(given) or look_at(*given))
    init(draw(Layout.captions), tmp_path / "specs")
    assert len(looked) == 1


def test_a_folder_of_the_home_is_packed(
    tmp_path: Path, draw: Draw, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "FEW", 10)
    monkeypatch.setenv("HOME", str(draw(Layout.folders).parent))
    assert init("~/shapes", tmp_path / "specs")


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (Layout.captions, "text  = words(width, tokens = 8, vocabulary = 1024)"),
        (Layout.folders, 'label = classes(width, names = ["circle", "square"])'),
    ],
)
def test_a_folder_is_read_where_it_lies(
    tmp_path: Path, draw: Draw, measured: list[str], layout: Layout, said: str
) -> None:
    folder = draw(layout)
    core, grown = init(folder, tmp_path / "specs")
    require_clean([core, grown])
    assert (core.name, grown.name) == ("core_16.grow", "shapes_32.grow")
    text = core.read_text("utf-8")
    assert said in text
    assert 'data shapes = folder("../shapes"' in text
    assert set(measured) == {"core_16", "shapes_32"}


def test_a_table_beside_the_folder_is_named_from_the_specs(
    tmp_path: Path, draw: Draw, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{image.name},{image.stem}" for image in draw(Layout.captions).glob("*.png")]
    (tmp_path / "mine.csv").write_text("\n".join(["file_name,text", *rows]), "utf-8")
    monkeypatch.chdir(tmp_path)
    core, _ = init("shapes", Path("specs"), "--captions", "mine.csv")
    assert 'caption = "../mine.csv:text"' in core.read_text("utf-8")
    (source,) = check(core).require(core).phases("main")[0].settings.data
    assert len(look(source.data, core.parent).captions) == 12


def test_the_next_commands_are_printed(tmp_path: Path, draw: Draw, measured: list[str]) -> None:
    folder = draw(Layout.captions)
    run = growlang(
        *("init", "--data", folder, "--out", tmp_path / "specs", "--device", "cpu", "--yes")
    )
    core, grown = tmp_path / "specs" / "core_16.grow", tmp_path / "specs" / "shapes_32.grow"
    assert run.out.splitlines()[:2] == [
        f"growlang train {core} --threads auto",
        f"growlang train {grown} --threads auto",
    ]
    assert run.out.splitlines()[2] == "growlang sample runs/shapes_32/main"
    assert "12 images, 32 px, 12 different captions" in run.err


# --- questions -----------------------------------------------------------------------------------


def test_a_terminal_is_asked_and_asked_again(
    tmp_path: Path, draw: Draw, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw(Layout.folders)
    answers(monkeypatch, str(folder), "cpu", "20", "16", "flowers", "none", "")
    run = growlang("init", "--out", tmp_path / "specs")
    assert run.status == 0, run.err
    assert "--size 20" in run.err
    assert "--condition flowers" in run.err
    core = (tmp_path / "specs" / "core_8.grow").read_text("utf-8")
    assert "attend = [self]" in core
    assert "10 minutes" in core


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([], ["--data", "--size", "--condition", "--budget", "--device"]),
        (["--data", "x", "--size", "64", "--device", "cpu"], ["--condition", "--budget"]),
    ],
)
def test_without_a_terminal_what_is_missing_is_named(given: list[str], named: list[str]) -> None:
    run = growlang("init", *given)
    assert run.status == 2
    assert all(name in run.err for name in [*named, "--yes"])
    assert not any(name in run.err.splitlines()[0] for name in given if name.startswith("--"))


def test_yes_needs_data() -> None:
    run = growlang("init", "--yes")
    assert run.status == 2
    assert "--data PATH" in run.err


# --- refusals ------------------------------------------------------------------------------------


def test_files_that_are_there_stay_unless_forced(
    tmp_path: Path, draw: Draw, measured: list[str]
) -> None:
    folder, out = draw(Layout.captions), tmp_path / "specs"
    core, _ = init(folder, out)
    core.write_text("mine", "utf-8")
    measured.clear()
    run = growlang("init", "--data", folder, "--out", out, "--device", "cpu", "--yes")
    assert run.status == 2
    assert "core_16.grow" in run.err
    assert "--force" in run.err
    assert core.read_text("utf-8") == "mine"
    assert measured == [], "the refusal comes before the measuring"
    init(folder, out, "--force")
    require_clean([core])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--size", "20"], "--size 20"),
        (["--budget", "0"], "--budget 0"),
        (["--budget", "inf"], "--budget inf"),
        (["--budget", "nan"], "--budget nan"),
        (["--condition", "classes"], "the images have no classes"),
        (["--condition", "flowers"], "text, classes or none"),
        (["--device", "tpu"], "tpu"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_refused(
    tmp_path: Path, draw: Draw, measured: list[str], options: list[str], said: str
) -> None:
    out = tmp_path / "specs"
    given = ["--data", str(draw(Layout.captions)), "--device", "cpu", "--yes", "--out", str(out)]
    run = growlang("init", *given, *options)
    assert run.status == 2
    assert said in run.err
    assert not out.exists()


# --- data ----------------------------------------------------------------------------------------


def test_shards_are_named_by_one_pattern(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"x-{number:03d}.tar").touch()
    assert pattern_of(tmp_path) == f"{tmp_path}/x-{{000..002}}.tar"
    (tmp_path / "other.tar").touch()
    assert pattern_of(tmp_path) == f"{tmp_path}/*.tar"


def test_classes_are_those_of_all_samples(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = draw(Layout.folders)
    monkeypatch.setattr(looking, "READ", 1)
    assert look(source_of(str(folder)), Path()).classes == ("circle", "square")


def test_a_vocabulary_is_so_large_that_words_do_not_share_a_row(tmp_path: Path) -> None:
    captions = [b"word%d other%d" % (i, i) for i in range(60)]
    write_data(tmp_path, captions=captions)
    seen = look(source_of(str(tmp_path / "data.tar")), tmp_path)
    assert seen.vocabulary > 1024
    assert seen.tokens == 8
    assert seen.images == len(seen.captions) == 60
