"""Named places at which a process can be made to end, or to stand still, for tests of what the others make of it.

``SCHEDULERUI_CRASH_AT=name[:nth]`` ends the process at the nth passage (1 unless given), as a power cut would: no handler, no
``finally``. ``SCHEDULERUI_FREEZE_AT`` sends it SIGSTOP instead. Unset, a place costs one look into an empty dictionary.
"""

from __future__ import annotations

import os
import signal

CRASH, FREEZE = "SCHEDULERUI_CRASH_AT", "SCHEDULERUI_FREEZE_AT"
EXIT_CODE = 137
"""What a process leaves that was killed by signal 9."""

PLACES = frozenset(
    {
        "claim.begun", "claim.touched", "claim.advanced", "claim.inserted", "claim.committed",
        "publish.before", "publish.after",
        "mark.before", "mark.after",
        "recover.found", "recover.taken", "give_back.before", "give_back.after",
        "run_now.committed", "quarantine.before", "sign_off.before",
    }
)  # fmt: skip
"""Every place there is, in the order of a run's life; a variable that names another one is refused."""

_armed: dict[str, int] = {}
_is_read = False


def crash_point(name: str) -> None:
    """Pass a place; ends or freezes the process when the environment asks for it here, else does nothing."""
    if not _is_read:
        _read()
    if name in _armed:
        _pass(name)


def _read() -> None:
    """Read the variables, once; raises ValueError for a place that does not exist."""
    global _is_read  # noqa: PLW0603 - one flag a process: the environment is read once and not at each passage
    for variable in (CRASH, FREEZE):
        name, _, nth = os.environ.get(variable, "").partition(":")
        if not name:
            continue
        if name not in PLACES:
            message = f"{variable} names {name!r}; there are: {', '.join(sorted(PLACES))}"
            raise ValueError(message)
        _armed[name] = int(nth or 1)
    _is_read = True


def _pass(name: str) -> None:
    _armed[name] -= 1
    if _armed[name]:
        return
    del _armed[name]
    if os.environ.get(CRASH, "").partition(":")[0] == name:
        os._exit(EXIT_CODE)
    os.kill(os.getpid(), signal.SIGSTOP)
