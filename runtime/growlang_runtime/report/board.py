"""What a run shows on boards while it trains: TensorBoard, and others where they are asked for."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any

from growlang.diagnostics import GrowlangError, exit_of
from growlang.plans.plan import Plan
from growlang_runtime.report.settings import Value, settings_of
from growlang_runtime.storage.files import save_text
from growlang_runtime.storage.status import SIGNALLED

LOGGED = "logged.json"
"""Which run of another board a run folder belongs to, so that a resumed one goes on there."""
HPARAMS = ("loss", "validation/averaged")
"""The curves that TensorBoard lists beside the settings."""


class Board(ABC):
    """Where a run shows its curves, sample grids, settings and phases."""

    name: str

    @abstractmethod
    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve; all values are finite."""

    @abstractmethod
    def grid(self, step: int, path: Path) -> None:
        """Show a sample grid."""

    @abstractmethod
    def phase(self, step: int, name: str, number: int) -> None:
        """Mark that a phase begins behind a step."""

    @abstractmethod
    def close(self, status: int) -> None:
        """Write what is still buffered; the run ended with an exit status."""


class TensorBoard(Board):
    """Files for TensorBoard; what they have of steps from `first` on is dropped."""

    name = "TensorBoard"

    def __init__(self, folder: Path, first: int, settings: Mapping[str, Value]) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        begun = any(folder.glob("events.out.tfevents.*"))
        self._writer = SummaryWriter(str(folder), purge_step=first)
        if not begun:
            listed = dict.fromkeys(HPARAMS, 0)
            for part in hparams(dict(settings), listed):  # type: ignore[no-untyped-call]
                self._writer._get_file_writer().add_summary(part)  # type: ignore[no-untyped-call]

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """One scalar for each."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def grid(self, step: int, path: Path) -> None:
        """An image `samples`."""
        import numpy as np
        from PIL import Image

        image = np.asarray(Image.open(path).convert("RGB"))
        self._writer.add_image("samples", image, step, dataformats="HWC")

    def phase(self, step: int, name: str, number: int) -> None:
        """A text, and a step in the curve `phase`."""
        self._writer.add_text("phase", name, step)
        self._writer.add_scalar("phase", number, step)

    def close(self, status: int) -> None:
        """Flush and close the files."""
        self._writer.close()


class Wandb(Board):
    """A run of Weights & Biases; its project is the model."""

    name = "wandb"

    def __init__(self, package: Any, run: Path, settings: Mapping[str, Value]) -> None:
        self._package = package
        self._run = package.init(
            project=str(settings["model"]),
            name=run.name,
            dir=str(run),
            id=_logged(run).get("wandb"),
            resume="allow",
            config=dict(settings),
        )
        _remember(run, "wandb", self._run.id)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """One line of values."""
        self._run.log(dict(scalars), step=step)

    def grid(self, step: int, path: Path) -> None:
        """An image `samples`."""
        self._run.log({"samples": self._package.Image(str(path))}, step=step)

    def phase(self, step: int, name: str, number: int) -> None:
        """A step in the curve `phase`, with its name."""
        self._run.log({"phase": number, "phase_name": name}, step=step)

    def close(self, status: int) -> None:
        """End the run there, with its exit status."""
        self._run.finish(exit_code=status)


class MLflow(Board):
    """A run of MLflow; its experiment is the model."""

    name = "mlflow"

    def __init__(self, package: Any, run: Path, settings: Mapping[str, Value]) -> None:
        self._package = package
        before = _logged(run).get("mlflow")
        package.set_experiment(str(settings["model"]))
        started = package.start_run(run_id=before, run_name=None if before else run.name)
        if before is None:
            package.log_params({n.replace(": ", "/"): value for n, value in settings.items()})
        _remember(run, "mlflow", started.info.run_id)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """One line of values; MLflow allows no `=` in their names."""
        named = {name.replace("=", "_"): value for name, value in scalars.items()}
        self._package.log_metrics(named, step=step)

    def grid(self, step: int, path: Path) -> None:
        """An artifact in `samples`."""
        self._package.log_artifact(str(path), "samples")

    def phase(self, step: int, name: str, number: int) -> None:
        """A step in the curve `phase`, and a tag with its name."""
        self._package.log_metrics({"phase": number}, step=step)
        self._package.set_tag(f"phase {number}", name)

    def close(self, status: int) -> None:
        """End the run there, as finished, failed or killed."""
        ended = "FINISHED" if status == 0 else "KILLED" if status > SIGNALLED else "FAILED"
        self._package.end_run(status=ended)


OTHERS: dict[str, type[Wandb] | type[MLflow]] = {"wandb": Wandb, "mlflow": MLflow}
"""The boards that `--log` names, by the packages that they need."""


class Boards:
    """All boards of a run; values that are not finite are left out.

    A board that fails is dropped, with a warning: the run goes on without it. Used as a context
    manager, they are closed with the `status` that the run ended with.
    """

    def __init__(self, boards: Sequence[Board], warn: Callable[[str], None]) -> None:
        self.boards, self.warn = list(boards), warn
        self.status = 0

    def __enter__(self) -> Boards:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        status = self.status if error is None else exit_of(error)
        self._tell(lambda board: board.close(status))

    def write(self, step: int, **scalars: float) -> None:
        """Add a point to each curve whose value is finite."""
        known = {name: value for name, value in scalars.items() if isfinite(value)}
        self._tell(lambda board: board.write(step, known))

    def grid(self, step: int, path: Path) -> None:
        """Show a sample grid."""
        self._tell(lambda board: board.grid(step, path))

    def phase(self, step: int, name: str, number: int) -> None:
        """Mark that a phase begins behind a step."""
        self._tell(lambda board: board.phase(step, name, number))

    def _tell(self, call: Callable[[Board], None]) -> None:
        for board in [*self.boards]:
            try:
                call(board)
            except Exception as error:  # of any type that the package, or its network, raises
                self.boards.remove(board)
                self.warn(f"{board.name} failed, and is told no more of this run: {_why(error)}")


def open_boards(
    run: Path, first: int, plan: Plan, log: Sequence[str], warn: Callable[[str], None]
) -> Boards:
    """TensorBoard in the run's folder, and the boards of `log`; the run goes on at step `first`.

    `warn` is told of a board that fails later. Raises GrowlangError for one that cannot begin.
    """
    settings = settings_of(plan)
    boards: list[Board] = [TensorBoard(run / "tensorboard", first, settings)]
    for name in log:
        try:
            boards.append(OTHERS[name](import_module(name), run, settings))
        except Exception as error:
            Boards(boards, warn).__exit__(type(error), error, None)
            raise GrowlangError(
                f"`--log {name}` could not begin: {_why(error)}",
                help=f"mend it, or leave --log {name} out",
            ) from error
    return Boards(boards, warn)


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def require_boards(names: Sequence[str]) -> None:
    """Raise GrowlangError for a board that there is not, or whose package is not installed."""
    for name in names:
        if name not in OTHERS:
            known = " or ".join(OTHERS)
            raise GrowlangError(f"`--log {name}` names no board", help=f"it may be {known}")
        try:
            import_module(name)
        except ImportError:
            raise GrowlangError(
                f"`--log {name}` needs the package {name}, which is not installed",
                help=f"pip install {name}, or leave --log out: TensorBoard is written in any case",
            ) from None


def _logged(run: Path) -> dict[str, str]:
    """The run's name on other boards."""
    try:
        found = json.loads((run / LOGGED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(run: Path, board: str, name: str) -> None:
    save_text(run / LOGGED, json.dumps({**_logged(run), board: name}))
