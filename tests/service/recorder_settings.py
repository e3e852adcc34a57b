"""The tests' host on a database file, with times that a test can wait for."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403 - this module is that one with other times

SCHEDULERUI = {
    "CELERY_APP": "tests.service.recorder_tasks.app",
    "HEARTBEAT_EVERY": 0.5,
    "MONITOR_EVERY": 0.5,
    "LOST_AFTER": 4.0,
    "SPOOL_DIR": os.environ.get("RECORDER_SPOOL", ""),
}
