"""The scripts of examples/cluster, run with stand-ins and held against the tools' own schemas."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from fixture_specs import SHIPPED

from growlang.diagnostics import Exit

ROOT = SHIPPED.parent
CLUSTER = ROOT / "examples" / "cluster"
STANDINS = Path(__file__).parent / "fixtures" / "cluster"
VERSIONS = ("1.31", "1.34")
TRAIN = "train tiny.grow --resume-or-start --workers 1"
REQUEUE = "scontrol requeue 7"


class Cluster:
    """A folder of commands that stand in front of others, and what was called there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls_file = folder, folder / "calls"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "srun").symlink_to(STANDINS / "srun")
        for name in ("growlang", "torchrun", "scontrol"):
            (self.bin / name).symlink_to(STANDINS / "recorded")

    def run(self, *command: str, **told: str) -> int:
        """Run a command; returns its exit status."""
        environment = os.environ | {
            "PATH": f"{self.bin}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "CALLS": str(self.calls_file),
            "TASKS": "2",
            "SLURM_JOB_ID": "7",
            "SLURM_JOB_NUM_NODES": "2",
            "SLURM_JOB_NODELIST": "gpu[3-4]",
            **told,
        }
        return subprocess.run(command, cwd=self.folder, env=environment).returncode

    @property
    def calls(self) -> list[str]:
        """The lines of what was called, those of tasks sorted."""
        return sorted(self.calls_file.read_text().splitlines())


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def sbatch(name: str) -> str:
    return str(CLUSTER / name)


@pytest.mark.parametrize("path", sorted(CLUSTER.glob("*.sbatch")), ids=lambda p: p.name)
def test_a_job_script_parses_and_asks_slurm_for_what_a_run_needs(path: Path) -> None:
    assert subprocess.run(["bash", "-n", str(path)]).returncode == 0
    asked = [line for line in path.read_text().splitlines() if line.startswith("#SBATCH ")]
    for option in ("--requeue", "--signal=TERM@300", "--open-mode=append"):
        assert f"#SBATCH {option}" in asked


@pytest.mark.parametrize(
    ("status", "queued"),
    [
        *((0, False), (143, True), (137, True), (Exit.LOST, True)),
        *((Exit.CHANGED, False), (Exit.FULL, False)),
    ],
)
def test_srun_starts_every_task_and_a_stopped_run_is_queued_again(
    cluster: Cluster, status: int, queued: bool
) -> None:
    script = ("bash", sbatch("slurm.sbatch"), "tiny.grow", "--workers", "1")
    assert cluster.run(*script, GROWLANG=str(int(status))) == status
    tasks = [f"growlang {TRAIN} [task {n}]" for n in (0, 1)]
    assert cluster.calls == [*tasks, *([REQUEUE] if queued else [])]


@pytest.mark.parametrize(("state", "queued"), [(4, True), (1, False), (0, False)])
def test_where_torchrun_loses_the_exit_code_the_run_is_asked(
    cluster: Cluster, state: int, queued: bool
) -> None:
    script = ("bash", sbatch("slurm_torchrun.sbatch"), "runs/tiny/main", "tiny.grow")
    assert cluster.run(*script, TORCHRUN="1", STATE=str(state)) == state
    assert "growlang runs --status runs/tiny/main" in cluster.calls
    assert (REQUEUE in cluster.calls) is queued
    started = [call for call in cluster.calls if call.startswith("torchrun")]
    assert len(started) == 2
    assert "--rdzv-endpoint=gpu3:29500" in started[0]
    assert "-m growlang train tiny.grow --resume-or-start" in started[0]


def test_a_finished_run_under_torchrun_is_not_asked(cluster: Cluster) -> None:
    script = ("bash", sbatch("slurm_torchrun.sbatch"), "runs/tiny/main", "tiny.grow")
    assert cluster.run(*script) == 0
    assert not any("runs --status" in call for call in cluster.calls)


def documents(name: str) -> list[dict[str, Any]]:
    return [*yaml.safe_load_all((CLUSTER / name).read_text())]


JOBS = ("kubernetes.yaml", "kubernetes_nodes.yaml")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_valid_for_kubernetes(name: str, version: str) -> None:
    for document in documents(name):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("name", JOBS)
def test_kubernetes_counts_no_stop_by_a_signal_as_a_failure(name: str) -> None:
    spec = documents(name)[-1]["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    codes = {
        code: rule["action"]
        for rule in spec["podFailurePolicy"]["rules"]
        for code in rule.get("onExitCodes", {"values": []})["values"]
    }
    assert codes[143] == "Ignore"
    fatal = [Exit.FINDINGS, Exit.UNABLE, Exit.CHANGED, Exit.NONFINITE, Exit.FULL]
    if name == "kubernetes.yaml":  # of several nodes torchrun tells none of them
        assert [code for code, action in codes.items() if action == "FailJob"] == fatal
    assert Exit.IN_USE not in codes  # it is tried again, and counted


@pytest.mark.parametrize(
    ("torchrun", "state", "status"), [("0", "0", 0), ("1", "4", 143), ("1", "1", 1)]
)
def test_a_pod_of_several_ends_as_its_run_did(
    cluster: Cluster, torchrun: str, state: str, status: int
) -> None:
    container = documents("kubernetes_nodes.yaml")[-1]["spec"]["template"]["spec"]["containers"][0]
    told = {"TORCHRUN": torchrun, "STATE": state, "JOB_COMPLETION_INDEX": "1"}
    told |= {given["name"]: given["value"] for given in container["env"]}
    assert cluster.run(*container["command"], **told) == status
    assert "--node-rank=1" in next(c for c in cluster.calls if c.startswith("torchrun"))


@pytest.mark.parametrize(("gpus", "called"), [("1", "growlang"), ("8", "torchrun")])
def test_the_task_of_skypilot_runs(cluster: Cluster, gpus: str, called: str) -> None:
    (task,) = documents("skypilot.yaml")
    told = {"SKYPILOT_NUM_GPUS_PER_NODE": gpus, "SKYPILOT_NUM_NODES": "1"}
    told |= {"SKYPILOT_NODE_IPS": "10.0.0.1", "SKYPILOT_NODE_RANK": "0", **task["envs"]}
    assert cluster.run("bash", "-c", task["run"], **told) == 0
    (call,) = cluster.calls
    assert call.startswith(called)
    assert call.endswith("train specs/uvit_512.grow --out /runs --resume-or-start")


def test_skypilot_reads_its_task() -> None:
    sky = pytest.importorskip("sky")  # too large to be installed for the tests alone
    assert sky.Task.from_yaml(str(CLUSTER / "skypilot.yaml")).name == "growlang"
