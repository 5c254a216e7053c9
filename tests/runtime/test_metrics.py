import json
from pathlib import Path

from growlang_runtime.report.metrics import Metrics


def test_lines_of_later_steps_and_torn_ones_are_forgotten(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    metrics.forget_after(3)
    for step in (0, 1, 2, 3):
        metrics.write(step=step, loss=0.5)
    with metrics.path.open("a") as file:
        file.write('{"step": 1, "lo')
    metrics.forget_after(2)
    steps = [json.loads(line)["step"] for line in metrics.path.read_text().splitlines()]
    assert steps == [0, 1, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_numbers_that_json_has_not_are_null(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    metrics.write(step=1, loss=float("nan"), norm=float("-inf"), lr=0.5, text="nan")
    wanted = {"step": 1, "loss": None, "norm": None, "lr": 0.5, "text": "nan"}
    assert json.loads(metrics.path.read_text()) == wanted
