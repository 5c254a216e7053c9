"""Going on from a checkpoint of another run: its state, optimizer and averages, from its step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from growlang.diagnostics import Exit, GrowlangError
from growlang.net import Net
from growlang.plans.fit import differences
from growlang.plans.plan import Branch, Plan
from growlang.plans.weights_header import (
    CHECKPOINTS,
    MODEL,
    PLAN,
    RECORD,
    header_of,
    is_state,
    net_of,
    run_of,
)
from growlang_runtime.storage import checkpoint
from growlang_runtime.storage.checkpoint import Checkpoint, TornCheckpoint
from growlang_runtime.storage.place import located, place_of, steps_of
from growlang_runtime.storage.record import Counts
from growlang_runtime.storage.run import recorded_plan
from growlang_runtime.storage.weights import require_state
from growlang_runtime.train.commands import command, ways
from growlang_runtime.train.options import RunOptions
from growlang_runtime.train.resume import declared_differences, listed
from growlang_runtime.train.state import State


@dataclass(frozen=True)
class Source:
    """A checkpoint of another run: what a run goes on from."""

    branch: Branch
    found: Checkpoint
    plan: Plan | None
    """The plan of its run, where it lies in one."""
    torn: tuple[str, ...] = ()
    """Newer checkpoints that are damaged."""

    @property
    def step(self) -> int:
        """The step of the checkpoint."""
        return self.found.step

    def joined(self, plan: Plan) -> Plan:
        """A plan that goes on from here: with what the source's run found outside of its spec."""
        known: dict[str, object] = {"branch": self.branch}
        if self.plan is None:
            return plan.model_copy(update=known)
        known |= {"semantics": self.plan.semantics, "draws": self.plan.draws}
        return _with_parent(plan.model_copy(update=known), self.plan)

    def changes(self, plan: Plan) -> list[str]:
        """What the spec says otherwise than that of the source's run: `PATH: OLD -> NEW`."""
        return (
            []
            if self.plan is None
            else list(declared_differences(self.plan.declared, plan.declared))
        )

    def moved(self, old: Path, new: Path) -> Source:
        """The same source, whose run lies elsewhere where it was moved aside."""
        if Path(self.branch.run).resolve() != old.resolve():
            return self
        place = new / self.found.path.relative_to(self.branch.run)
        found = replace(self.found, path=place)
        return replace(self, branch=self.branch.model_copy(update={"run": str(new)}), found=found)


def _with_parent(plan: Plan, source: Plan) -> Plan:
    """The plan with the parent's run and weights that the source's run began with, if the same."""
    if plan.parent is None or source.parent is None:
        return plan
    if (plan.parent.net_hash, plan.start.origin) != (source.parent.net_hash, source.start.origin):
        return plan
    known = {"run": source.parent.run, "weights_hash": source.parent.weights_hash}
    return plan.model_copy(update={"parent": plan.parent.model_copy(update=known)})


def open_source(plan: Plan, written: Path, options: RunOptions) -> Source:
    """The checkpoint that a plan is to go on from.

    Raises GrowlangError if there is none, or if it is damaged or of another net; the first
    differences are told.
    """
    path = located(written)
    found, torn = _checkpoint(path, written)
    _require_same_net(plan, found)
    help = f"name another checkpoint of it: {_others(run_of(found.path)) or 'there is none'}"
    require_state(found, plan.child_net(), help)
    folder = run_of(found.path)
    whole = recorded_plan(folder) if (folder / PLAN).exists() else None
    branch = Branch(
        run=str(folder),
        step=found.step,
        sha256=found.sha256,
        run_hash=whole.run_hash if whole else "",
    )
    return Source(branch, found, whole, tuple(torn))


def again(plan: Plan, branch: Branch, options: RunOptions) -> Source:
    """The source that a run was begun with. Raises GrowlangError if it is not there as it was."""
    folder = Path(branch.run) / CHECKPOINTS
    own = folder / checkpoint.checkpoint_name(branch.step)
    places = [p for p in (own, checkpoint.best_path(folder)) if p and p.is_dir()]
    found = [open_source(plan, place, options) for place in places]
    same = [source for source in found if source.branch.sha256 == branch.sha256]
    source = next(iter([*same, *found]), None)
    if source is None or source.branch.sha256 != branch.sha256:
        by_now = "is gone" if source is None else "is another one by now"
        raise GrowlangError(
            f"the run was to go on from {branch}, which {by_now}, and it has no checkpoint yet",
            help=ways({"begin it anew": command(plan, options, "--from", branch.run, "--fresh")}),
        )
    return source


def require_same_branch(run: Path, recorded: Plan, options: RunOptions) -> None:
    """Raise GrowlangError if `--from` names another run than the one that a run went on from."""
    if options.from_run is None:
        return
    branch, wanted = recorded.branch, place_of(options.from_run)
    asked = run_of(wanted.run)
    same = branch and Path(branch.run).resolve() == asked.resolve()
    if branch and same and wanted.at in (None, "best", branch.step):
        return
    was = f"went on from {branch}" if branch else "began at step 0"
    raise GrowlangError(
        f"the run {run} {was}, and not from {wanted}",
        help=ways(
            {
                "continue it as it is": command(recorded, options, "--resume"),
                f"go on from {wanted} in its place": command(
                    recorded, options, "--from", str(options.from_run), "--fresh"
                ),
            }
        ),
        exit_status=Exit.CHANGED,
    )


def _checkpoint(path: Path, written: Path) -> tuple[Checkpoint, list[str]]:
    """The checkpoint at a path, or the newest whole one of a run, and the damaged ones."""
    if is_state(path):
        path = path.parent
    if (path / RECORD).exists() or path.parent.name == CHECKPOINTS:
        try:
            return checkpoint.read(path), []
        except TornCheckpoint as torn:
            others = _others(run_of(path), path)
            raise GrowlangError(
                f"the checkpoint {path} is damaged: {torn}",
                help=f"name another one of the run: {others}" if others else "the run has no other",
            ) from torn
    if not path.exists():
        raise GrowlangError(
            f"there is no run at {path}", help="--from takes RUN, RUN@STEP or RUN@best"
        )
    if path.is_file():
        raise GrowlangError(
            f"{path} holds weights alone, without the optimizer's state",
            help="name the run's folder, or one of its checkpoints; or begin at step 0 with these "
            f'weights: `start = "{path}"` in the recipe',
        )
    found, torn_lines = checkpoint.newest(path / CHECKPOINTS)
    if found is None:
        lines = "".join(f"\n  {line}" for line in torn_lines)
        why = f"all its checkpoints are damaged{lines}" if torn_lines else "it has no checkpoint"
        more = f" (its {MODEL} has no optimizer's state)" if (path / MODEL).exists() else ""
        raise GrowlangError(
            f"cannot go on from the run {written}: {why}{more}",
            help="name another run, or leave out --from to begin at step 0",
        )
    return found, torn_lines


def _others(run: Path, but: Path | None = None) -> str:
    """The checkpoints of a run, as they are written, but for one."""
    names = [checkpoint.checkpoint_name(step) for step in steps_of(run)]
    kept = [name for name in names if but is None or name != but.name]
    return ", ".join(f"{run}@{int(name.removeprefix('step_'))}" for name in kept[-4:])


def _require_same_net(plan: Plan, found: Checkpoint) -> None:
    net = net_of(found.state, header_of(found.state).metadata)
    if net.net_hash == plan.net_hash:
        return
    own = plan.child_net()
    given, wanted = ({t.name: t.shape for t in n.tensors()} for n in (net, own))
    lines = [str(d) for d in differences(given, wanted)] or list(_recomputed(net, own))
    raise GrowlangError(
        f"cannot go on from {found.path}: it holds the net {net.name}, and {plan.spec} declares "
        f"another one, {own.name}:{listed(lines)}",
        help="--from needs the same net. To take over what fits, declare a model that `grows` from "
        "the other's spec, and train that",
    )


def _recomputed(old: Net, new: Net) -> list[str]:
    """What is computed otherwise in nets of the same tensors."""
    was, now = ({node.path: (node.op, node.args) for node in net.nodes} for net in (old, new))
    found = [
        f"{path}: {was.get(path)} -> {now.get(path)}"
        for path in dict.fromkeys([*was, *now])
        if was.get(path) != now.get(path)
    ]
    return found or ["the same tensors, but a different computation"]


def take_over(state: State, source: Source) -> list[str]:
    """Load the source's state into a run's; returns the tensors whose moments begin anew.

    That is where the other optimizer kept others: Muon's momentum goes on with AdamW's first
    moments, and AdamW begins anew where Muon had a momentum.
    """
    there, counts = source.found.names, source.found.record.counts
    steps, begun = dict(counts.optimizer), []
    instead: dict[str, str | None] = {}
    for name in state.weights:
        parts = [f"moment.{part}.{name}" for part in state.optimizer.moments(name)]
        first = f"moment.first.{name}"
        if parts == [f"moment.momentum.{name}"] and parts[0] not in there and first in there:
            instead[parts[0]] = first
        if any(part not in there | instead.keys() for part in parts) and steps[name]:
            steps[name] = 0
            begun.append(name)
            instead |= dict.fromkeys(parts)
    state.load(source.found, Counts(ema=counts.ema, optimizer=steps), instead)
    return begun
