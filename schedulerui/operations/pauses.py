"""Pausing a schedule with a reason and until a moment, and the ways it comes back: a person, beat when the moment is there."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from schedulerui.error_text import storable
from schedulerui.facts import Actor
from schedulerui.models import Schedule
from schedulerui.operations import audit, schedules
from schedulerui.operations.errors import InvalidSchedule, VersionConflict
from schedulerui.operations.schedules import Toggled

logger = logging.getLogger(__name__)

REASON_MAX = 300
"""Most characters of a reason."""
AT_ONCE_MAX = 200
"""Most schedules that one look of a beat resumes."""


def pause(schedule_id: int, *, until: datetime | None, reason: str, actor: Actor, now: datetime) -> Toggled:
    """Switch a schedule off for a reason, until a moment (UTC) or until somebody resumes it; also one defined in code.

    The times that fall into the pause become one skipped row when it ends. A schedule that is paused already gets the new
    reason and end; its pause goes on. Raises InvalidSchedule, VersionConflict and Schedule.DoesNotExist.
    """
    words = _checked(until, reason, now=now)
    for _again in range(schedules.SWITCH_TRIES):
        schedule = Schedule.objects.get(pk=schedule_id)
        wanted = (actor.name[:150], words, until)
        if (schedule.paused_by, schedule.pause_reason, schedule.resume_at) == wanted and schedule.paused_at:
            return Toggled(schedule=schedule, changed=False)
        before, seen = audit.snapshot(schedule), schedule.version
        schedule.enabled, schedule.version, schedule.updated_at = False, seen + 1, now
        schedule.paused_at = schedule.paused_at or now
        schedule.paused_by, schedule.pause_reason, schedule.resume_at = wanted
        schedules.set_next(schedule, now=now)
        switch = schedules.Switch(seen=seen, before=before, action="pause", note=_note(until, words))
        if schedules.store_switch(schedule, switch, actor=actor, now=now):
            return Toggled(schedule=schedule, changed=True)
    raise VersionConflict(Schedule.objects.get(pk=schedule_id))


def resume(schedule_id: int, *, actor: Actor, now: datetime) -> Toggled:
    """Switch a schedule on again, as ``schedules.enable`` does. Raises Schedule.DoesNotExist."""
    return schedules.enable(schedule_id, actor=actor, now=now)


def resume_due(now: datetime) -> tuple[int, datetime | None]:
    """Switch on what was paused until a moment that has come; return how many, and when the next pause ends.

    Any beat may ask, one of them does it. The next run is counted from the end of the pause and not from ``now``: what was due
    after it while no beat ticked follows the misfire policy. One probe of an index where nothing is to be resumed. Raises
    django.db.Error.
    """
    ending = Schedule.objects.filter(resume_at__isnull=False).order_by("resume_at", "id")
    rows = ending.values_list("pk", "resume_at")[:AT_ONCE_MAX]
    found = [(pk, until) for pk, until in rows if until is not None]
    resumed = sum(_resume(pk, until, now=now) for pk, until in found if until <= now)
    return resumed, next((until for _pk, until in found if until > now), None)


def _resume(pk: int, until: datetime, *, now: datetime) -> bool:
    try:
        return schedules.enable(pk, actor=Actor.system(), now=now, paused_until=until).changed
    except (Schedule.DoesNotExist, VersionConflict):
        return False
    except (ValueError, TypeError, OverflowError, RecursionError):
        logger.exception("a schedule cannot be resumed", extra={"action": "resume_failed", "schedule": pk})
        Schedule.objects.filter(pk=pk).update(resume_at=None)
        return False


def after_failures(schedule_id: int, *, streak: int, now: datetime) -> bool:
    """Pause a schedule that is on and has failed as often in a row as its ``auto_pause_after``; returns whether it did."""
    met = Schedule.objects.filter(pk=schedule_id, enabled=True, auto_pause_after__lte=streak)
    if not met.exists():
        return False
    with transaction.atomic():
        # The streak may have ended since: a success that was told meanwhile keeps the schedule on.
        still = met.filter(state__failure_streak__gte=F("auto_pause_after"))
        if not still.exists():
            return False
        reason = _("%(n)d failures in a row") % {"n": streak}
        return pause(schedule_id, until=None, reason=reason, actor=Actor.system(), now=now).changed


def _checked(until: datetime | None, reason: str, *, now: datetime) -> str:
    errors: dict[str, list[str]] = {}
    words = " ".join(storable(reason).split())
    if len(words) > REASON_MAX:
        errors["reason"] = [_("Give a reason of at most %(most)d characters.") % {"most": REASON_MAX}]
    if until is not None and until <= now:
        errors["until"] = [_("This moment has passed.")]
    if errors:
        raise InvalidSchedule(errors)
    return words


def _note(until: datetime | None, reason: str) -> str:
    when = f"until {until.isoformat(timespec='seconds')}" if until else ""
    return ": ".join(part for part in (when, reason) if part)
