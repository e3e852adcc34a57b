"""The monitor as a process of its own, as `schedulerui monitor` runs it, on the Celery app of the recorder's tests."""

from __future__ import annotations

import signal
import threading

from tests.service.recorder_tasks import app

if __name__ == "__main__":
    from schedulerui.monitor import loop

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    app.conf.task_default_queue = "never-declared"
    loop.run(stop)
