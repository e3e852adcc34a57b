"""`rename-app OLD NEW`: the schedules of a Celery app's code go with its new name."""

from __future__ import annotations

from django.core.management.base import CommandError

from schedulerui.clock import DatabaseClock
from schedulerui.management.verbs import naming
from schedulerui.models import Schedule
from schedulerui.operations import adoption


def rename(old: str, new: str) -> str:
    """Move the schedules and return the sentence that says so; raises CommandError when the old name has none."""
    n = adoption.rename_app(old, new, actor=naming.actor(), now=DatabaseClock().now())
    if not n:
        known = Schedule.objects.filter(source="code").values_list("source_app", flat=True).distinct()
        names = ", ".join(sorted(repr(name) for name in known[:20])) or "no app"
        raise CommandError(f"No schedule comes from the code of {old!r}. There are schedules of {names}.")
    schedules = "1 schedule comes" if n == 1 else f"{n} schedules come"
    return f"{schedules} from the code of {new!r} now. Restart its beats: they take over what the code says."
