"""The tests' host as real processes run it; ``TEST_SCHEDULERUI`` (JSON) shortens leases and periods."""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403 - the same host
from tests.settings import SCHEDULERUI as _PLAIN

SCHEDULERUI = {**_PLAIN, **json.loads(os.environ.get("TEST_SCHEDULERUI", "{}"))}
