"""`monitor`: watch workers, queues and lost runs until somebody says stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from schedulerui.monitor import loop


def watch() -> None:
    """Run the monitor's rounds until SIGTERM or SIGINT; the round in hand is finished first."""
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        loop.run(stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
