"""With what a command exits, by the cause: what starts it again can tell what to do."""

from __future__ import annotations

import errno
from enum import IntEnum


class Exit(IntEnum):
    """An exit status. 0 is success; 128 + N is what a signal N ended, such as 143 for SIGTERM."""

    FINDINGS = 1
    """There are findings: a spec has errors, or a check does not hold."""
    UNABLE = 2
    """It could not do its job: a wrong option, a file that is missing, or growlang has failed."""
    CHANGED = 10
    """A run cannot be resumed, since its spec, its data or the weights it starts from changed."""
    NONFINITE = 11
    """NaN or infinity: too many steps in a row, or in the weights."""
    FULL = 12
    """The disk is full, or a quota or file size limit is reached."""
    IN_USE = 13
    """Another process trains in the folder of the run."""
    LOST = 14
    """Another process of the run was killed, or its node was lost; the run can go on."""


NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers of a full disk, an exhausted quota and a file size limit."""


def exit_of(error: BaseException) -> Exit:
    """The exit status that an error ends a command with."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return Exit.FULL
    return Exit(getattr(error, "exit_status", Exit.UNABLE))
