"""Tasks in several processes, each with a log of its own, told as they end."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import typer

from growlang.cli.console import console
from growlang.diagnostics import GrowlangError, exit_of

Task = Callable[[], None]


def run_all(tasks: Mapping[str, Task], logs: Path, jobs: int) -> None:
    """Run tasks by their names, `jobs` at a time; what they print goes to `LOGS/NAME.log`.

    Each must be picklable. Ctrl-C ends those that run as they end by it, and starts no other; a
    task that fails ends the whole, and its message says where its log is.
    """
    logs.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(tasks)) or 1, context) as pool:
        started = {
            pool.submit(_logged, task, logs / f"{name}.log"): name for name, task in tasks.items()
        }
        try:
            for done, future in enumerate(as_completed(started), 1):
                _require(future, started[future], logs)
                console().print(f"{done} of {len(started)}: {started[future]}", highlight=False)
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                console().print("stopped; the same command goes on where it was", highlight=False)
                raise typer.Exit(130) from None
            raise


def _require(future: Future[int], name: str, logs: Path) -> None:
    if status := future.result():
        console().print(f"{name} stopped: see {logs / name}.log", highlight=False)
        raise typer.Exit(status)


def _logged(task: Task, log: Path) -> int:
    """The exit status of a task: 0 unless it raised; what it raised is in its log."""
    with log.open("a", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            task()
        except typer.Exit as stopped:
            return stopped.exit_code
        except GrowlangError as error:
            file.write(f"{error}\n")
            return exit_of(error)
        except Exception:
            traceback.print_exc(file=file)
            return 1
    return 0
