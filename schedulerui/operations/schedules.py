"""Verbs on schedules: create, edit, enable, disable, delete. Each writes its audit row in its own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from schedulerui.facts import Actor, Trigger
from schedulerui.models import Run, Schedule, ScheduleState
from schedulerui.models.damaged import read_schedule
from schedulerui.operations import audit, cancellations, pausing, validation
from schedulerui.operations.errors import CodeManaged, InvalidSchedule, VersionConflict
from schedulerui.recurrence import RuleError

TIMING = frozenset(
    {
        "kind", "expression", "semantics", "tz", "every", "period", "anchor_at", "clocked_at_utc", "clocked_at_local",
        "solar_event", "latitude", "longitude", "start_at", "end_at", "max_runs", "jitter",
    }
)  # fmt: skip
"""Fields whose change moves the next run."""
SWITCH_TRIES = 5
"""How often a switch, a pause or a new anchor is tried again when somebody else changes the schedule at the same time."""
_UUID_VERSIONS = (4, 5)
"""Random and derived ones; MariaDB refuses others as no uuids at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toggled:
    """The schedule as it is now, and whether this call changed it."""

    schedule: Schedule
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """How a switch was turned: what the row was before, under which verb, and the pause that ends by it."""

    seen: int
    """The version that was read."""
    before: Mapping[str, object]
    action: str
    note: str = ""
    ended: pausing.Pause | None = None


def check(
    fields: Mapping[str, object], *, now: datetime, current: Schedule | None = None
) -> dict[str, list[str]]:
    """Return what is wrong with these values, field to sentences, without writing anything."""
    candidate = _copy(current) if current else Schedule()
    validation.apply(candidate, fields, now=now)
    return validation.errors_of(candidate)


def create(fields: Mapping[str, object], *, actor: Actor, now: datetime, note: str = "") -> Schedule:
    """Create a schedule whose first run is the first one after ``now``; raises InvalidSchedule.

    Among the fields may be the ``uuid`` that a preview was made with: jitter and ``H`` depend on it. One that is taken is
    replaced, and so is one that no database would make. ``note`` goes into the audit log.
    """
    schedule = Schedule(created_at=now, updated_at=now)
    wanted = fields.get("uuid")
    if isinstance(wanted, UUID) and wanted.version in _UUID_VERSIONS and not _was_used(wanted):
        schedule.uuid = wanted
    others = {name: value for name, value in fields.items() if name != "uuid"}
    validation.apply(schedule, others, now=now)
    _refuse_invalid(schedule)
    set_next(schedule, now=now)
    try:
        with transaction.atomic():
            schedule.save(force_insert=True)
            ScheduleState.objects.create(schedule=schedule)
            audit.record(schedule, action="create", actor=actor, now=now, note=note)
    except IntegrityError as error:
        raise _name_taken(schedule, error) from error
    return schedule


def edit(
    schedule_id: int, fields: Mapping[str, object], *, version: int, actor: Actor, now: datetime
) -> Schedule:
    """Change a schedule that is still at ``version``.

    The next run is computed anew only if the timing changed. Raises InvalidSchedule, VersionConflict, CodeManaged and
    Schedule.DoesNotExist.
    """
    schedule = Schedule.objects.get(pk=schedule_id)
    _refuse_code(schedule, actor)
    if schedule.version != version:
        raise VersionConflict(schedule)
    before = audit.snapshot(schedule)
    validation.apply(schedule, fields, now=now)
    _refuse_invalid(schedule)
    return rewrite(schedule, before=before, actor=actor, now=now, action="edit")


def rewrite(
    schedule: Schedule,
    *,
    before: Mapping[str, object],
    actor: Actor,
    now: datetime,
    action: str,
    note: str = "",
) -> Schedule:
    """Store a changed and valid schedule if the row is still at the version it was read at; raises VersionConflict."""
    changed = audit.difference(before, audit.snapshot(schedule))
    if not changed:
        return schedule
    seen, names = schedule.version, [*changed, "version", "updated_at"]
    schedule.version, schedule.updated_at = seen + 1, now
    paused = pausing.end(schedule, until=now) if schedule.enabled else None
    if paused:
        names += pausing.COLUMNS
    try:
        with transaction.atomic():
            if changed.keys() & (TIMING | {"enabled"}) or schedule.error:
                _hold(schedule, version=seen, now=now)
                set_next(schedule, now=now)
                names += ["next_nominal_at", "next_run_at", "error"]
            values = {name: getattr(schedule, name) for name in names}
            if not Schedule.objects.filter(pk=schedule.pk, version=seen).update(**values):
                raise VersionConflict(Schedule.objects.get(pk=schedule.pk))
            if paused:
                pausing.account(schedule, paused, accounted_until=_accounted_until(schedule), now=now)
            audit.record(schedule, action=action, actor=actor, now=now, before=before, note=note)
    except IntegrityError as error:
        raise _name_taken(schedule, error) from error
    return schedule


def _hold(schedule: Schedule, *, version: int, now: datetime) -> None:
    """Hold the row until the transaction ends, and read what beat may have written since the object was read.

    The write comes first: on every database that is a lock. A next run computed from older values could be one that beat has
    dispatched already. Raises VersionConflict.
    """
    if not Schedule.objects.filter(pk=schedule.pk, version=version).update(updated_at=now):
        raise VersionConflict(Schedule.objects.get(pk=schedule.pk))
    rows = Schedule.objects.filter(pk=schedule.pk)
    schedule.next_nominal_at, schedule.runs_created = rows.values_list(
        "next_nominal_at", "runs_created"
    ).get()


def enable(schedule_id: int, *, actor: Actor, now: datetime, paused_until: datetime | None = None) -> Toggled:
    """Switch a schedule on: the next run is the first one after ``now``, nothing is caught up.

    One that was paused is resumed: its times in the pause are accounted for, its streak of failures begins anew. With
    ``paused_until`` only if its pause ends at that moment, and from then on. Already on: nothing changes. Raises
    Schedule.DoesNotExist.
    """
    return _switch(schedule_id, enabled=True, actor=actor, now=now, paused_until=paused_until)


def disable(schedule_id: int, *, actor: Actor, now: datetime) -> Toggled:
    """Switch a schedule off; claimed runs that were not sent yet are cancelled. Already off: nothing changes.

    Raises Schedule.DoesNotExist.
    """
    return _switch(schedule_id, enabled=False, actor=actor, now=now)


def delete(schedule_id: int, *, actor: Actor, now: datetime) -> None:
    """Delete a schedule, also a damaged one. Its runs and audit rows stay, under its name.

    Raises CodeManaged and Schedule.DoesNotExist.
    """
    schedule = read_schedule(schedule_id)
    _refuse_code(schedule, actor)
    with transaction.atomic():
        # The write comes first: it waits for a claim that is under way, and keeps the next one out.
        Schedule.objects.filter(pk=schedule.pk).update(updated_at=now)
        audit.record(schedule, action="delete", actor=actor, now=now)
        _cancel_unsent(schedule, by=actor.name, now=now, reason=_("The schedule was deleted."))
        schedule.delete()


def set_next(schedule: Schedule, *, now: datetime) -> None:
    """Set ``next_nominal_at``, ``next_run_at`` and ``error`` on the object from ``now``; saves nothing.

    The next occurrence is the first after ``now``, or the one before it that its jitter has put off beyond ``now``.
    A rule that cannot be read puts the schedule into error rather than raising: one row must not stop the others.
    """
    unaccounted_from = schedule.next_nominal_at
    schedule.next_nominal_at = schedule.next_run_at = None
    schedule.error = ""
    if not schedule.enabled or (schedule.max_runs is not None and schedule.runs_created >= schedule.max_runs):
        return
    try:
        timetable = schedule.timetable()
        after = timetable.resume_after(now=now, unaccounted_from=unaccounted_from)
        # The clock of the web and that of beat may differ: what beat has dealt with already does not come again.
        found = timetable.first(max(after, _accounted_until(schedule) or after))
    except RuleError as error:
        schedule.error = f"{error.field}: {error.message}"
        return
    if found is not None:
        schedule.next_nominal_at, schedule.next_run_at = found.nominal_at, found.due_at


def _was_used(uuid: UUID) -> bool:
    """Tell whether a schedule has this uuid, or one that is deleted had it and left runs."""
    keys = Run.objects.filter(key__gte=f"s:{uuid}:", key__lt=f"s:{uuid};")
    return Schedule.objects.filter(uuid=uuid).exists() or keys.exists()


def _accounted_until(schedule: Schedule) -> datetime | None:
    """Return the nominal time of the newest run or decision; one query, none for a new schedule."""
    if not schedule.pk:
        return None
    of_beat = Run.objects.filter(schedule=schedule, trigger=Trigger.SCHEDULE)
    newest = of_beat.newest_first().values_list("nominal_at", flat=True)
    return newest.first()


def _switch(
    schedule_id: int, *, enabled: bool, actor: Actor, now: datetime, paused_until: datetime | None = None
) -> Toggled:
    """Bring the switch into one position. A verb about one column cannot be in conflict: who loses a race tries again."""
    for _again in range(SWITCH_TRIES):
        schedule = Schedule.objects.get(pk=schedule_id)
        if schedule.enabled == enabled or (paused_until and schedule.resume_at != paused_until):
            return Toggled(schedule=schedule, changed=False)
        before, seen = audit.snapshot(schedule), schedule.version
        schedule.enabled, schedule.version, schedule.updated_at = enabled, seen + 1, now
        since = pausing.before(paused_until) if paused_until else now
        paused = pausing.end(schedule, until=since) if enabled else None
        set_next(schedule, now=since)
        action = "resume" if paused else "enable" if enabled else "disable"
        switch = Switch(seen=seen, before=before, action=action, ended=paused)
        if store_switch(schedule, switch, actor=actor, now=now):
            return Toggled(schedule=schedule, changed=True)
    raise VersionConflict(Schedule.objects.get(pk=schedule_id))


def store_switch(schedule: Schedule, switch: Switch, *, actor: Actor, now: datetime) -> bool:
    """Store a switch that was turned on the object if its row is still at the version seen; returns whether it was."""
    names = ("enabled", "version", "updated_at", "next_nominal_at", "next_run_at", "error", *pausing.COLUMNS)
    values = {name: getattr(schedule, name) for name in names}
    with transaction.atomic():
        if not Schedule.objects.filter(pk=schedule.pk, version=switch.seen).update(**values):
            return False
        before, note = switch.before, switch.note
        audit.record(schedule, action=switch.action, actor=actor, now=now, before=before, note=note)
        if switch.ended is not None:
            pausing.account(schedule, switch.ended, accounted_until=_accounted_until(schedule), now=now)
            ScheduleState.objects.filter(pk=schedule.pk).update(failure_streak=0)
        if not schedule.enabled:
            _cancel_unsent(schedule, by=actor.name, now=now, reason=_("The schedule was switched off."))
    return True


def _cancel_unsent(schedule: Schedule, *, by: str, now: datetime, reason: str) -> None:
    of_beat = Run.objects.filter(schedule=schedule, trigger__in=[Trigger.SCHEDULE, Trigger.RETRY])
    cancellations.call_off_all(of_beat, by=by, reason=reason, now=now)


def _refuse_invalid(schedule: Schedule) -> None:
    errors = validation.errors_of(schedule)
    if errors:
        raise InvalidSchedule(errors)


def _refuse_code(schedule: Schedule, actor: Actor) -> None:
    if schedule.source == "code" and actor.via != "code":
        raise CodeManaged(schedule)


def _name_taken(schedule: Schedule, error: IntegrityError) -> Exception:
    """Turn the unique key's refusal into the field's sentence; another one is a mistake of ours and stays what it is."""
    if Schedule.objects.filter(name=schedule.name).exclude(pk=schedule.pk).exists():
        return InvalidSchedule({"name": [_("There is already a schedule with this name.")]})
    return error


def _copy(schedule: Schedule) -> Schedule:
    names = [field.attname for field in Schedule._meta.concrete_fields]  # noqa: SLF001 - Django's documented introspection
    return Schedule(**{name: getattr(schedule, name) for name in names})
