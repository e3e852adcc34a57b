"""Fill a world with schedules: ``python -m tests.service.populate 100`` makes a hundred of every 1 to 5 seconds."""

from __future__ import annotations

import sys

import django

django.setup()

from schedulerui import clock  # noqa: E402 - Django has to be set up first
from schedulerui.facts import Actor  # noqa: E402
from schedulerui.operations import schedules  # noqa: E402

for number in range(int(sys.argv[1])):
    fields = {
        "name": f"schedule {number}",
        "task": "tests.add",
        "kind": "interval",
        "every": number % 5 + 1,
        "period": "seconds",
    }
    schedules.create(fields, actor=Actor.system("test"), now=clock.now())
