"""Fill a world with schedules: ``python -m tests.service.populate 100`` makes a hundred of every 1 to 5 seconds.

A second argument holds fields of all of them as JSON; ``"name"`` is then what their names begin with, and ``"each"`` a list with
more fields of one after the other. With ``"copies": true``
they are copies of the first in the table alone, for thousands that are due at one moment; ``"in"`` gives its seconds from now.
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import timedelta
from typing import Any

import django

django.setup()

from schedulerui import clock  # noqa: E402 - Django has to be set up first
from schedulerui.facts import Actor  # noqa: E402
from schedulerui.models import Schedule, ScheduleState  # noqa: E402
from schedulerui.operations import schedules  # noqa: E402

ACTOR = Actor.system("test")


def make(number: int, given: dict[str, Any]) -> Schedule:
    each = given.get("each") or [{}]
    fields = {
        "task": "tests.add",
        "kind": "interval",
        "every": number % 5 + 1,
        "period": "seconds",
        **{key: value for key, value in given.items() if key != "each"},
        "name": f"{given.get('name', 'schedule')} {number}",
        **each[number % len(each)],
    }
    return schedules.create(fields, actor=ACTOR, now=clock.now())


def copy(first: Schedule, n: int) -> None:
    """Make n - 1 copies of a schedule without going through the verb."""
    prefix = first.name.rpartition(" ")[0]
    columns = {field.attname: getattr(first, field.attname) for field in Schedule._meta.concrete_fields}
    copies = [
        Schedule(**{**columns, "id": None, "uuid": uuid.uuid4(), "name": f"{prefix} {number}"})
        for number in range(1, n)
    ]
    Schedule.objects.bulk_create(copies, batch_size=500)
    made = Schedule.objects.filter(name__startswith=prefix, state=None).values_list("pk", flat=True)
    ScheduleState.objects.bulk_create([ScheduleState(schedule_id=pk) for pk in made], batch_size=500)


def main() -> None:
    n = int(sys.argv[1])
    given: dict[str, Any] = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    are_copies, seconds = given.pop("copies", False), given.pop("in", None)
    if seconds is not None:
        given |= {
            "kind": "clocked",
            "every": None,
            "period": "",
            "clocked_at_utc": clock.now().replace(microsecond=0) + timedelta(seconds=seconds),
        }
    if are_copies:
        copy(make(0, given), n)
        return
    for number in range(n):
        make(number, given)


main()
