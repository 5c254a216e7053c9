"""What `compile --devices N --memory SIZE` says of a recipe, and refuses."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from fixture_specs import SHIPPED, checked, growlang
from test_layers import loaded

import growlang as api
from growlang.diagnostics import GrowlangError
from growlang.diagnostics.text import as_text, plain
from growlang.fitting import USABLE, size_of
from growlang.plans.encoders import PARAMETERS, encoders_of
from growlang.plans.tensor_file import header_bytes

FIXTURES = Path(__file__).parent / "fixtures"
LARGE = FIXTURES / "devices"
MEMORY = FIXTURES / "memory"
GIB = 2**30


def test_what_does_not_fit_is_refused_with_what_does(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(LARGE)
    name = "g450_activations.grow"
    compiled = api.compile(name)
    memory = compiled.memory(8, "80GB")
    assert not memory.fits and memory.finding is not None
    text = as_text(memory.finding, compiled.spec.texts, plain) + "\n"
    expected = LARGE / "g450_activations.txt"
    if request.config.getoption("--update"):
        expected.write_text(text)
    assert text == expected.read_text()
    options = ("--devices", "8", "--memory", "80GB", "--no-build")
    printed = growlang("compile", name, *options)
    assert (printed.status, printed.err) == (1, text + "\n")
    assert "memory of each device: 8 devices" in printed.out
    as_json = growlang("compile", name, *options, "--json")
    assert as_json.status == 1
    said = json.loads(as_json.out)["memory"]
    assert said["fits"] is False
    assert said["nearest"]["command"] in text
    near = ("--micro-batch", str(said["nearest"]["micro_batch"]))
    assert growlang("compile", name, *options, *near).status == 0


@pytest.mark.parametrize("limit", ["200GB", "80GB", "40GB", "16GB", "8GB"])
def test_the_nearest_setting_fits_and_is_the_first_that_does(limit: str) -> None:
    near = api.compile(LARGE / "g450_activations.grow").memory(8, limit).nearest
    assert near is not None
    assert near.fits and max(p.peak for p in near.phases) <= USABLE * size_of(limit)
    assert ("--activation-checkpointing" in near.command) is near.setting.checkpointing
    assert near.command.startswith("torchrun ")


def test_what_fits_on_no_devices_says_what_is_too_large() -> None:
    memory = api.compile(LARGE / "g450_activations.grow").memory(8, "64MB")
    assert memory.nearest is None and memory.finding is not None
    assert "it fits on no 1,024 devices either" in memory.finding.help


def test_it_needs_no_torch() -> None:
    modules = loaded(
        "import sys\nfrom growlang.cli import main\n"
        "sys.argv = 'growlang compile examples/emoji/emoji_64.grow --no-build --json --devices 4 "
        "--memory 80GB'.split()\nsys.stdout = open('/dev/null', 'w')\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code\n"
    )
    assert "growlang.fitting" in modules
    assert modules & {"torch", "numpy", "growlang_runtime"} == set()


def test_frozen_tensors_have_no_gradient_and_keep_their_moments() -> None:
    ends, all_, body = api.compile(MEMORY / "base.grow").memory(8).phases
    assert ends.gradients + body.gradients == all_.gradients > body.gradients
    assert ends.moments < all_.moments == body.moments
    assert all_.moments < 2 * all_.weights  # matrices of Muon have one
    assert ends.weights == all_.weights == body.weights


def test_a_bridge_holds_the_parents_ends_whole_until_it_is_over() -> None:
    fade, all_ = api.compile(MEMORY / "grown.grow").memory(8).phases
    assert fade.weights > all_.weights
    assert fade.activations > all_.activations * 0.9


def test_more_devices_hold_less_each() -> None:
    compiled = api.compile(MEMORY / "base.grow")
    peaks = [compiled.memory(n).phases[1].peak for n in (1, 2, 4, 8, 16)]
    assert all(more > fewer for more, fewer in pairwise(peaks))


def test_less_at_once_and_computing_again_take_less() -> None:
    compiled = api.compile(LARGE / "g450_activations.grow")
    whole = compiled.memory(1).phases[0]
    small = compiled.memory(1, micro_batch=16).phases[0]
    again = compiled.memory(1, activation_checkpointing=True).phases[0]
    assert small.activations * 64 == pytest.approx(whole.activations)
    assert again.activations < whole.activations / 2
    assert again.state == small.state == whole.state


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.grow")), ids=lambda p: p.stem)
def test_shipped_recipes_fit_some_cluster(path: Path) -> None:
    spec = checked(path)
    if spec.net.of_tokens or not spec.recipes:
        return
    for recipe in spec.recipes:
        assert api.compile(spec, recipe).memory(8, "80GB").nearest is not None


@pytest.mark.parametrize(
    ("id", "parameters"),
    [
        ("google/t5-v1_1-xxl", 4_762_310_656),
        ("google/t5-v1_1-base", 109_628_544),
        ("t5-large", 334_939_648),
        ("openai/clip-vit-large-patch14", 123_060_480),
    ],
)
def test_encoders_are_as_large_as_they_were_published(id: str, parameters: int) -> None:
    assert PARAMETERS[id] == parameters


def test_the_encoder_of_a_folder_is_counted_in_its_files(tmp_path: Path) -> None:
    shapes = {"encoder.a": ("F32", (3, 4)), "shared.b": ("F32", (5,)), "decoder.c": ("F32", (9,))}
    start, _ = header_bytes(shapes, {})
    (tmp_path / "model.safetensors").write_bytes(start + bytes(4 * 26))
    call = {"op": "t5", "id": str(tmp_path)}
    assert encoders_of({"text": call, "again": call}).bytes == 2 * 17
    assert encoders_of({"text": {"op": "encoder", "id": "someone/else"}}).unknown == (
        "someone/else",
    )


@pytest.mark.parametrize(
    ("text", "size"), [("80GB", 80 * 10**9), ("80 GiB", 80 * GIB), ("81559MiB", 81559 * 2**20)]
)
def test_a_size_is_in_decimal_or_binary_units(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--devices", "8", "--memory", "much"), "`much` is no size of a memory"),
        (("--devices", "8", "--memory", "80"), "help: write `--memory 80GB`"),
        (("--devices", "8", "--memory", "80000000000"), "help: write `--memory 80000000000B`"),
        (("--devices", "2000"), "a batch of 1,024 images cannot be spread over 2,000 devices"),
        (("--micro-batch", "4"), "do nothing alone"),
    ],
)
def test_what_cannot_be_asked(options: tuple[str, ...], said: str) -> None:
    printed = growlang("compile", str(LARGE / "g450_activations.grow"), "--no-build", *options)
    assert (printed.status, printed.out) == (2, "")
    assert said in printed.err


def test_a_token_model_has_no_memory_of_training() -> None:
    printed = growlang("compile", str(SHIPPED / "gpt2_small.grow"), "--no-build", "--devices", "8")
    assert (printed.status, printed.out) == (2, "")
    assert "help: leave out --devices and --memory" in printed.err


def test_a_micro_batch_above_the_share_has_no_effect() -> None:
    compiled = api.compile(LARGE / "g450_activations.grow")
    assert compiled.memory(32, micro_batch=64).remarks == [
        "--micro-batch 64 has no effect: a device has only 32 images of a batch"
    ]
    assert compiled.memory(32, micro_batch=32).remarks == []


def test_sizes_are_written_as_in_the_table() -> None:
    memory = api.compile(LARGE / "g450_activations.grow").memory(1, "80GB")
    assert memory.finding is not None
    assert "needs 1.233 TiB on a device, which has 70.78 GiB for tensors" in memory.finding.message


def test_a_setting_of_python_is_checked() -> None:
    with pytest.raises(GrowlangError, match="`devices` must be at least 1"):
        api.compile(MEMORY / "base.grow").memory(0)
