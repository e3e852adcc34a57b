"""Leaving out one time that is to come, with a reason, and taking that back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from schedulerui.error_text import storable
from schedulerui.facts import Actor
from schedulerui.models import Schedule
from schedulerui.operations import audit
from schedulerui.operations.errors import InvalidSchedule, NotComing
from schedulerui.recurrence import RuleError

SKIPS_MAX = 50
"""Most times to come that one schedule may leave out; for more, pause it or change its rule."""
REASON_MAX = 300
"""Most characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The schedule as it is now, and whether this call changed it."""

    schedule: Schedule
    changed: bool


def skip_next(schedule_id: int, *, nominal_at: datetime, reason: str, actor: Actor, now: datetime) -> Skipped:
    """Leave out one coming occurrence; schedules that are defined in code too. Already skipped: nothing changes.

    Beat writes a skipped run with the reason when its time has come; it does not count for the most runs. Raises NotComing
    when ``nominal_at`` (UTC) is not one of the times to come, InvalidSchedule for a bad reason or one time too many, and
    Schedule.DoesNotExist.
    """
    reason = " ".join(storable(reason).split())
    if not reason or len(reason) > REASON_MAX:
        message = _("Give a reason of at most %(most)d characters.") % {"most": REASON_MAX}
        raise InvalidSchedule({"reason": [message]})
    with transaction.atomic():
        schedule = _locked(schedule_id, now=now)
        if not _is_coming(schedule, nominal_at, now=now):
            raise NotComing(_("This is not one of the times to come of %(name)s.") % {"name": schedule.name})
        kept = _still_to_come(schedule, now=now)
        if nominal_at in schedule.skipped():
            return Skipped(schedule=schedule, changed=False)
        if len(kept) >= SKIPS_MAX:
            message = _("At most %(most)d times can be skipped at once.") % {"most": SKIPS_MAX}
            raise InvalidSchedule({"nominal_at": [message]})
        entry = {
            "nominal": nominal_at.astimezone(UTC).isoformat(),
            "reason": reason,
            "actor": actor.name[:100],
            "at": now.isoformat(),
        }
        _store(schedule, [*kept, entry], now=now)
        note = f"{entry['nominal']}: {reason}"
        audit.record(schedule, action="skip", actor=actor, now=now, note=note)
    return Skipped(schedule=schedule, changed=True)


def unskip(schedule_id: int, *, nominal_at: datetime, actor: Actor, now: datetime) -> Skipped:
    """Let an occurrence run after all, if beat has not dealt with it yet. Not skipped: nothing changes.

    Raises NotComing when its time has come already, and Schedule.DoesNotExist.
    """
    with transaction.atomic():
        schedule = _locked(schedule_id, now=now)
        if nominal_at not in schedule.skipped():
            return Skipped(schedule=schedule, changed=False)
        kept = _still_to_come(schedule, now=now)
        left = [entry for entry in kept if datetime.fromisoformat(entry["nominal"]) != nominal_at]
        if len(left) == len(kept):
            raise NotComing(_("The time to run it has passed: it was skipped."))
        _store(schedule, left, now=now)
        note = nominal_at.astimezone(UTC).isoformat()
        audit.record(schedule, action="unskip", actor=actor, now=now, note=note)
    return Skipped(schedule=schedule, changed=True)


def _locked(schedule_id: int, *, now: datetime) -> Schedule:
    """Return the row, held until the transaction ends: the write comes first, on every database that is a lock."""
    Schedule.objects.filter(pk=schedule_id).update(updated_at=now)
    return Schedule.objects.get(pk=schedule_id)


def _is_coming(schedule: Schedule, nominal_at: datetime, *, now: datetime) -> bool:
    first_at = schedule.next_nominal_at or now
    try:
        return nominal_at >= first_at and schedule.timetable().has(nominal_at)
    except RuleError:
        return False


def _still_to_come(schedule: Schedule, *, now: datetime) -> list[dict[str, str]]:
    """Return the entries that beat has not dealt with yet."""
    first_at = min(schedule.next_nominal_at or now, now)
    return [entry for entry in schedule.skips if datetime.fromisoformat(entry["nominal"]) >= first_at]


def _store(schedule: Schedule, skips: list[dict[str, str]], *, now: datetime) -> None:
    schedule.skips, schedule.updated_at = skips, now
    Schedule.objects.filter(pk=schedule.pk).update(skips=skips, updated_at=now)
