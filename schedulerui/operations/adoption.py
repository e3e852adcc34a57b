"""Schedules that are defined in code: taken over as rows that only code may change."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import uuid5

from django.db import DatabaseError, transaction

from schedulerui.facts import Actor
from schedulerui.models import Change, Schedule
from schedulerui.operations import audit, schedules, validation
from schedulerui.operations.errors import InvalidSchedule, VersionConflict
from schedulerui.planned import NAMESPACE

logger = logging.getLogger(__name__)

ACTOR = Actor(name="beat_schedule", via="code")


class TakenByAnotherApp(Exception):
    """Another Celery app on this database defines an entry of this name in another way."""


def adopt(
    entries: Mapping[str, Mapping[str, object]],
    *,
    now: datetime,
    app: str = "",
    unreadable: Collection[str] = (),
) -> dict[str, str]:
    """Make the code-managed rows equal to ``entries`` (name to fields) and return what was refused, name to sentence.

    ``unreadable`` names entries that are in the code and cannot be kept: their rows stay as they are.

    An entry that has not changed is not touched, so that a restart does not restart an interval; whether it is switched on is
    the person's business. A row whose entry is gone from the code is switched off, not deleted, and on again when the entry
    comes back. Rows of another Celery app than ``app`` are left alone; an entry whose name is taken by one of them is refused,
    unless both say the same. Idempotent; several beats may do it at once.
    """
    refused: dict[str, str] = {}
    for name, fields in entries.items():
        try:
            _adopt_one(name, fields, app=app, now=now)
        except (InvalidSchedule, TakenByAnotherApp) as error:
            refused[name] = str(error)
            logger.warning(
                "entry %r of beat_schedule is refused: %s", name, error, extra={"action": "adopt_refused"}
            )
        except VersionConflict:
            logger.debug("another beat adopted %r first", name, extra={"action": "adopt_lost"})
        except DatabaseError:
            raise
        except Exception as error:
            refused[name] = f"{type(error).__name__}: {error}"
            logger.exception("entry %r of beat_schedule is refused", name, extra={"action": "adopt_refused"})
    _switch_off_gone([*entries, *unreadable], app=app, now=now)
    return refused


def rename_app(old: str, new: str, *, actor: Actor, now: datetime) -> int:
    """Let the schedules that the code of one Celery app defined be those of another; return how many.

    For an app that has got another name: its next beat then takes them over as the code has them now, and switches off those
    that are gone from it.
    """
    with transaction.atomic():
        of_old = list(
            Schedule.objects.select_for_update().filter(source="code", source_app=old).order_by("pk")
        )
        Schedule.objects.filter(pk__in=[schedule.pk for schedule in of_old]).update(source_app=new)
        for schedule in of_old:
            note = f"from the app {old!r} to {new!r}"
            audit.record(schedule, action="rename_app", actor=actor, now=now, note=note)
    return len(of_old)


def _switch_off_gone(names: Collection[str], *, app: str, now: datetime) -> None:
    ours = Schedule.objects.filter(source="code", source_app__in=["", app])
    gone = ours.filter(enabled=True).exclude(source_key__in=names)
    for pk, name in gone.values_list("pk", "name"):
        logger.warning("%r is not in the code any more: switched off", name, extra={"action": "adopt_gone"})
        schedules.disable(pk, actor=ACTOR, now=now)


def _was_gone(schedule: Schedule) -> bool:
    """Tell whether it is off because its entry was gone from the code, and not because a person switched it off."""
    switched = Change.objects.filter(schedule=schedule, action__in=["enable", "disable"])
    newest = switched.order_by("-at", "-id").first()
    return newest is not None and (newest.action, newest.actor, newest.via) == (
        "disable",
        ACTOR.name,
        ACTOR.via,
    )


def _adopt_one(name: str, fields: Mapping[str, object], *, app: str, now: datetime) -> None:
    existing = Schedule.objects.filter(source="code", source_key=name).first()
    if existing is None:
        _create(name, fields, app=app, now=now)
        return
    before = audit.snapshot(existing)
    kept = {"anchor_at": existing.anchor_at} if existing.kind == fields.get("kind") == "interval" else {}
    validation.apply(existing, {**kept, **fields}, now=now)
    if existing.source_app not in {"", app} and audit.difference(before, audit.snapshot(existing)):
        message = (
            f"the app {existing.source_app!r} has another entry of this name: give one of them another name"
        )
        raise TakenByAnotherApp(message)
    errors = validation.errors_of(existing)
    if errors:
        raise InvalidSchedule(errors)
    schedules.rewrite(existing, before=before, actor=ACTOR, now=now, action="adopt")
    Schedule.objects.filter(pk=existing.pk).exclude(source_app=app).update(source_app=app)
    if not existing.enabled and _was_gone(existing):
        schedules.enable(existing.pk, actor=ACTOR, now=now)


def _create(name: str, fields: Mapping[str, object], *, app: str, now: datetime) -> None:
    # The same in every environment: spread and H come from it.
    same = uuid5(NAMESPACE, f"code|{name}")
    values = {**fields, "uuid": same, "name": name, "source": "code", "source_key": name, "source_app": app}
    try:
        schedules.create(values, actor=ACTOR, now=now)
    except InvalidSchedule:
        if not Schedule.objects.filter(source="code", source_key=name).exists():
            raise
