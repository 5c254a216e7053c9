"""The Python API for loops of one's own, on a run that version 0.1 left."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from fixture_specs import SPECS
from PIL import Image
from torch import Tensor

import growlang
from growlang.tables.shown import as_html
from growlang_runtime.diffusion.objective import Denoising
from growlang_runtime.diffusion.sampling import generator

RUNS = Path(__file__).parent / "fixtures" / "runs" / "0.1"
RUN = RUNS / "runs" / "core_8" / "main"
LIVE = RUNS / "runs" / "core_8" / "long"
CORE, CHILD = SPECS / "core.grow", SPECS / "child.grow"


# --- runs and weights ----------------------------------------------------------------------------


def test_a_run_tells_how_far_it_is() -> None:
    run = growlang.load_run(RUN)
    assert (run.plan.model, run.finished, run.step, run.steps) == ("core_8", True, 30, 30)
    assert repr(run) == f"Run({RUN}: finished, 30 steps)"
    assert [type(loss) for loss in run.losses.values()] == [float] * len(run.losses)
    assert max(run.losses) == 30
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in str(run).splitlines())
    assert rows["model"].startswith("core_8, ")
    assert rows["last loss"].endswith("at step 30")


def test_a_run_that_is_not_finished_has_the_weights_of_its_newest_checkpoint() -> None:
    run = growlang.load_run(LIVE)
    assert (run.finished, run.checkpoints) == (False, [13])
    assert repr(run).startswith(f"Run({LIVE}: not finished, step ")
    weights = run.weights()
    assert (weights.step, weights.path.name, weights.averaged) == (13, "step_00000013", True)
    plain = run.weights(13, ema=False)
    assert repr(plain).startswith("Weights(weights of core_8 at step 13: ")
    assert plain.keys() == weights.keys() == run.net.table.keys()
    assert any(not torch.equal(plain[name], weights[name]) for name in plain)


def test_a_run_is_read_with_steps_that_were_skipped_and_a_line_cut_short(tmp_path: Path) -> None:
    path = Path(shutil.copytree(LIVE, tmp_path / "run"))
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 14, "event": "skipped", "loss": "nan", "grad_norm": "nan"}\n')
        file.write('{"step": 15, "phase": "first", "loss": null}\n{"step": 16, "lo')
    run = growlang.load_run(path)
    assert (run.step, max(run.losses), run.metrics[-1]["step"]) == (15, 13, 15)
    assert "at step 13" in str(run)


def test_the_run_in_the_folder_that_one_is_in_has_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(LIVE)
    run = growlang.load_run(".")
    assert run.weights(13).step == 13
    with pytest.raises(growlang.GrowlangError, match="has no checkpoint `best`"):
        run.weights("best")


def test_weights_are_a_state_dict_and_make_the_module() -> None:
    weights = growlang.load_weights(RUN)
    module = weights.module()
    assert not module.training
    assert all(torch.equal(weights[n], t) for n, t in module.state_dict().items())
    growlang.compile(RUNS / "core_8.grow").module().load_state_dict(weights)
    line = next(line for line in str(weights).splitlines() if line.startswith("core.position"))
    assert line.split()[1:3] == ["16x8", "128"]


# --- noise levels, conditions, denoisers ---------------------------------------------------------


@pytest.mark.parametrize("of", ["spec", "path", "compiled", "run", "weights"])
def test_an_objective_is_found_for_every_kind_of_model(of: str) -> None:
    spec = growlang.load(RUNS / "core_8.grow")
    model = {
        "spec": spec,
        "path": spec.path,
        "compiled": growlang.compile(spec),
        "run": growlang.load_run(RUN),
        "weights": growlang.load_weights(RUN),
    }[of]
    found = growlang.objective(model)  # type: ignore[arg-type]
    assert isinstance(found, Denoising)
    assert found == growlang.objective(spec, "main") != growlang.objective(spec, "long")


def test_prompts_captions_and_labels_become_the_inputs_of_conditions() -> None:
    conditions = growlang.conditions(growlang.load_run(RUN))
    given = conditions(["shade 1", "2", ""])
    assert {name: tuple(value.shape) for name, value in given.items()} == {
        "text.ids": (3, 4),
        "text.mask": (3, 4),
        "label.label": (3,),
        "label.mask": (3, 1),
    }
    assert given["label.label"].tolist() == [3, 2, 3], "3 is the null of 3 classes"
    both = conditions.of(["shade 1", "shade 1"], [0, 1], dropped=[True, False])
    null = conditions.null(1)
    assert all(torch.equal(both[name][:1], null[name]) for name in both)
    assert both["label.label"].tolist() == [3, 1]
    assert str(conditions).splitlines()[1].split()[:5] == ["text.ids", "B", "x", "4", "caption"]


def ddim(
    given: Callable[..., Tensor],
    null: Callable[..., Tensor],
    objective: growlang.Objective,
    x_t: Tensor,
    guidance: float,
) -> Tensor:
    """As on the page, with three steps."""
    times = torch.linspace(1, 0, 4, dtype=torch.float64).expand(len(x_t), -1)
    for t, later in pairwise(times.T):
        reads = objective.embedded(t).float()
        without = null(x_t, reads)
        prediction = without + guidance * (given(x_t, reads) - without)
        x = objective.to_x(prediction, x_t, t).clamp(-1, 1)
        log_snr = objective.log_snr(t).view(-1, 1, 1, 1)
        alpha, sigma = (torch.sigmoid(s * log_snr).sqrt().float() for s in (1, -1))
        x_t = objective.noisy(x, (x_t - alpha * x) / sigma, later)
    return x


@torch.no_grad()
def test_a_sampler_by_hand_draws_what_sample_draws() -> None:
    run = growlang.load_run(RUN)
    conditions, module = growlang.conditions(run), run.weights().module()
    prompts = ["shade 1", "2"]
    noise = torch.stack(
        [torch.randn(run.net.image.dims, generator=generator(5, i)) for i in (0, 1)]
    )
    given, null = (
        growlang.denoiser(module, run, c) for c in (conditions(prompts), conditions.null(2))
    )
    drawn = ddim(given, null, growlang.objective(run), noise, 2.0)
    wanted = growlang.sample(run, prompts, seed=5, steps=3, guidance=2.0)
    torch.testing.assert_close(drawn, wanted.tensor, atol=1e-4, rtol=0)


def test_samples_are_tensors_and_images(tmp_path: Path) -> None:
    drawn = growlang.sample(growlang.load_weights(LIVE), ["shade 1", "2"], each=tmp_path, steps=1)
    assert [type(image) for image in drawn] == [Image.Image] * 2
    assert repr(drawn) == 'Samples(2 images of 8 x 8: "shade 1", "2")'
    assert torch.equal(drawn[1:].tensor[0], drawn.tensor[1])
    assert drawn._repr_png_().startswith(b"\x89PNG")
    spec = growlang.load(RUNS / "core_8.grow")
    weights = growlang.load_weights(RUN)
    same = [growlang.sample(of, "2", steps=1) for of in (RUN, f"{RUN}@30", weights)]
    for own in (weights.module(), dict(weights)):
        same.append(growlang.sample(spec, "2", weights=own, steps=1))
    assert all(torch.equal(one.tensor, same[0].tensor) for one in same)


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message", "help"),
    [
        (lambda: growlang.load(RUN), "is not a spec", "growlang.load_run"),
        (lambda: growlang.load_run(CORE), "is not a run's folder", "give a run's folder"),
        (lambda: growlang.load_run(RUNS / "no"), "there is no run at", "growlang.train"),
        (lambda: growlang.load_run(RUN / "checkpoints"), "is not a run's", "growlang.load_weights"),
        (lambda: growlang.load_run(RUN).weights(7), "no checkpoint of step 7", "@30"),
        (lambda: growlang.load_weights(RUN)["text"], "has no tensor `text`", "there are"),
        (lambda: growlang.compile(CORE).table["stem"], "has no parameter `stem`", "there are"),
        (
            lambda: growlang.load(CORE).phases("nope"),
            "has no recipe `nope`",
            "there are first, second",
        ),
        (lambda: growlang.objective(CORE, "nope"), "has no recipe `nope`", "its recipes"),
        (lambda: growlang.sample(growlang.load(CORE)), "has no weights", "weights=module"),
        (lambda: growlang.sample(growlang.load_run(RUN), weights={}), "of its own", "give a spec"),
        (lambda: growlang.denoiser(lambda: None, CORE), "needs `text.ids`", "growlang.conditions"),
        (
            lambda: growlang.denoiser(lambda: None, CORE, {"text.ids": 0, "text.mask": 0, "a": 0}),
            "has no input `a`",
            "growlang.conditions",
        ),
        (lambda: growlang.conditions(CORE).of(["a"], [1, 2]), "has 1 and 2", "a value for each"),
        (lambda: growlang.conditions(CORE, device="gpu"), "no device `gpu`", "cpu"),
    ],
)
def test_mistakes_are_growlang_errors_with_a_help(
    call: Callable[[], object], message: str, help: str
) -> None:
    with pytest.raises(growlang.GrowlangError, match=re.escape(message)) as caught:
        call()
    assert help in caught.value.help


def test_a_name_that_is_not_there_is_a_key_error_too() -> None:
    table, weights = growlang.compile(CORE).table, growlang.load_weights(RUN)
    for names in (table, weights):
        assert names.get("nope") is None
        assert "nope" not in names
        with pytest.raises(KeyError, match="`nope`"):
            names["nope"]


def test_a_warning_stands_at_the_line_of_the_caller(tmp_path: Path) -> None:
    text = CORE.read_text().replace("ema       = 0.99", "warmup = 500")
    (tmp_path / "a.grow").write_text(text)
    with pytest.warns(growlang.SpecWarning) as caught:
        growlang.objective(tmp_path / "a.grow")
    assert [found.filename for found in caught] == [__file__]


# --- in a notebook -------------------------------------------------------------------------------


def shown() -> dict[str, object]:
    """One object of each kind that prints as a table."""
    spec = growlang.load(CHILD)
    return {
        "spec": spec,
        "report": growlang.check(CHILD),
        "mapping": spec.mapping,
        "grown": growlang.grow(CORE, CHILD),
        "verification": growlang.Verification("child", "small", (), (), ("a note",)),
        "difference": growlang.diff(CORE, CHILD),
        "compiled": growlang.compile(CHILD),
        "table": growlang.compile(CHILD).table,
        "run": growlang.load_run(RUN),
        "weights": growlang.load_weights(RUN),
        "conditions": growlang.conditions(CHILD),
    }


def test_what_a_notebook_shows_is_what_print_writes() -> None:
    for name, found in shown().items():
        html = found._repr_html_()  # type: ignore[attr-defined]
        assert len(repr(found).splitlines()) == 1, name
        text = re.sub(r"<[^>]*>", "", html).rstrip("\n")
        text = re.sub(r"&(lt|gt|amp|quot|#x27);", lambda m: ESCAPED[m[1]], text)
        assert [line.rstrip() for line in text.splitlines()] == str(found).rstrip().splitlines(), (
            name
        )


ESCAPED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "#x27": "'"}


def test_html_is_escaped_and_has_no_colours_of_a_page() -> None:
    html = as_html(lambda out: out.print("<b>&</b> [green]kept[/] [dim]why[/]"))
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in html
    assert "background" not in html
    colours = re.findall(r"(?<!-)color: #(\w{6})", html)
    assert len(colours) == 2
    for colour in colours:
        assert all(contrast(colour, page) > 3 for page in ("ffffff", "111111"))


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours (WCAG 2)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
