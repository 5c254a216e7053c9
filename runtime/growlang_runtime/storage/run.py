"""The folder of a run: `OUT/MODEL/NAME`, written by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep

from growlang.atomic import temporary_path, write_text
from growlang.diagnostics import Exit, GrowlangError
from growlang.net.names import InvalidNet
from growlang.plans.plan import DRAWS, FORMAT_VERSION, SEMANTICS, Plan
from growlang.plans.weights_header import CHECKPOINTS, METRICS, MODEL, PLAN, mistake
from growlang_runtime.distributed.ranks import Ranks
from growlang_runtime.storage.files import disk_full, save_text

LOCK, SAMPLES = ".lock", "samples"
TRIES, PAUSE = 50, 0.02
"""How often a lock is tried that no living process is named in, and the seconds between."""
OUT = Path("runs")
"""The default of `--out`."""
ELSEWHERE = "move the folder away, or train under another name with --name"
AFRESH = "add --fresh, which moves the old run aside, or train under another name with --name"


def run_folder(out: Path, model: str, name: str) -> Path:
    """Where a run of a model is kept under the output root: by its name, which is its recipe's."""
    return out / model / name


class Run:
    """A run folder that this process holds the lock of. Use it as a context manager.

    Of processes that train together, the first holds it, and the others change nothing. Raises
    GrowlangError if another process holds it.
    """

    def __init__(self, path: Path, plan: Plan, *, held: bool = True) -> None:
        self.path = path
        self.plan = plan
        self._lock = _lock(path) if held else None

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def samples(self) -> Path:
        """Folder of the sample grids."""
        return self.path / SAMPLES

    @property
    def metrics(self) -> Path:
        """File of the metrics, one JSON object a line."""
        return self.path / METRICS

    @property
    def model(self) -> Path:
        """File of the averaged weights, written at the end."""
        return self.path / MODEL

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @staticmethod
    def joint(ranks: Ranks, path: Path, plan: Plan, *, new: bool = False) -> Run:
        """The run of several processes, opened or created by the first of them."""
        held: list[Run] = []

        def hold() -> None:
            held.append(Run.create(path, plan) if new else Run(path, plan))

        ranks.tell(hold)
        return held[0] if held else Run(path, plan, held=False)

    @staticmethod
    def create(path: Path, plan: Plan) -> Run:
        """A new run: its folder with the spec and the plan. Raises GrowlangError if it exists."""
        with disk_full(path, "make room, or choose another output root with --out"):
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                if not is_vacant(path):
                    raise exists(path) from None
            try:
                run = Run(path, plan)
            except (OSError, KeyboardInterrupt):
                shutil.rmtree(path)
                raise
            if (path / PLAN).exists():  # another process was first
                run.close()
                raise exists(path)
            try:
                run._fill()
            except BaseException:
                run.remove()
                run.close()
                raise
        return run

    def _fill(self) -> None:
        """Make the folders, and write the spec and the plan: with a plan, it is a run."""
        self.checkpoints.mkdir(exist_ok=True)
        self.samples.mkdir(exist_ok=True)
        suffix = ".grow.yaml" if self.plan.spec.endswith((".yaml", ".yml")) else ".grow"
        write_text(self.path / f"spec{suffix}", self.plan.source)
        write_text(self.path / PLAN, self.plan.model_dump_json(indent=1))

    def close(self) -> None:
        """Give back the lock."""
        if self._lock is not None:
            _unlock(self._lock)

    def record(self, plan: Plan) -> None:
        """Overwrite the plan, atomically."""
        if self._lock is not None:
            save_text(self.path / PLAN, plan.model_dump_json(indent=1))

    def remove(self) -> None:
        """Remove the folder."""
        if self._lock is not None:
            shutil.rmtree(self.path)


def is_vacant(path: Path) -> bool:
    """Whether a folder has nothing but what is left where a run was killed before it had a plan."""
    first = [path / name for name in ("spec.grow", "spec.grow.yaml", PLAN)]
    known = {LOCK, *(temporary_path(p).name for p in first), *(p.name for p in first[:2])}
    folders = [p for p in (path / CHECKPOINTS, path / SAMPLES) if p.is_dir()]
    known |= {p.name for p in folders if not any(p.iterdir())}
    return path.is_dir() and all(p.name in known for p in path.iterdir())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a run. Raises GrowlangError if another process holds it."""
    descriptor = _lock(path)
    try:
        yield
    finally:
        _unlock(descriptor)


def _lock(path: Path) -> int:
    """Lock the run; the system gives it back when the process ends, however it ends.

    `is_locked` holds the lock for a moment as well: where no process that trains is named in the
    file, it is tried again. So it is where the folder was moved aside before the lock was had.
    """
    for left in reversed(range(TRIES)):
        try:
            descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:
            raise GrowlangError(
                f"the run {path} was moved or removed meanwhile", help="look what there is now"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            if not left or _is_alive(holder):
                raise _in_use(path, holder) from None
            sleep(PAUSE)
            continue
        if _is_at(descriptor, path / LOCK):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            return descriptor
        os.close(descriptor)
    raise _in_use(path, "")


def _unlock(descriptor: int) -> None:
    """Give back a lock; its file names no process then."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


def _is_alive(process: str) -> bool:
    """Whether a process with this number runs on this machine."""
    try:
        os.kill(int(process), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that the path names now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _in_use(path: Path, holder: str) -> GrowlangError:
    who = f"process {holder}" if holder else "another process"
    return GrowlangError(
        f"{who} is training in {path}",
        help="wait for it or stop it, or train under another name with --name",
        exit_status=Exit.IN_USE,
    )


def recorded_plan(path: Path) -> Plan:
    """The plan that the run at `path` was started with, whose nets can be read.

    Raises GrowlangError if there is none.
    """
    try:
        plan = Plan.model_validate_json((path / PLAN).read_text(encoding="utf-8"))
        later = plan.format_version > FORMAT_VERSION or plan.semantics > SEMANTICS
        if later or plan.draws > DRAWS:
            raise _unreadable(path, "a later version wrote it")
        plan.child_net(), plan.parent_net()
    except (FileNotFoundError, NotADirectoryError):
        raise _no_run(path) from None
    except InvalidNet as error:
        raise _unreadable(path, mistake(error), "") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _unreadable(path, mistake(error)) from error
    return plan


def _unreadable(
    path: Path, reason: str, version: str = "use the version of growlang that wrote it, or "
) -> GrowlangError:
    return GrowlangError(
        f"cannot use the run {path}: cannot read its {PLAN}: {reason}",
        help=f"restore {PLAN}, or {version}{AFRESH}",
    )


def exists(path: Path) -> GrowlangError:
    """The error for starting a run where there is something already, or a process trains."""
    if is_locked(path):
        return _in_use(path, (path / LOCK).read_text(errors="replace").strip())
    if not (path / PLAN).exists():
        return _no_run(path)
    return GrowlangError(
        f"the run {path} already exists",
        help=f"add --resume to continue it, or {AFRESH.removeprefix('add ')}",
    )


def _no_run(path: Path) -> GrowlangError:
    """The error for a path without a plan."""
    if not (path.exists() or path.is_symlink()):
        return GrowlangError(
            f"there is no run at {path}", help="name a run's folder, such as runs/MODEL/RECIPE"
        )
    if not path.is_dir():
        kind = "a link that leads nowhere" if path.is_symlink() else "a file"
        return GrowlangError(
            f"{path} is {kind}, not a run folder",
            help="remove it, or choose another output folder with --out or name with --name",
        )
    if not any(path.iterdir()):
        return GrowlangError(
            f"{path} is an empty folder, not a run", help=f"remove it: rmdir {path}"
        )
    return GrowlangError(f"{path} is not a run folder: it has no {PLAN}", help=ELSEWHERE)


def is_locked(path: Path) -> bool:
    """Whether a process trains in the run at `path`."""
    try:
        descriptor = os.open(path / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
