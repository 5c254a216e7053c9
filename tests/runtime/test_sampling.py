"""Images from the weights of a run: what `sample` draws, writes and refuses."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from fixture_specs import growlang
from PIL import Image
from tiny import full_disk, net, phase, plan, train, write_data

import growlang as api
from growlang.diagnostics import GrowlangError
from growlang.net import Net
from growlang.spec.objectives import Diffusion
from growlang.spec.recipe import Sample
from growlang.spec.samplers import DDIM, DPMSolver
from growlang.spec.schedules import Cosine
from growlang_runtime.distributed.ranks import Ranks
from growlang_runtime.report.grids import to_pil_image
from growlang_runtime.report.prompts import own_prompts
from growlang_runtime.report.samples import Places, name_of
from growlang_runtime.sample import draw, requested, sample
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.weights import Weights, load

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_data(tmp_path_factory.mktemp("data"))
    return train(plan(), folder, quiet=True).run


@pytest.mark.parametrize("steps", [None, 3])
def test_an_image_depends_on_seed_and_place_but_not_on_the_batch(
    run: Path, steps: int | None
) -> None:
    prompts = ["a red dot", "blue sky", "a red dot"]
    trained = load(run)
    drawn = [
        draw(trained, prompts, requested(trained, 3.0, steps), seed, CPU, batch)
        for seed, batch in ((0, 3), (0, 1), (1, 3))
    ]
    torch.testing.assert_close(drawn[0], drawn[1], atol=1 / 255, rtol=0)
    assert (drawn[0] - drawn[2]).abs().max() > 0.05
    assert (drawn[0][0] - drawn[0][2]).abs().max() > 0.05


def test_several_images_of_a_prompt_have_the_seeds_in_a_row(run: Path, tmp_path: Path) -> None:
    """Whatever the batch, and each is the one that its seed alone gives."""
    drawn = sample(
        run, prompts=["red", "blue"], count=3, seed=5, batch=4, places=Places(tmp_path / "a.png")
    )
    assert drawn.prompts == ("red",) * 3 + ("blue",) * 3
    for n in range(3):
        alone = sample(run, prompts=["red", "blue"], seed=5 + n).tensor
        torch.testing.assert_close(drawn.tensor[n::3], alone, atol=1 / 255, rtol=0)
    with Image.open(drawn.files[0]) as sheet:
        assert sheet.size == (3 * 136, 2 * 164)
        assert sheet.size == drawn.grid().size
        row = sheet.convert("L").crop((0, 136, 3 * 136, 164))
    assert row.crop((0, 0, 136, 28)).getextrema()[0] < 64
    assert row.crop((136, 0, 3 * 136, 28)).getextrema() == (255, 255), "one caption for the row"


def test_the_parts_of_processes_are_what_one_draws(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load(run)
    asked = (
        weights,
        ["red", "", "blue"],
        requested(weights, sampler="ddpm", steps=3),
        0,
        CPU,
        4,
        2,
    )
    whole = draw(*asked)
    parts = []
    for rank in range(4):
        monkeypatch.setattr(Ranks, "gather", lambda _, value: [value])
        monkeypatch.setattr(Ranks, "first", True)
        parts.append(draw(*asked, ranks=Ranks(rank, 4)))
    assert [len(part) for part in parts] == [1, 2, 1, 2]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1 / 255, rtol=0)


@pytest.mark.slow
def test_two_processes_draw_what_one_does(run: Path, tmp_path: Path) -> None:
    """With noise in each step, truncated prompts in the second part, and a row for each prompt."""
    asked = ["-p", "red", "-p", "", "-p", "one two three four five", "--count", "3", "--sampler"]
    asked += ["ddpm", "--steps", "3", "--each"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    two = tmp_path / "two"
    done = subprocess.run(
        [*torchrun, "-m", "growlang", "sample", run, *asked, two], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(path) for path in sorted(two.iterdir())]
    assert "one two three four five" in done.stderr
    one = tmp_path / "one"
    alone = growlang("sample", str(run), *asked, str(one))
    assert alone.status == 0
    names = [path.name for path in sorted(one.iterdir())]
    assert len(names) == 9
    for name in names:
        with Image.open(one / name) as a, Image.open(two / name) as b:
            pairs = zip(a.tobytes(), b.tobytes(), strict=True)
            assert max(abs(x - y) for x, y in pairs) <= 1


@pytest.mark.parametrize("sampler", ["ddpm", "heun"])
def test_settings_can_be_given_to_a_trained_model(run: Path, sampler: str) -> None:
    weights = load(run)
    said = requested(
        weights, 3.0, 4, sampler=sampler, guidance_interval=(0.25, 0.75), guidance_rescale=0.7
    )
    assert (said.sampler.call, said.sampler.steps) == (sampler, 4)
    assert said.says_of_guidance == {"guidance_interval": [0.25, 0.75], "guidance_rescale": 0.7}
    assert draw(weights, ["red"], said, 0, CPU, 1).isfinite().all()


def test_a_sampler_is_given_as_in_a_spec(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("growlang_runtime.sample.sample", lambda *_, **given: asked.append(given))
    api.sample(run, sampler="dpm_solver(steps = 5, order = 3)")
    api.sample(run, sampler="heun")
    (called, named) = (given["sampler"] for given in asked)
    assert (called, named) == (DPMSolver(steps=5, order=3), "heun")
    assert requested(load(run), sampler=called).sampler == called
    assert requested(load(run), steps=7, sampler=called).sampler == DPMSolver(steps=7, order=3)
    for text, said in (
        ("dpm_solver(steps = 0)", "`steps` must be at least 1"),
        ("dpm_solver(ordr = 2)", "`ordr`"),
        ("ddim() guidance = 3", "cannot read the sampler"),
        ("ddim(", "cannot read the sampler"),
    ):
        with pytest.raises(GrowlangError, match=said):
            api.sample(run, sampler=text)


def test_the_network_computes_in_bf16_if_it_is_asked_to(run: Path) -> None:
    fine, coarse, again = (
        sample(run, prompts=["red"], precision=precision).tensor
        for precision in ("fp32", "bf16", "bf16")
    )
    assert torch.equal(coarse, again)
    assert coarse.dtype == torch.float32
    assert 1e-5 < float((fine - coarse).abs().max()) < 0.1


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"sampler": "eular"}, "unknown sampler `eular`"),
        ({"sampler": "dpm"}, "unknown sampler `dpm`"),
        ({"guidance_interval": (0.5, 0.5)}, "must be two rising times from 0 to 1, but is 0.5 0.5"),
        ({"guidance_rescale": 2.0}, "`guidance_rescale` must be from 0 to 1, but is 2"),
        ({"count": 0}, "`count` must be at least 1"),
        ({"precision": "fp8"}, "`precision` must be fp32 or bf16, but is fp8"),
    ],
)
def test_settings_that_cannot_be_are_refused(run: Path, given: Any, match: str) -> None:
    with pytest.raises(GrowlangError, match=match) as error:
        sample(run, prompts=["red"], **given)
    meant = {"eular": "euler", "dpm": "dpm_solver"}.get(str(given.get("sampler")), "")
    assert f"did you mean `{meant}`?" in error.value.help or not meant


def test_what_does_nothing_without_guidance_is_told(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given: Any = {"prompts": ["red"], "steps": 1, "guidance_interval": (0.1, 1)}
    sample(run, guidance=1.0, **given)
    assert "warning: `guidance_interval` has no effect: guidance is 1" in capsys.readouterr().err
    sample(run, guidance=2.0, **given)
    assert "has no effect" not in capsys.readouterr().err


def test_sample_writes_a_grid_and_overwrites_nothing(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "grid.png"
    drawn = sample(run, prompts=["red", "blue"], places=Places(output))
    assert (drawn.tensor.shape, drawn.files) == ((2, 1, 8, 8), (output,))
    with Image.open(output) as image:
        assert image.size == (2 * (128 + 8), 128 + 8 + 28)
    before = output.read_bytes()
    for number in (1, 2):
        drawn = sample(run, prompts=["red"], places=Places(output))
        assert drawn.files == (output.with_name(f"grid-{number}.png"),)
    assert output.read_bytes() == before
    assert sample(run, prompts=["red"], places=Places(output, None, True)).files == (output,)
    assert output.read_bytes() != before
    with pytest.raises(GrowlangError, match="no prompts"):
        sample(run, prompts=[], places=Places(tmp_path / "other.png"))


def test_single_images_are_named_by_number_and_prompt(run: Path, tmp_path: Path) -> None:
    prompts = ["a red/dot!", "", "Привет"]
    drawn = sample(run, prompts=prompts, places=Places(None, tmp_path / "each"))
    names = ["000-a-red-dot.png", "001.png", "002-Привет.png"]
    assert [path.name for path in drawn.files] == names == [name_of(*p) for p in enumerate(prompts)]
    with Image.open(drawn.files[0]) as image:
        assert image.tobytes() == drawn[0].tobytes() == to_pil_image(drawn.tensor[0]).tobytes()
    again = sample(run, prompts=prompts[:1], places=Places(None, tmp_path / "each"))
    assert [path.name for path in again.files] == ["000-a-red-dot-1.png"]
    with pytest.raises(GrowlangError, match="is a file, not a folder"):
        sample(run, prompts=prompts, places=Places(None, drawn.files[0]))
    assert len(name_of(0, "wide " * 99)) < 60


def test_without_prompts_those_of_the_spec_are_drawn(tmp_path: Path) -> None:
    """Of the weights alone, although the spec named a file: its lines are stored with them."""
    write_data(tmp_path)
    (tmp_path / "prompts.txt").write_text("red\n\nblue sky\n")
    made = plan([phase(steps=1)], sample=Sample(sampler=DDIM(steps=2), prompts="prompts.txt"))
    run = train(made, tmp_path, quiet=True).run
    (tmp_path / "prompts.txt").unlink()
    assert sample(run).prompts == ("red", "blue sky")
    assert sample(run / "checkpoints" / "step_00000001").prompts == ("red", "blue sky")


def test_without_prompts_a_model_shows_what_it_reads() -> None:
    def prompts(encoders: dict[str, Any], stated: Any = None) -> list[str]:
        said = Sample(prompts=stated).model_dump_json()
        bare = Net("bare", (), (), (), "", encoders)
        return own_prompts(Weights(Path("a.safetensors"), bare, {}, {"sample": said}))

    assert prompts({}) == [""] * 8
    assert prompts({"kind": {"op": "classes", "n": 3, "width": 8}}) == ["0", "1", "2"]
    named = {"op": "classes", "n": 2, "width": 8, "names": ["circle", "square"]}
    assert prompts({"kind": named}) == ["circle", "square"]
    assert len(prompts({"kind": {"op": "classes", "n": 1000, "width": 8}})) == 64
    with pytest.raises(GrowlangError, match="no prompts given, and the spec of") as error:
        prompts(net().encoders)
    assert "--prompt" in error.value.help
    with pytest.raises(GrowlangError, match=r"cannot read the prompts file lost\.txt"):
        prompts(net().encoders, "lost.txt")


def test_a_run_that_goes_on_is_sampled_by_its_newest_checkpoint(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = tmp_path / "live"
    shutil.copytree(run, live)
    (live / "model.safetensors").unlink()
    newest = live / "checkpoints" / "step_00000004"
    older = shutil.copytree(newest, live / "checkpoints" / "step_00000002")
    finished = sample(run).tensor
    assert capsys.readouterr().err == "sampling on cpu\n"
    assert torch.equal(sample(live).tensor, finished)
    assert capsys.readouterr().err == (
        f"{live} is not finished: sampling from step 4, {newest}\nsampling on cpu\n"
    )
    (newest / "state.safetensors").write_bytes(b"torn")
    sample(live, steps=1)
    said = capsys.readouterr().err
    assert f"sampling from step 4, {older}" in said  # the record is the copied one's
    assert f"warning: skipped {newest}: state.safetensors has 4 bytes" in said
    shutil.rmtree(live / "checkpoints")
    with pytest.raises(GrowlangError, match="no weights at") as error:
        sample(live)
    assert "has not saved any yet" in error.value.help


def test_a_checkpoint_that_is_removed_while_it_is_read_gives_way_to_a_newer_one(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = tmp_path / "live"
    shutil.copytree(run, live)
    (live / "model.safetensors").unlink()
    newest = checkpoint.newest

    def removed(folder: Path) -> Any:
        found = newest(folder)
        if found[0] and found[0].path.name == "step_00000004":
            found[0].path.rename(folder / "step_00000006")
        return found

    monkeypatch.setattr(checkpoint, "newest", removed)
    assert load(live).path.name == "step_00000006"


@pytest.mark.parametrize(
    ("output", "match"),
    [
        ("a.xyz", "does not end in .png"),
        ("file.png/b.png", "Not a directory"),
        ("/proc/x.png", "cannot write .*: No such file"),
        (f"{'x' * 300}.png", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_drawing(
    tmp_path: Path, output: str, match: str
) -> None:
    (tmp_path / "file.png").write_text("")
    with pytest.raises(GrowlangError, match=match) as error:
        sample(tmp_path / "no run", prompts=["red"], places=Places(tmp_path / output))
    assert "--output" in error.value.help
    assert [p.name for p in tmp_path.iterdir()] == ["file.png"]


@pytest.mark.parametrize("guidance", [float("inf"), float("nan"), -1.0])
def test_a_guidance_that_is_no_number_is_refused(tmp_path: Path, guidance: float) -> None:
    with pytest.raises(
        GrowlangError, match=f"guidance must be finite, at least 0, but is {guidance}"
    ):
        sample(tmp_path, prompts=["red"], places=Places(tmp_path / "a.png"), guidance=guidance)


def test_prompts_that_are_not_read_whole_are_told(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = ["one two three four five", "red", "", "?!", "1 2 3 4 5", "Привет"]
    sample(run, prompts=prompts, places=Places(tmp_path / "a.png"), batch=2)
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "sampling on cpu"
    assert lines == [
        f'warning: prompt "{prompt}" is truncated to its first 4 words, the limit of condition '
        "`text`"
        for prompt in ("one two three four five", "1 2 3 4 5")
    ] + ['warning: prompt "?!" has no words: condition `text` treats it as no caption']


def test_guidance_that_was_not_trained_for_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    never = plan([phase(steps=1, objective=Diffusion(schedule=Cosine(base=8), drop=0.0))])
    run = train(never, tmp_path, quiet=True).run
    for guidance, told in (
        (None, ""),
        (3.0, "guidance 3 needs a model that was also trained without"),
    ):
        sample(run, prompts=["red"], places=Places(tmp_path / f"{guidance}.png"), guidance=guidance)
        err = capsys.readouterr().err.removeprefix("sampling on cpu\n")
        assert told in err
        assert bool(told) == bool(err)


@pytest.mark.parametrize("semantics", [1, 2])
def test_words_are_read_as_in_training(tmp_path: Path, semantics: int) -> None:
    write_data(tmp_path)
    done = train(plan(semantics=semantics), tmp_path, quiet=True)
    weights = load(done.run)
    assert weights.semantics == semantics
    loud, quiet = (
        draw(weights, [word], requested(weights, steps=2), 0, CPU, 1)
        for word in ("STRASSE", "straße")
    )
    assert torch.equal(loud, quiet) == (semantics == 2)


def test_a_full_disk_leaves_no_half_image(run: Path, tmp_path: Path) -> None:
    with full_disk(100), pytest.raises(GrowlangError, match="the disk is full") as error:
        sample(run, prompts=["red"], places=Places(tmp_path / "a.png"))
    assert "--resume" not in error.value.help
    assert not list(tmp_path.iterdir())


def test_a_single_file_or_a_checkpoint_is_enough(run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "model.safetensors"
    alone.write_bytes((run / "model.safetensors").read_bytes())
    prompts = ["red"]
    found = [
        draw(weights := load(path), prompts, requested(weights), 0, CPU, 1)
        for path in (run, alone, run / "checkpoints" / "step_00000004")
    ]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_what_has_no_weights_is_told_with_what_has(run: Path, tmp_path: Path) -> None:
    def said(path: Path) -> str:
        with pytest.raises(GrowlangError) as error:
            sample(path, prompts=["red"])
        return f"{error.value.message} ({error.value.help})"

    assert f"did you mean `{run}`?" in said(run.with_name("mian"))
    assert f"name one of the runs in it: {run}" in said(run.parent)
    spec = tmp_path / "a.grow"
    spec.write_text("grow 1\n")
    assert f"{spec} is a spec, which has no weights" in said(spec)


def test_a_seed_is_a_whole_number(run: Path) -> None:
    with pytest.raises(GrowlangError, match="`seed` must be a whole number, at least 0, but is -1"):
        sample(run, prompts=["red"], seed=-1)
