"""Spec files as git has them at a commit."""

from __future__ import annotations

import errno
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from growlang.diagnostics import GrowlangError
from growlang.resolve.files import YAML, Files


class Revision(NamedTuple):
    """A commit of the repository at `top`; `name` is what the user calls it."""

    top: Path
    commit: str
    name: str

    def path(self, path: Path) -> str | None:
        """A file's path in the repository, with slashes; None where it lies outside."""
        try:
            return path.resolve().relative_to(self.top).as_posix()
        except ValueError:
            return None

    def has(self, path: str) -> bool:
        """Whether the commit has a file of this path."""
        return bool(_git(self.top, "ls-tree", "--name-only", self.commit, "--", path))

    def content(self, path: str) -> bytes:
        """The bytes of a file at the commit. Raises OSError where it has none of that path."""
        if not self.has(path):
            raise OSError(errno.ENOENT, f"no such file at {self.name}")
        return _git(self.top, "show", f"{self.commit}:{path}")

    def in_other_syntax(self, path: str) -> str | None:
        """The path at the commit of a spec in the other syntax; None where there is none."""
        yaml = path.endswith(YAML)
        others = [path.rpartition(".")[0]] if yaml else [path + ending for ending in YAML]
        return next(filter(self.has, others), None)

    def deleted(self) -> list[str]:
        """The paths of the commit's files that are gone from the working tree, not renamed."""
        options = ("--name-only", "--find-renames", "--diff-filter=D", "-z")
        rows = os.fsdecode(_git(self.top, "diff", *options, self.commit))
        return [path for path in rows.split("\0") if path]

    def former(self, path: str) -> str | None:
        """The path at the commit of a file that was renamed since; None where it is new."""
        rows = _git(
            self.top,
            "diff",
            "--name-status",
            "--find-renames",
            "--diff-filter=R",
            "-z",
            self.commit,
        )
        fields = os.fsdecode(rows).split("\0")
        renamed = dict(zip(fields[2::3], fields[1::3], strict=False))
        return renamed.get(path)


@dataclass
class PastFiles(Files):
    """Reads the repository's files as they were, and others as they are.

    Spans name them `REF:path`, as git does.
    """

    revision: Revision = field(kw_only=True)

    def content(self, path: Path) -> bytes:
        """The bytes of a file at the revision. Raises OSError where there is none."""
        inside = self.revision.path(path)
        return super().content(path) if inside is None else self.revision.content(inside)

    def name(self, path: Path) -> str:
        """`REF:path` for a file of the repository."""
        inside = self.revision.path(path)
        return super().name(path) if inside is None else f"{self.revision.name}:{inside}"


def revision(path: Path, ref: str) -> Revision:
    """The commit that `ref` names in the repository around a file.

    Raises GrowlangError where there is no git, no repository or no such commit.
    """
    folder = path.resolve().parent
    try:
        top = os.fsdecode(_git(folder, "rev-parse", "--show-toplevel")).removesuffix("\n")
    except OSError as error:
        raise GrowlangError(
            f"cannot compare {path} with {ref}: {error.strerror}",
            help="--against needs git, and specs in a git repository",
        ) from None
    try:
        name = f"{ref}^{{commit}}"
        commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
    except OSError:
        raise GrowlangError(
            f"unknown git revision `{ref}` in {top}",
            help="name a commit, tag or branch; in CI, fetch it first (`fetch-depth: 0`)",
        ) from None
    return Revision(Path(top).resolve(), commit.decode().strip(), ref)


def _git(folder: Path, *arguments: str) -> bytes:
    """What git prints. Raises OSError, with git's own reason, where it refuses or is missing."""
    ran = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    if ran.returncode:
        reason = os.fsdecode(ran.stderr).strip().removeprefix("fatal: ")
        raise OSError(ran.returncode, reason or f"git {arguments[0]} failed")
    return ran.stdout
