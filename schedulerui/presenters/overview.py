"""The overview: five numbers, what needs a person, what runs, what ran, what comes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, F, Max, Q, QuerySet, Sum, Value
from django.db.models.fields import CharField
from django.db.models.functions import Coalesce

from schedulerui.conf import settings
from schedulerui.facts import ACTIVE, RunState
from schedulerui.models import Alert, Change, Finding, Notification, Run, Schedule, ScheduleState, Worker
from schedulerui.models.damaged import readable
from schedulerui.operations.notifications import NEEDLESS
from schedulerui.presenters.findings import OLD_AFTER, FindingRow, finding_rows
from schedulerui.presenters.runs import LIST_COLUMNS as RUN_COLUMNS
from schedulerui.presenters.runs import RunRow, run_row, version_of
from schedulerui.presenters.schedules import LIST_COLUMNS, ScheduleRow, schedule_row
from schedulerui.presenters.values import digest

N_SHOWN = 10
FAILING = tuple(str(state) for state in (RunState.FAILED, RunState.LOST, RunState.REJECTED, RunState.UNSENT))
UNHAPPY = (*FAILING, str(RunState.MISSED), str(RunState.EXPIRED))
QUEUED = tuple(str(state) for state in (RunState.PENDING, RunState.SENT, RunState.RECEIVED))
UNTAKEN_AFTER = timedelta(minutes=1)
"""Age at which a message that waits is told of: others are on their way."""
RUNNING = tuple(str(state) for state in (RunState.RECEIVED, RunState.STARTED, RunState.RETRYING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The five tiles; all counted from rows at one moment."""

    n_due: int = 0
    n_failing: int = 0
    n_missed: int = 0
    n_workers: int = 0
    n_alerts: int = 0
    n_untold: int = 0
    """Messages of the last day that no channel has taken."""
    n_queued: int = 0
    """Runs that are claimed, sent or received and have not begun."""
    n_broken: int = 0
    """How often an invariant was broken at the last scan."""
    n_scanned: int = 0
    """Invariants that a monitor has scanned lately; 0 when none runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a page with what changes when it has to be drawn anew."""

    name: str
    digest: str
    rows: tuple[ScheduleRow, ...] | tuple[RunRow, ...] = ()
    numbers: Numbers | None = None
    findings: tuple[FindingRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The rows that a person may know of; what belongs to no schedule is everybody's."""

    schedules: QuerySet[Schedule] = field(default_factory=Schedule.objects.all)
    states: QuerySet[ScheduleState] = field(default_factory=ScheduleState.objects.all)
    runs: QuerySet[Run] = field(default_factory=Run.objects.all)
    alerts: QuerySet[Alert] = field(default_factory=Alert.objects.all)
    messages: QuerySet[Notification] = field(default_factory=Notification.objects.all)


def version(shown: Shown, *, now: datetime) -> str:
    """Return what stays the same while nothing on the overview looks different; one query.

    Runs that are made, runs that are alive and get on, and changes by people each move it; a run that is over and is told
    anew does so within the minute.
    """
    # State by state, and keys only: one range of one index each.
    alive = [_tagged(Run.objects.filter(state=str(state)), str(state), Sum("pk")) for state in sorted(ACTIVE)]
    arms = (
        *_arms(shown, now=now),
        *alive,
        _tagged(Run.objects.all(), "newest", Max("pk")),
        _tagged(Change.objects.all(), "changed", Max("pk")),
    )
    told = arms[0].union(*arms[1:], all=True)
    facts = sorted((str(row["tag"]), int(row["n"] or 0)) for row in told)
    return digest(facts, now.replace(second=0, microsecond=0))


def sections(*, now: datetime, shown: Shown | None = None) -> list[Section]:
    """Return the parts of the overview as of ``now``; six queries, however much there is, and one more when an invariant is broken."""
    shown = shown or Shown()
    tally = numbers(shown, now=now)
    return [
        Section(name="tiles", digest=digest(tally), numbers=tally),
        _of_findings(tally, now=now),
        _of_schedules("attention", _attention(shown), now=now),
        _of_runs("running", shown.runs.filter(state__in=RUNNING), is_rare=True),
        _of_runs("latest", shown.runs.exclude(state__in=[*RUNNING, RunState.WAITING, RunState.PENDING])),
        _of_schedules("upcoming", _upcoming(shown), now=now),
    ]


def numbers(shown: Shown, *, now: datetime) -> Numbers:
    """Return the numbers of the tiles; one query."""
    arms = _arms(shown, now=now)
    counted = arms[0].union(*arms[1:], all=True)
    return Numbers(**{str(row["tag"]): int(row["n"] or 0) for row in counted})


def _arms(shown: Shown, *, now: datetime) -> list[QuerySet[Any, dict[str, Any]]]:
    """Return the queries of the tiles, to be asked as one."""
    seen_after = now - timedelta(seconds=settings().WORKER_OFFLINE_AFTER)
    due = _tagged(shown.schedules.filter(next_run_at__lte=now + timedelta(hours=1)), "n_due")
    failing = _tagged(shown.states.filter(last_state__in=FAILING, schedule__enabled=True), "n_failing")
    lately = shown.runs.filter(state=RunState.MISSED, due_at__gte=now - timedelta(hours=24))
    standing = _tagged(shown.alerts.exclude(state="ok"), "n_alerts")
    living = Worker.objects.filter(seen_at__gte=seen_after, stopped_at=None, died_at=None)
    overdue = Q(state="waiting", created_at__lt=now - UNTAKEN_AFTER) | Q(state="failed")
    untold = shown.messages.filter(overdue, created_at__gte=now - timedelta(hours=24))
    queued = shown.runs.filter(state__in=QUEUED)
    scanned = Finding.objects.filter(checked_at__gte=now - OLD_AFTER)
    return [
        due,
        failing,
        _tagged(lately, "n_missed", Sum("count")),
        standing,
        _tagged(untold.exclude(channel="ping").exclude(error__in=NEEDLESS), "n_untold"),
        _tagged(queued, "n_queued"),
        _tagged(living, "n_workers"),
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


def _of_findings(tally: Numbers, *, now: datetime) -> Section:
    found: Iterable[Finding] = ()
    if tally.n_broken:
        found = Finding.objects.filter(n__gt=0, checked_at__gte=now - OLD_AFTER).order_by("pk")
    rows = finding_rows(found)
    return Section(
        name="findings", digest=digest([(row.sentence, row.examples) for row in rows]), findings=rows
    )


def _attention(shown: Shown) -> list[Schedule]:
    """Schedules that want a person: those that cannot run first, then those whose last run went wrong; two queries."""
    rows = shown.schedules.select_related("state").only(*LIST_COLUMNS).filter(enabled=True)
    broken = readable(rows.filter(next_run_at=None).exclude(error="").order_by("name")[:N_SHOWN])
    unhappy = rows.filter(error="", state__last_state__in=UNHAPPY).order_by("-state__failure_streak", "name")
    return [*broken, *readable(unhappy[: N_SHOWN - len(broken)])]


def _upcoming(shown: Shown) -> Iterable[Schedule]:
    rows = shown.schedules.select_related("state").only(*LIST_COLUMNS)
    return readable(rows.filter(next_run_at__isnull=False).order_by("next_run_at", "id")[:N_SHOWN])


def _of_schedules(name: str, found: Iterable[Schedule], *, now: datetime) -> Section:
    rows = tuple(schedule_row(schedule, now=now) for schedule in found)
    return Section(name=name, digest=digest([(row.pk, row.name, row.digest) for row in rows]), rows=rows)


def _of_runs(name: str, found: QuerySet[Run], *, is_rare: bool = False) -> Section:
    """Return the newest of these runs. ``is_rare``: they are few, and to be found by their state.

    Databases would rather walk all runs from the newest, and find ten of a rare state at the end of a million; an order that
    no index has keeps them from it.
    """
    newest = Coalesce("due_at", "created_at").desc() if is_rare else F("due_at").desc()
    runs = list(found.only(*RUN_COLUMNS).order_by(newest, "-id")[:N_SHOWN])
    return Section(name=name, digest=digest(version_of(runs)), rows=tuple(run_row(run) for run in runs))
