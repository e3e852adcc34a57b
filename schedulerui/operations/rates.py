"""How much one person has asked for lately, as the audit log tells."""

from __future__ import annotations

from datetime import datetime, timedelta

from schedulerui.models import Change

RUNS = ("run_now", "run_custom", "run_again")
MINUTE = timedelta(minutes=1)


def n_runs_asked(user_id: int, *, now: datetime) -> int:
    """Return how many runs a person has asked for within the last minute; one query on the newest changes."""
    lately = Change.objects.filter(at__gt=now - MINUTE, user=user_id, action__in=RUNS)
    return lately.count()
