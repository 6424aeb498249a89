"""`python mortal.py PARENT COMMAND …`: becomes the command, which the system ends when its parent ends.

A driver that is killed closes nothing and tells nobody. The order to die with one's parent (Linux's
PR_SET_PDEATHSIG) outlives the change into the command; where it cannot be given, the command runs without.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def mortal(command: Sequence[str], parent: int | None = None) -> list[str]:
    """The command line that runs `command` for as long as the process that starts it lives.

    It must be started by that process's main thread: to the system a parent is a thread.

    Args:
        parent: its process id, if it is this process; None: one between, such as `faketime`.
    """
    return [sys.executable, "-I", "-S", __file__, str(parent or 0), *command]


def bind_to_parent(parent: int) -> None:
    """Have SIGKILL sent to this process when its parent ends; at once, if that was before.

    Args:
        parent: its process id; 0: not known.
    """
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return  # not Linux
    if parent and os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    bind_to_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
