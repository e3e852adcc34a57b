"""The tests' host on a database of its own, with times that a test can wait for; ``TEST_SCHEDULERUI`` (JSON) changes them."""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403 - this module is that one with other times

ROOT_URLCONF = os.environ.get("TEST_ROOT_URLCONF", "django.contrib.staticfiles.urls")
"""Workers and monitors need none of the pages; the web process does."""

SCHEDULERUI = {
    "CELERY_APP": "tests.service.recorder_tasks.app",
    "HEARTBEAT_EVERY": 0.5,
    "MONITOR_EVERY": 0.5,
    "WORKER_OFFLINE_AFTER": 3.0,
    "LOST_AFTER": 4.0,
    "PICKUP_GRACE": 1.0,
    "SPOOL_DIR": os.environ.get("RECORDER_SPOOL", ""),
    **json.loads(os.environ.get("TEST_SCHEDULERUI", "{}")),
}
