"""What an address names, or 404."""

from __future__ import annotations

from django.http import Http404

from schedulerui.models import Schedule
from schedulerui.models.damaged import read_schedule


def schedule_or_404(pk: int) -> Schedule:
    """Return a schedule, also a damaged one, to be looked at or deleted; raises Http404."""
    try:
        return read_schedule(pk)
    except Schedule.DoesNotExist:
        raise Http404 from None
