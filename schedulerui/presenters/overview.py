"""The overview: five numbers, what needs a person, what runs, what ran, what comes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet, Sum, Value
from django.db.models.fields import CharField

from schedulerui.conf import settings
from schedulerui.facts import RunState
from schedulerui.models import Alert, Finding, Run, Schedule, ScheduleState, Worker
from schedulerui.models.damaged import readable
from schedulerui.presenters.findings import OLD_AFTER, FindingRow, finding_rows
from schedulerui.presenters.runs import LIST_COLUMNS as RUN_COLUMNS
from schedulerui.presenters.runs import RunRow, run_row, version_of
from schedulerui.presenters.schedules import LIST_COLUMNS, ScheduleRow, schedule_row
from schedulerui.presenters.values import digest

N_SHOWN = 10
FAILING = tuple(str(state) for state in (RunState.FAILED, RunState.LOST, RunState.REJECTED, RunState.UNSENT))
UNHAPPY = (*FAILING, str(RunState.MISSED), str(RunState.EXPIRED))
RUNNING = tuple(str(state) for state in (RunState.RECEIVED, RunState.STARTED, RunState.RETRYING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The five tiles; all counted from rows at one moment."""

    n_due: int = 0
    n_failing: int = 0
    n_missed: int = 0
    n_workers: int = 0
    n_alerts: int = 0
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


def sections(*, now: datetime) -> list[Section]:
    """Return the parts of the overview as of ``now``; six queries, however much there is, and one more when an invariant is broken."""
    tally = numbers(now=now)
    return [
        Section(name="tiles", digest=digest(tally), numbers=tally),
        _of_findings(tally, now=now),
        _of_schedules("attention", _attention(), now=now),
        _of_runs("running", Run.objects.filter(state__in=RUNNING)),
        _of_runs("latest", Run.objects.exclude(state__in=[*RUNNING, RunState.WAITING, RunState.PENDING])),
        _of_schedules("upcoming", _upcoming(), now=now),
    ]


def numbers(*, now: datetime) -> Numbers:
    """Return the numbers of the tiles; one query."""
    seen_after = now - timedelta(seconds=settings().WORKER_OFFLINE_AFTER)
    due = _tagged(Schedule.objects.filter(next_run_at__lte=now + timedelta(hours=1)), "n_due")
    failing = _tagged(
        ScheduleState.objects.filter(last_state__in=FAILING, schedule__enabled=True), "n_failing"
    )
    missed = (
        Run.objects.filter(state=RunState.MISSED, due_at__gte=now - timedelta(hours=24))
        .annotate(tag=Value("n_missed", output_field=CharField()))
        .values("tag")
        .annotate(n=Sum("count"))
    )
    standing = _tagged(Alert.objects.exclude(state="ok"), "n_alerts")
    living = Worker.objects.filter(seen_at__gte=seen_after, stopped_at=None, died_at=None)
    scanned = Finding.objects.filter(checked_at__gte=now - OLD_AFTER)
    broken = (
        scanned.annotate(tag=Value("n_broken", output_field=CharField())).values("tag").annotate(n=Sum("n"))
    )
    arms = (failing, missed, standing, _tagged(living, "n_workers"), broken, _tagged(scanned, "n_scanned"))
    counted = due.union(*arms, all=True)
    return Numbers(**{str(row["tag"]): int(row["n"] or 0) for row in counted})


def _tagged(queryset: QuerySet[Any], tag: str) -> QuerySet[Any, dict[str, Any]]:
    """Return a query of one row at most: the tag and how many there are."""
    tagged = queryset.annotate(tag=Value(tag, output_field=CharField()))
    counted: QuerySet[Any, dict[str, Any]] = tagged.values("tag").annotate(n=Count("pk"))
    return counted


def _of_findings(tally: Numbers, *, now: datetime) -> Section:
    found: Iterable[Finding] = ()
    if tally.n_broken:
        found = Finding.objects.filter(n__gt=0, checked_at__gte=now - OLD_AFTER).order_by("pk")
    rows = finding_rows(found)
    return Section(
        name="findings", digest=digest([(row.sentence, row.examples) for row in rows]), findings=rows
    )


def _attention() -> list[Schedule]:
    """Schedules that want a person: those that cannot run first, then those whose last run went wrong; two queries."""
    rows = Schedule.objects.select_related("state").only(*LIST_COLUMNS).filter(enabled=True)
    broken = readable(rows.filter(next_run_at=None).exclude(error="").order_by("name")[:N_SHOWN])
    unhappy = rows.filter(error="", state__last_state__in=UNHAPPY).order_by("-state__failure_streak", "name")
    return [*broken, *readable(unhappy[: N_SHOWN - len(broken)])]


def _upcoming() -> Iterable[Schedule]:
    rows = Schedule.objects.select_related("state").only(*LIST_COLUMNS)
    return readable(rows.filter(next_run_at__isnull=False).order_by("next_run_at", "id")[:N_SHOWN])


def _of_schedules(name: str, found: Iterable[Schedule], *, now: datetime) -> Section:
    rows = tuple(schedule_row(schedule, now=now) for schedule in found)
    return Section(name=name, digest=digest([(row.pk, row.name, row.digest) for row in rows]), rows=rows)


def _of_runs(name: str, found: QuerySet[Run]) -> Section:
    runs = list(found.only(*RUN_COLUMNS).order_by("-due_at", "-id")[:N_SHOWN])
    return Section(name=name, digest=digest(version_of(runs)), rows=tuple(run_row(run) for run in runs))
