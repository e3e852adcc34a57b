"""What needs a person, the most urgent of each kind: what cannot run at all, what nobody takes, what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.conf import settings
from schedulerui.facts import FAILING, RunState
from schedulerui.models import Alert, Schedule
from schedulerui.operations.registered import Unknown, UnknownTasks
from schedulerui.presenters.remembered import N_CHEAP, Remembered
from schedulerui.presenters.runs import SENTENCES
from schedulerui.presenters.schedules import ScheduleRow
from schedulerui.presenters.states import StateWord, state_of
from schedulerui.presenters.tally import Shown
from schedulerui.presenters.values import digest

N_SHOWN = 10
N_OF_A_KIND = 2
"""How many of each kind are shown before any kind gets more."""
UNHAPPY = (*FAILING, RunState.MISSED)

UNKNOWN: Remembered[UnknownTasks] = Remembered("unknown", is_cheap=lambda found: found.n_schedules <= N_CHEAP)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRow:
    """One thing that needs a person: its name, why in a sentence, where to look, since when."""

    key: str
    name: str
    url: str
    chip: StateWord
    why: str
    at: datetime | None = None

    @property
    def digest(self) -> str:
        """What changes exactly when the line looks different."""
        return digest(self.key, self.name, self.chip.key, self.why, self.at)


def lists_of(shown: Shown, *, now: datetime) -> Mapping[str, QuerySet[Any]]:
    """Return the short lists to look into, by kind."""
    overdue_at = now - timedelta(seconds=settings().BEAT_STALE_AFTER)
    rows = shown.schedules
    unhappy = rows.filter(enabled=True, error="", state__last_state__in=UNHAPPY)
    # One that is off and still failing has paused itself: nothing else of it would be told here.
    has_to_wait = Q(state="late", schedule__enabled=True) | Q(state="failing", schedule__enabled=False)
    late = shown.alerts.filter(has_to_wait, kind="schedule")
    # As the index su_state_unhappy has them: the walk ends with the tenth that is on, and reads no other schedules.
    worst_first = ("-state__failure_streak", "-state__last_state", "-state__schedule_id")
    return {
        "queue": shown.alerts.filter(kind="queue", state="down").order_by("-since")[:N_SHOWN],
        "broken": rows.filter(enabled=True, next_run_at=None).exclude(error="").order_by("name")[:N_SHOWN],
        "late": late.order_by("-since")[:N_SHOWN],
        "pause": rows.filter(enabled=False, resume_at__lt=overdue_at).order_by("resume_at")[:N_SHOWN],
        "unhappy": unhappy.order_by(*worst_first)[:N_SHOWN],
    }


def alerts_of(shown: Shown, keys: Mapping[str, Sequence[int]]) -> Iterable[Alert]:
    """Return the alerts among the ``keys`` of ``lists_of``, the newest first; one query if there are any."""
    wanted = [*keys["queue"], *keys["late"]]
    if not wanted:
        return ()
    found = shown.alerts.filter(pk__in=wanted).select_related("schedule", "run").order_by("-since")
    return found.only("kind", "key", "state", "message", "since", "schedule__name", "run__state")


def attention(
    keys: Mapping[str, Sequence[int]],
    *,
    rows: Mapping[int, ScheduleRow],
    alerts: Iterable[Alert],
    unknown: UnknownTasks,
) -> tuple[AttentionRow, ...]:
    """Return the lines, at most ``N_SHOWN``, those of each kind together."""
    of_kind = {kind: [rows[pk] for pk in keys[kind] if pk in rows] for kind in ("broken", "pause", "unhappy")}
    of_kind["unhappy"].sort(key=lambda row: (-row.failure_streak, row.name))
    standing = list(alerts)
    late = [alert for alert in standing if alert.schedule_id not in keys["unhappy"]]
    return _share(
        [
            [_of_queue(alert) for alert in standing if alert.kind == "queue"],
            [_of_broken(row) for row in of_kind["broken"]],
            [_of_task(each, rows) for each in unknown.tasks[:N_SHOWN]],
            [_of_pause(row) for row in of_kind["pause"]],
            [_of_run(row) for row in of_kind["unhappy"]],
            [_of_late(alert, alert.schedule) for alert in late if alert.schedule],
        ]
    )


def _share(kinds: Sequence[Sequence[AttentionRow]]) -> tuple[AttentionRow, ...]:
    """Return the first of all kinds: a few of each, then as many more as there is room for."""
    room, given = N_SHOWN, [0] * len(kinds)
    for most in (*range(1, N_OF_A_KIND + 1), N_SHOWN):
        for place, kind in enumerate(kinds):
            more = min(max(min(len(kind), most) - given[place], 0), room)
            given[place] += more
            room -= more
    return tuple(row for kind, n in zip(kinds, given, strict=True) for row in kind[:n])


def _of_queue(alert: Alert) -> AttentionRow:
    name = alert.key.partition(":")[2]
    return AttentionRow(
        key=alert.key,
        name=name,
        url=reverse("schedulerui:workers"),
        chip=state_of("unattended"),
        why=_("Schedules send to this queue, and no worker takes from it."),
        at=alert.since,
    )


def _of_broken(row: ScheduleRow) -> AttentionRow:
    return _of_schedule(row, chip=state_of("error"), why=row.problem, at=row.changed_at)


def _of_task(unknown: Unknown, rows: Mapping[int, ScheduleRow]) -> AttentionRow:
    why = ngettext(
        "No worker that is online knows the task of this schedule.",
        "No worker that is online knows this task; %(n)d schedules send it.",
        unknown.n,
    ) % {"n": unknown.n}
    row = rows.get(unknown.first)
    if unknown.n == 1 and row is not None:
        return _of_schedule(row, chip=state_of("unknown"), why=f"{why} {unknown.task}", at=unknown.since)
    address = f"{reverse('schedulerui:schedules')}?{urlencode({'task': unknown.task, 'on': 'on'})}"
    return AttentionRow(
        key=f"task:{unknown.task}",
        name=unknown.task,
        url=address,
        chip=state_of("unknown"),
        why=why,
        at=unknown.since,
    )


def _of_pause(row: ScheduleRow) -> AttentionRow:
    why = f"{_('Beat has not switched it on again.')} {row.paused}"
    return _of_schedule(row, chip=state_of("overslept"), why=why, at=row.resume_at)


def _of_run(row: ScheduleRow) -> AttentionRow:
    n = row.failure_streak
    why = str(SENTENCES[RunState(row.last_state.key)])
    if n > 1:
        why = ngettext("failed %(n)d time in a row", "failed %(n)d times in a row", n) % {"n": n}
    return _of_schedule(row, chip=row.last_state, why=why, at=row.last_run_at)


def _of_late(alert: Alert, schedule: Schedule) -> AttentionRow:
    is_missed = alert.run is not None and alert.run.state == RunState.MISSED
    return AttentionRow(
        key=alert.key,
        name=schedule.name,
        url=reverse("schedulerui:schedule", args=[schedule.pk]),
        chip=state_of("paused" if alert.state == "failing" else RunState.MISSED if is_missed else "late"),
        why=alert.message,
        at=alert.since,
    )


def _of_schedule(row: ScheduleRow, *, chip: StateWord, why: str, at: datetime | None = None) -> AttentionRow:
    url = reverse("schedulerui:schedule", args=[row.pk])
    return AttentionRow(key=f"{row.pk}", name=row.name, url=url, chip=chip, why=why, at=at)
