"""Reports for the test in a browser: `python reports.py FOLDER` trains three small runs."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "runtime"))

import pytest
from tiny import CORE, interrupt_at, phase, plan, settings, train, write_data

import growlang
from growlang.spec.optimizers import AdamW
from growlang.spec.recipe import Sample, Validation
from growlang.spec.samplers import DDIM

PROMPTS = ["<script>document.title = 'broken'</script>", "a & b"]


def main(folder: Path) -> None:
    """Write `one.html`, of a run that was resumed, and `three.html`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_data(folder)
    (source,) = settings().data
    held = [source.model_copy(update={"holdout": 0.5})]
    chosen = Validation(data=held, transform=settings().transform, holdout=0.5)
    runs = []
    for name, lr, steps in (("a", 1e-2, 30), ("b", 3e-3, 30), ("c", 1e-3, 20)):
        fast = AdamW(lr=lr)
        first = phase("frozen", 12, data=held, optimizer=fast, frozen=CORE)
        second = phase("joint", steps - 12, data=held, optimizer=fast, lr_scale={CORE[0]: 0.5})
        sample = Sample(sampler=DDIM(steps=2), prompts=PROMPTS)
        made = plan([first, second], validation=chosen, sample=sample)
        options = {"quiet": True, "validate_every": 10, "sample_every": 6}
        with pytest.MonkeyPatch.context() as patch:
            interrupt_at(patch, 15)
            train(made, folder, name, **options)
        runs.append(train(made, folder, name, resume="must", **options).run)
    growlang.report(runs[0], folder / "one.html")
    growlang.report(runs, folder / "three.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
