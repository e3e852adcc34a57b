"""A switch that no beat has seen yet: what its row says until one has ticked.

The moment of the switch is kept in the row's digest, which the browser sends back with every poll: no table, and no row but
the one just switched, knows of it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from django.db.models import Subquery
from django.utils.translation import gettext as _

from schedulerui.conf import settings
from schedulerui.models import Beat
from schedulerui.operations.beats import is_fresh

MARK = re.compile(r"[0-9a-f]+\.([0-9]{13})w?")
WAITS = "w"
MILLISECONDS = 1000


def newest_tick() -> Subquery:
    """Return the newest tick of any beat, to be asked for beside rows: a poll asks one query."""
    return Subquery(Beat.objects.order_by("-seen_at").values("seen_at")[:1])


def mark_of(switched_at: datetime, *, seen_at: datetime | None, now: datetime) -> str:
    """Return what stands behind the digest of a row switched then; empty once a beat has ticked (``seen_at``) after it."""
    if seen_at is not None and seen_at > switched_at:
        return ""
    is_ticking = seen_at is not None and is_fresh(seen_at, now=now)
    return f".{round(switched_at.timestamp() * MILLISECONDS)}{'' if is_ticking else WAITS}"


def switched_at(digest: str) -> datetime | None:
    """Return when a row was switched whose digest is marked so; None for all others."""
    found = MARK.fullmatch(digest)
    return datetime.fromtimestamp(int(found[1]) / MILLISECONDS, UTC) if found else None


def sentence_of(mark: str) -> str:
    """Return what the row says of its mark; nothing for none."""
    if not mark:
        return ""
    if mark.endswith(WAITS):
        return _("takes effect when a beat runs")
    return _("takes effect at beat's next tick, within %(seconds)s s") % {
        "seconds": f"{settings().MAX_SLEEP:g}"
    }
