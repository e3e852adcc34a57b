"""What a beat tells of itself: information for people, never a lock."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from schedulerui.conf import settings
from schedulerui.models import Beat


def register(beat: Beat) -> Beat:
    """Write the row of a beat that has just started."""
    beat.save(force_insert=True)
    return beat


def tick(beat: Beat) -> bool:
    """Write a heartbeat from the values on the object; returns False when its row is gone (purged while it was away)."""
    return bool(
        Beat.objects.filter(instance=beat.instance).update(
            seen_at=beat.seen_at,
            clock_seen_at=beat.clock_seen_at,
            clock_offset=beat.clock_offset,
            lag=beat.lag,
            dispatched=beat.dispatched,
            latency=beat.latency,
            degraded=beat.degraded,
        )
    )


def ticking(*, now: datetime) -> QuerySet[Beat]:
    """Return the beats that were heard of within ``BEAT_STALE_AFTER`` seconds."""
    return Beat.objects.filter(seen_at__gte=now - timedelta(seconds=settings().BEAT_STALE_AFTER))


def is_fresh(seen_at: datetime, *, now: datetime) -> bool:
    """Return whether a beat that was last heard of then counts as ticking."""
    return now - seen_at <= timedelta(seconds=settings().BEAT_STALE_AFTER)


def sign_off(beat: Beat) -> None:
    """Delete the row of a beat that ends in an orderly way."""
    Beat.objects.filter(instance=beat.instance).delete()


def purge(*, now: datetime, older_than: timedelta) -> int:
    """Delete the rows of beats that have not been heard of for long; returns how many."""
    deleted, _ = Beat.objects.filter(seen_at__lt=now - older_than).delete()
    return deleted
