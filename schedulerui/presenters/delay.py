"""How late beat hands runs to the broker: the newest ones, as they were recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from schedulerui.models import Beat
from schedulerui.operations.troubles import OF_BEAT
from schedulerui.presenters.moments import relative
from schedulerui.presenters.percentile import percentile
from schedulerui.presenters.tally import Shown

LOOKED_AT = 500
"""Newest runs that are looked at, sent or not."""
LOOKED_BACK = timedelta(days=1)
"""How old those may be for people who see some schedules only: theirs are not the newest of all, and must not be looked for long."""
LATE = 5.0
"""Seconds of delay, in one of a hundred, that are shown as a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Seconds from due to the broker, of the middle run and of the slowest but one in a hundred; None is unknown, and ``why``."""

    p50: float | None = None
    p99: float | None = None
    n: int = 0
    """Runs that it was computed from."""
    why: str = ""

    @property
    def is_late(self) -> bool:
        """Whether somebody should look."""
        return self.p99 is not None and self.p99 > LATE

    @property
    def slower(self) -> str:
        """The runs that are late, or else later than nearly all, as the list of runs is asked for them."""
        seconds = LATE if self.is_late else math.floor(1000 * (self.p99 or 0)) / 1000
        return f"late>{seconds:g}s"


def delay_of(shown: Shown, *, n_beats: int, now: datetime) -> Delay:
    """Return the delay of the newest runs that are shown; one query. ``n_beats``: beats that tick; without one it is unknown."""
    if not n_beats:
        seen_at = Beat.objects.order_by("-seen_at").values_list("seen_at", flat=True).first()
        if seen_at is None:
            return Delay(why=_("no beat is running"))
        return Delay(why=_("no beat ticks; the last tick was %(ago)s") % {"ago": relative(seen_at, now)})
    newest = shown.runs.filter(due_at__lte=now).order_by("-due_at", "-id")
    if shown.scope:
        newest = newest.filter(due_at__gt=now - LOOKED_BACK)
    rows = newest.values_list("due_at", "sent_at", "trigger")[:LOOKED_AT]
    took = sorted(
        max((sent_at - due_at).total_seconds(), 0.0)
        for due_at, sent_at, trigger in rows
        if sent_at is not None and trigger in OF_BEAT
    )
    if not took:
        return Delay(why=_("none of the newest runs was sent by beat"))
    return Delay(p50=percentile(took, 0.50), p99=percentile(took, 0.99), n=len(took))
