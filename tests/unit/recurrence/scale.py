"""How much is tried: little enough for each run of the tests, and much with SCHEDULERUI_SIMULATE=1."""

from __future__ import annotations

import os

IS_LARGE = os.environ.get("SCHEDULERUI_SIMULATE", "") not in {"", "0"}


def scaled(usual: int, large: int) -> int:
    return large if IS_LARGE else usual
