"""What each of two processes does in the tests: `many.py FOLDER NAME [NAME ...]`.

Each name is that of a function below, called with the folder and the group. Where torchrun has not
started this as one of the processes, they are forked from it, once it has imported what is slow.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import diffusers  # noqa: F401 - imported before the processes fork
import pytest
import torch.utils.tensorboard
from scenes import GROWN, PHASES, WATCHED, few_draws, grown, scene
from tiny import break_steps, interrupt_at, plan, train
from torch import distributed
from torch.distributed.distributed_c10d import _get_default_store

from growlang.diagnostics import GrowlangError
from growlang.spec.metrics import Retrieval
from growlang.spec.recipe import Evaluate
from growlang.torch_backend.shards import whole
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.distributed import ranks as group
from growlang_runtime.distributed.ranks import ALONE, Ranks
from growlang_runtime.evaluation.during import Evaluator
from growlang_runtime.storage import tensors as files
from growlang_runtime.train import training
from growlang_runtime.train.state import State
from growlang_runtime.train.trainer import Trainer

LIMIT = timedelta(seconds=8)
"""How long an exchange may take where the first process evaluates for longer."""
EVERY = Evaluate(count=2, metrics=[Retrieval()], every=2)


@contextmanager
def told(folder: Path, ranks: Ranks, name: str) -> Iterator[dict[str, Any]]:
    """What the body finds, written as NAME.RANK.json."""
    found: dict[str, Any] = {}
    yield found
    (folder / f"{name}.{ranks.rank}.json").write_text(json.dumps(found))


def hashed(state: State) -> str:
    return contents_hash({n: whole(t) for n, t in state.tensors().items()})


def whole_run(folder: Path, ranks: Ranks) -> None:
    """Freezes, unfreezes and freezes again, with dropout and a batch that does not divide."""
    train(plan(PHASES, scene()), folder, "two", checkpoint_every=2, keep_checkpoints=9)


def child(folder: Path, ranks: Ranks) -> None:
    """Goes on from a parent with Muon and the moments of AdamW."""
    train(grown(), folder, "two", parent_run=folder / "one" / "tiny" / "parent")


def there_and_back(folder: Path, ranks: Ranks) -> None:
    """Two processes, of which one is sent a signal; then one; then two again."""
    with told(folder, ranks, "stopped") as found, pytest.MonkeyPatch.context() as patch:
        saved: dict[int, str] = {}
        save, restore = Trainer._save, Trainer.restore

        def noted(self: Trainer, *rest: Any) -> None:
            saved[self.step] = hashed(self.state)
            save(self, *rest)

        def loaded(self: Trainer, *rest: Any) -> None:
            restore(self, *rest)
            found.setdefault("loaded", []).append(hashed(self.state))

        patch.setattr(Trainer, "_save", noted)
        patch.setattr(Trainer, "restore", loaded)
        with pytest.MonkeyPatch.context() as own:
            if ranks.rank == 1:
                interrupt_at(own, 2)
            result = train(plan(PHASES, scene()), folder, "cut", resume="may")
        found["first"] = [result.step, result.exit_status]
        if ranks.first:
            with pytest.MonkeyPatch.context() as own:
                own.setattr(training, "joined", lambda: _alone())
                interrupt_at(own, 5)
                train(plan(PHASES, scene()), folder, "cut", resume="must")
        ranks.gather(None)
        result = train(plan(PHASES, scene()), folder, "cut", resume="must")
        found["last"], found["saved"] = [result.step, result.exit_status], saved


@contextmanager
def _alone() -> Iterator[Ranks]:
    yield ALONE


def nan(folder: Path, ranks: Ranks) -> None:
    """The loss of one process is NaN in the second step."""
    with pytest.MonkeyPatch.context() as patch:
        break_steps(patch, lambda step: step == 2 and ranks.rank == 1)
        train(plan(), folder, "nan", checkpoint_every=1, keep_checkpoints=9)


def refused(folder: Path, ranks: Ranks) -> None:
    """A run that is there already, and a batch of fewer images than processes."""
    with told(folder, ranks, "refused") as found:
        for name, given in {"there": plan(PHASES, scene()), "small": plan(GROWN)}.items():
            with pytest.raises(GrowlangError) as error:
                train(given, folder, "two" if name == "there" else "small")
            found[name] = [error.value.message, error.value.help]


def watched(folder: Path, ranks: Ranks) -> None:
    """Validates and draws while it trains."""
    with few_draws():
        train(WATCHED, folder, "watched_two", sample_every=2)


def killed(folder: Path, ranks: Ranks) -> None:
    """One process is killed while all write the checkpoint of the fourth step."""
    with pytest.MonkeyPatch.context() as patch:
        write, calls = files.write, iter(range(1, 99))

        def dies(at: Path, tensors: Any, metadata: Any, group: Ranks) -> Any:
            if next(calls) == 2 and group.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return write(at, tensors, metadata, group)

        patch.setattr(files, "write", dies)
        train(plan(PHASES, scene()), folder, "killed", checkpoint_every=2, resume="may")


def killed_in_a_step(folder: Path, ranks: Ranks) -> None:
    """One process is killed in the third step."""
    with pytest.MonkeyPatch.context() as patch:

        def dies(step: int) -> bool:
            if step == 3 and ranks.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return False

        break_steps(patch, dies)
        train(plan(PHASES, scene()), folder, "killed", checkpoint_every=2, resume="may")


def goes_on(folder: Path, ranks: Ranks) -> None:
    """What was killed goes on."""
    train(plan(PHASES, scene()), folder, "killed", resume="must")


def evaluated_for_long(folder: Path, ranks: Ranks) -> None:
    """The first evaluates until the other has waited longer than an exchange may take.

    The other is sent a signal meanwhile.
    """
    store = _get_default_store()
    with told(folder, ranks, "evaluated") as found, pytest.MonkeyPatch.context() as patch:
        wait_for, check = group._wait_for, type(store).check
        asked = iter(range(1, 99))

        def evaluate(*_: Any) -> None:
            store.wait(["waited"], timedelta(minutes=10))

        def counted(self: Any, keys: list[str]) -> bool:
            if keys[0].startswith("growlang/made") and next(asked) == 12:
                os.kill(os.getpid(), signal.SIGTERM)
                store.set("waited", "")
            return check(self, keys)

        def waits(key: str) -> None:
            with pytest.MonkeyPatch.context() as own:
                own.setattr(type(store), "check", counted)
                wait_for(key)

        patch.setattr(Evaluator, "evaluate", evaluate)
        patch.setattr(group, "_wait_for", waits)
        result = train(plan(evaluate=EVERY), folder, "evaluated")
        found["end"] = [result.step, result.exit_status]


def matrix(folder: Path, ranks: Ranks) -> None:
    """Whole runs with 0, 1 and 3 workers, and each stopped by a signal and resumed."""
    for workers in (0, 1, 3):
        given, name = plan(PHASES, scene()), f"{ranks.size}_{workers}"
        train(given, folder, f"whole_{name}", workers=workers, quiet=True)
        with pytest.MonkeyPatch.context() as patch:
            interrupt_at(patch, 4)
            train(given, folder, f"resumed_{name}", workers=workers)
        train(given, folder, f"resumed_{name}", workers=0, resume="must")


def main(folder: Path, names: list[str]) -> None:
    """Do what is named in this process, which is one of a group."""
    known: dict[str, Callable[[Path, Ranks], None]] = {
        made.__name__: made for made in (whole_run, child, there_and_back, nan, refused, watched)
    } | {
        made.__name__: made
        for made in (killed, killed_in_a_step, goes_on, evaluated_for_long, matrix)
    }
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        if "evaluated_for_long" in names:
            short = partial(distributed.init_process_group, timeout=LIMIT)
            patch.setattr(distributed, "init_process_group", short)
        ranks = stack.enter_context(group.joined())
        for name in names:
            known[name](folder, ranks)


def start(rank: int, port: int, folder: Path, names: list[str]) -> int:
    """Fork a process of a group of two; returns its id."""
    if child := os.fork():
        return child
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    os.environ |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    status = 99
    try:
        main(folder, names)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def two(folder: Path, names: list[str]) -> int:
    """Do what is named in two processes; returns the first status that is not 0."""
    torch.set_num_threads(1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [start(rank, port, folder, names) for rank in (0, 1)]
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return next((status for status in ends if status), 0)


if __name__ == "__main__":
    here, scenes = Path(sys.argv[1]), sys.argv[2:]
    sys.exit(main(here, scenes) if "RANK" in os.environ else two(here, scenes))
