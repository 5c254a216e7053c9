"""What is loaded before the first step of a run: PyTorch, and little besides."""

import subprocess
import sys
from pathlib import Path

HEAVY = {
    *("torch._dynamo", "torch._inductor", "diffusers", "transformers", "torchmetrics"),
    *("webdataset", "scipy", "sklearn", "matplotlib", "torch.distributed.fsdp"),
}
CODE = """
import sys
from pathlib import Path

import tiny
from growlang_runtime.report.metrics import Metrics

real = Metrics.write


def write(self, **values):
    if "loss" in values:
        print(*sys.modules)
        sys.stdout.flush()
        sys.exit(0)
    real(self, **values)


Metrics.write = write
tiny.train(tiny.plan(), tiny.write_data(Path(sys.argv[1])))
"""


def test_what_takes_seconds_to_load_is_not_loaded_before_the_first_step(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "growlang_runtime.train.trainer" in loaded
    assert loaded & HEAVY == set()
