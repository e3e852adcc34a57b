"""How wrong passwords are counted on the bundled site: by a name and an address, and by the address alone, whatever the names."""

from __future__ import annotations

from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.db.models import Sum

NAMES = 10
"""So many times the limit of one name is what an address has for all names together."""


class Guesses(AxesDatabaseHandler):  # type: ignore[misc] # axes has no types
    """Counts for a name at an address, and for the address: few guesses at each of many names are guesses too."""

    def get_failures(self, request: Any, credentials: Any = None) -> int:
        """Return how many wrong passwords count against this login."""
        here = AccessAttempt.objects.filter(
            ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
        )
        n_here: int = here.aggregate(n=Sum("failures_since_start"))["n"] or 0
        n_of_name: int = super().get_failures(request, credentials)
        return max(n_of_name, n_here // NAMES)
