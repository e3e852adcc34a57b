"""How much one person has asked for lately, as the audit log tells."""

from __future__ import annotations

from datetime import datetime, timedelta

from schedulerui.models import Change

RUNS = ("run_now", "run_custom", "run_again")
MINUTE = timedelta(minutes=1)
TESTS_A_MINUTE = 3
"""Most times that one person may have all channels tried: each is a message to many who did not ask for it."""


def n_runs_asked(user_id: int, *, now: datetime) -> int:
    """Return how many runs a person has asked for within the last minute; one query on the newest changes."""
    lately = Change.objects.filter(at__gt=now - MINUTE, user=user_id, action__in=RUNS)
    return lately.count()


def wait_for_test(user_id: int, *, now: datetime) -> timedelta:
    """Return how long a person has to wait until the channels may be tried again; one query on the newest changes."""
    lately = Change.objects.filter(at__gt=now - MINUTE, user=user_id, action="try_channels")
    times = list(lately.order_by("-at").values_list("at", flat=True)[:TESTS_A_MINUTE])
    if len(times) < TESTS_A_MINUTE:
        return timedelta(0)
    return min(times[-1] + MINUTE - now, MINUTE)
