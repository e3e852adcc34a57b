"""The monitor as a process of its own, as `schedulerui monitor` runs it, on the Celery app of the recorder's tests."""

from __future__ import annotations

import logging
import os
import signal
import threading

from tests.service.recorder_tasks import app

if __name__ == "__main__":
    from schedulerui.monitor import loop

    logging.basicConfig(level=logging.INFO)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # A name that nobody has declared would leave its error in the table of queues.
    app.conf.task_default_queue = os.environ["TEST_QUEUE"]
    loop.run(stop)
