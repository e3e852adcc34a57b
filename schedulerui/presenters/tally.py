"""What the overview counts: the numbers of its tiles, and what stays the same while nothing on it looks different; one query."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Aggregate, Count, Max, Q, QuerySet, Sum, Value
from django.db.models.fields import CharField

from schedulerui.facts import ACTIVE, FAILING, RunState
from schedulerui.models import (
    Alert,
    Change,
    Finding,
    Notification,
    Run,
    Schedule,
    ScheduleState,
)
from schedulerui.models.written import Statement, written
from schedulerui.operations import beats, workers
from schedulerui.operations.notifications import NEEDLESS
from schedulerui.operations.troubles import QUEUED
from schedulerui.presenters.findings import OLD_AFTER
from schedulerui.presenters.values import digest

FAILING_OFF = "n_failing_off"
UNTAKEN_AFTER = timedelta(minutes=1)
"""Age at which a message that waits is told of: others are on their way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What the tiles say; all counted from rows at one moment."""

    n_due: int = 0
    n_failing: int = 0
    n_missed: int = 0
    n_workers: int = 0
    n_beats: int = 0
    """Beats that tick."""
    n_alerts: int = 0
    n_untold: int = 0
    """Messages of the last day that no channel has taken."""
    n_queued: int = 0
    """Runs that are claimed, sent or received and have not begun."""
    n_broken: int = 0
    """How often an invariant was broken at the last scan."""
    n_withheld: int = 0
    """1 when that is not told, since it would tell of schedules that the person may not know of."""
    n_scanned: int = 0
    """Invariants that a monitor has scanned lately; 0 when none runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The numbers; ``version`` stays the same while nothing looks different, ``changed`` while nobody changes a schedule."""

    numbers: Numbers
    version: str
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The rows that a person may know of; what belongs to no schedule is everybody's."""

    schedules: QuerySet[Schedule] = field(default_factory=Schedule.objects.all)
    states: QuerySet[ScheduleState] = field(default_factory=ScheduleState.objects.all)
    runs: QuerySet[Run] = field(default_factory=Run.objects.all)
    alerts: QuerySet[Alert] = field(default_factory=Alert.objects.all)
    messages: QuerySet[Notification] = field(default_factory=Notification.objects.all)
    scope: str = ""
    """Whose rows these are; empty: everybody's."""

    def is_all(self) -> bool:
        """Return whether no schedule is left out; one query where some may be."""
        if not self.scope:
            return True
        return not Schedule.objects.exclude(pk__in=self.schedules.order_by().values("pk")).exists()


def tally(shown: Shown, *, now: datetime) -> Tally:
    """Return what there is at ``now``; one query, and one more for people of limited sight while an invariant is broken.

    Runs that are made, runs that are alive and get on, and changes by people each move the version; a run that is over and
    is told anew does so within the minute.
    """
    text, values = written("" if shown.scope else "tally", lambda at: _statement(shown, now=at), now=now)
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        told = {str(tag): int(n or 0) for tag, n in cursor.fetchall()}
    numbers = {each.name: told.get(each.name, 0) for each in fields(Numbers)}
    numbers["n_failing"] -= told.get(FAILING_OFF, 0)
    if numbers["n_broken"] and not shown.is_all():  # scans count over all schedules and name any of them
        numbers |= {"n_broken": 0, "n_withheld": 1}
    return Tally(
        numbers=Numbers(**numbers),
        version=digest(sorted(told.items()), now.replace(second=0, microsecond=0)),
        changed=told.get("changed", 0),
    )


def _statement(shown: Shown, *, now: datetime) -> Statement:
    # State by state, and keys only: one range of one index each.
    alive = [_tagged(Run.objects.filter(state=str(state)), str(state), Sum("pk")) for state in sorted(ACTIVE)]
    arms: tuple[QuerySet[Any], ...] = (
        *_tiles(shown, now=now),
        *alive,
        _tagged(Run.objects.all(), "newest", Max("pk")),
        _tagged(Change.objects.all(), "changed", Max("pk")),
    )
    statement: Statement = arms[0].union(*arms[1:], all=True).query.sql_with_params()
    return statement


def _tiles(shown: Shown, *, now: datetime) -> list[QuerySet[Any, dict[str, Any]]]:
    """Return the queries of the tiles, to be asked as one."""
    due = shown.schedules.filter(next_run_at__lte=now + timedelta(hours=1))
    failing = shown.states.filter(last_state__in=FAILING)
    # Those that are on are the most: PostgreSQL would look at every schedule to find them, and has an index of the others.
    failing_off = failing.filter(schedule__enabled=False)
    lately = shown.runs.filter(state=RunState.MISSED, due_at__gte=now - timedelta(hours=24))
    overdue = Q(state="waiting", created_at__lt=now - UNTAKEN_AFTER) | Q(state="failed")
    untold = shown.messages.filter(overdue, created_at__gte=now - timedelta(hours=24))
    scanned = Finding.objects.filter(checked_at__gte=now - OLD_AFTER)
    return [
        _tagged(due, "n_due"),
        _tagged(failing, "n_failing"),
        _tagged(failing_off, FAILING_OFF),
        _tagged(lately, "n_missed", Sum("count")),
        _tagged(shown.alerts.exclude(state="ok"), "n_alerts"),
        _tagged(untold.exclude(channel="ping").exclude(error__in=NEEDLESS), "n_untold"),
        _tagged(shown.runs.filter(state__in=QUEUED), "n_queued"),
        _tagged(workers.online(now=now), "n_workers"),
        _tagged(beats.ticking(now=now), "n_beats"),
        _tagged(scanned, "n_broken", Sum("n")),
        _tagged(scanned, "n_scanned"),
    ]


def _tagged(
    queryset: QuerySet[Any], tag: str, number: Aggregate | None = None
) -> QuerySet[Any, dict[str, Any]]:
    """Return a query of one row at most: the tag and a number, how many there are where no other is asked for."""
    tagged = queryset.order_by().annotate(tag=Value(tag, output_field=CharField()))
    counted: QuerySet[Any, dict[str, Any]] = tagged.values("tag").annotate(n=number or Count("pk"))
    return counted
