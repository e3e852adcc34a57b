"""Silences: windows in which nobody is told. Each is audited like any change."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from schedulerui.facts import Actor
from schedulerui.models import Schedule, Silence
from schedulerui.operations import audit

LONGEST = timedelta(days=30)


class InvalidSilence(ValueError):
    """The window cannot be; the text says why."""


def add(
    *,
    ends_at: datetime,
    reason: str,
    actor: Actor,
    now: datetime,
    starts_at: datetime | None = None,
    schedule: Schedule | None = None,
) -> Silence:
    """Tell nobody of one schedule, or of anything, until ``ends_at``; raises InvalidSilence."""
    begins = starts_at or now
    if ends_at <= begins or ends_at <= now:
        raise InvalidSilence(_("The end must lie ahead."))
    if ends_at - begins > LONGEST:
        raise InvalidSilence(_("At most 30 days: an alarm that is off for longer is forgotten."))
    silence = Silence.objects.create(
        starts_at=begins,
        ends_at=ends_at,
        schedule=schedule,
        reason=reason[:500],
        actor=actor.name[:150],
        created_at=now,
    )
    _audit("silence", silence, actor=actor, now=now)
    return silence


def end(silence_id: int, *, actor: Actor, now: datetime) -> bool:
    """End a silence now; return whether it was still on or to come. Raises Silence.DoesNotExist."""
    silence = Silence.objects.select_related("schedule").get(pk=silence_id)
    if silence.ends_at <= now:
        return False
    if silence.starts_at >= now:
        silence.delete()
    else:
        Silence.objects.filter(pk=silence_id).update(ends_at=now)
    _audit("unsilence", silence, actor=actor, now=now)
    return True


def purge(*, now: datetime, older_than: timedelta = timedelta(days=30)) -> int:
    """Delete windows that ended long ago; return how many."""
    deleted, _by_model = Silence.objects.filter(ends_at__lt=now - older_than).delete()
    return deleted


def _audit(action: str, silence: Silence, *, actor: Actor, now: datetime) -> None:
    schedule = silence.schedule
    audit.write(
        action,
        actor=actor,
        now=now,
        note=f"until {silence.ends_at:%Y-%m-%d %H:%M} UTC: {silence.reason}",
        schedule=schedule,
        schedule_uuid=schedule.uuid if schedule else None,
        schedule_name=schedule.name if schedule else "",
        version=schedule.version if schedule else 0,
    )
