"""supervisord, ended together with the launcher that started it: ``python -m schedulerui.site.keeper PID -c FILE``."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from supervisor import supervisord

_PR_SET_PDEATHSIG = 1


def tie_to(launcher: int) -> None:
    """Have the kernel send SIGTERM to this process when the launcher dies, however it dies; Linux only."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != launcher:  # it died before we could ask
        raise SystemExit(1)


if __name__ == "__main__":
    tie_to(int(sys.argv[1]))
    supervisord.main(sys.argv[2:])
