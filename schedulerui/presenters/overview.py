"""The overview: its numbers, what needs a person, what runs, what comes, what is slow or failing, what ran, what is planned."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from schedulerui.facts import WITH_WORKER, RunState
from schedulerui.models import Finding
from schedulerui.models.damaged import readable
from schedulerui.models.short_lists import keys_of
from schedulerui.operations.registered import UnknownTasks, aged, heard_of, unknown_tasks
from schedulerui.presenters import attention, load_strip, ranking
from schedulerui.presenters.delay import Delay, delay_of
from schedulerui.presenters.findings import OLD_AFTER, FindingRow, finding_rows
from schedulerui.presenters.load_strip import LoadStrip, load_ahead, strip_of
from schedulerui.presenters.ranking import Rank, Ranking, ranking_of
from schedulerui.presenters.remembered import Look
from schedulerui.presenters.runs import LIST_COLUMNS as RUN_COLUMNS
from schedulerui.presenters.runs import RunRow, run_row
from schedulerui.presenters.schedules import LIST_COLUMNS, ScheduleRow, schedule_row
from schedulerui.presenters.tally import Numbers, Shown, Tally
from schedulerui.presenters.values import digest

N_SHOWN = 10
N_NEXT = 20
N_LATEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRow:
    """A schedule in the order of the slowest or the most failing."""

    pk: int
    name: str
    rank: Rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page with what changes when it has to be drawn anew."""

    name: str
    digest: str
    rows: Sequence[ScheduleRow | RunRow | attention.AttentionRow | RankRow] = ()
    numbers: Numbers | None = None
    delay: Delay | None = None
    findings: tuple[FindingRow, ...] = ()
    ranking: Ranking | None = None
    strip: LoadStrip | None = None
    is_empty: bool = False
    """Whether there is no schedule at all: what the card that says how to begin is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slow:
    """What is computed once a minute where there is much of it."""

    unknown: UnknownTasks
    ranking: Ranking
    strip: LoadStrip


def sections(told: Tally, *, shown: Shown, zone: tzinfo, now: datetime) -> list[Section]:
    """Return the parts of the page as of ``now``, their times in ``zone``.

    Four queries however much there is; one more for each of: an invariant that is broken, a queue that nobody takes from, no
    beat that ticks; and one or two for the one of three parts whose minute is over.
    """
    slow = _slow(told, shown, zone=zone, now=now)
    keys = keys_of(
        lambda at: _lists(shown, now=at), now=now, name="" if shown.scope else "lists of the overview"
    )
    rows = _schedules(shown, keys, slow, now=now)
    runs = _runs(shown, keys)
    return [
        _start(keys),
        _tiles(told, shown, now=now),
        _of_findings(told.numbers, now=now),
        _attention(shown, keys, slow, rows),
        _section("running", [runs[pk] for pk in keys["running"] if pk in runs]),
        _section("upcoming", [rows[pk] for pk in keys["upcoming"] if pk in rows]),
        _ranked("slowest", slow.ranking, slow.ranking.slowest, rows),
        _ranked("failing", slow.ranking, slow.ranking.failing, rows),
        _section("latest", [runs[pk] for pk in keys["latest"] if pk in runs]),
        Section(name="load", digest=digest(slow.strip), strip=slow.strip),
    ]


def _slow(told: Tally, shown: Shown, *, zone: tzinfo, now: datetime) -> _Slow:
    look = Look(now=now, scope=shown.scope)
    runs: Any = shown.runs

    ahead = load_strip.REMEMBERED.get(
        lambda: load_ahead(shown.schedules, now=now),
        look,
        stamp=(told.changed, load_strip.quarter_of(now)),
    )
    return _Slow(
        unknown=unknown_now(told, shown, look=look),
        ranking=ranking.REMEMBERED.get(lambda: ranking_of(runs, now=now), look, stamp=told.version),
        strip=strip_of(ahead, zone=zone),
    )


def unknown_now(told: Tally, shown: Shown, *, look: Look) -> UnknownTasks:
    """Return the tasks that no worker knows which is online, as this look at a page may see them."""

    def unknown() -> UnknownTasks:
        heard = heard_of(now=look.now)
        if not heard.known:
            return UnknownTasks()
        return aged(unknown_tasks(shown.schedules, known=heard.known), heard)

    return attention.UNKNOWN.get(unknown, look, stamp=(told.changed, told.numbers.n_workers))


def _lists(shown: Shown, *, now: datetime) -> Mapping[str, QuerySet[Any]]:
    """Return the short lists of the page.

    What runs is rare, and to be found by its state: databases would rather walk all runs from the newest, and find ten of a
    rare state at the end of a million; an order that no index has keeps them from it.
    """
    running = shown.runs.filter(state__in=WITH_WORKER)
    over = shown.runs.exclude(state__in=[*WITH_WORKER, RunState.WAITING, RunState.PENDING])
    coming = shown.schedules.filter(next_run_at__isnull=False)
    return {
        **attention.lists_of(shown, now=now),
        "running": running.order_by(Coalesce("due_at", "created_at").desc(), "-id")[:N_SHOWN],
        "latest": over.order_by(F("due_at").desc(), "-id")[:N_LATEST],
        "upcoming": coming.order_by("next_run_at", "id")[:N_NEXT],
        "any": shown.schedules.order_by("id")[:1],
    }


def _schedules(
    shown: Shown, keys: Mapping[str, Sequence[int]], slow: _Slow, *, now: datetime
) -> dict[int, ScheduleRow]:
    wanted = {pk for kind in ("broken", "pause", "unhappy", "upcoming") for pk in keys[kind]}
    wanted |= slow.ranking.keys | {each.first for each in slow.unknown.tasks[: attention.N_SHOWN]}
    return rows_of(shown, wanted, now=now)


def rows_of(shown: Shown, wanted: Collection[int], *, now: datetime) -> dict[int, ScheduleRow]:
    """Return the rows of the schedules with these keys, by key; one query."""
    found = shown.schedules.select_related("state").only(*LIST_COLUMNS).filter(pk__in=wanted)
    return {each.pk: schedule_row(each, now=now) for each in readable(found)}


def _runs(shown: Shown, keys: Mapping[str, Sequence[int]]) -> dict[int, RunRow]:
    found = shown.runs.only(*RUN_COLUMNS).filter(pk__in=[*keys["running"], *keys["latest"]])
    return {run.pk: run_row(run) for run in found}


def _start(keys: Mapping[str, Sequence[int]]) -> Section:
    is_empty = not keys["any"]
    return Section(name="start", digest=digest(is_empty), is_empty=is_empty)


def _tiles(told: Tally, shown: Shown, *, now: datetime) -> Section:
    delay = delay_of(shown, n_beats=told.numbers.n_beats, now=now)
    return Section(name="tiles", digest=digest(told.numbers, delay), numbers=told.numbers, delay=delay)


def _of_findings(numbers: Numbers, *, now: datetime) -> Section:
    found: Iterable[Finding] = ()
    if numbers.n_broken:
        found = Finding.objects.filter(n__gt=0, checked_at__gte=now - OLD_AFTER).order_by("pk")
    rows = finding_rows(found)
    return Section(
        name="findings", digest=digest([(row.sentence, row.examples) for row in rows]), findings=rows
    )


def _attention(
    shown: Shown, keys: Mapping[str, Sequence[int]], slow: _Slow, rows: Mapping[int, ScheduleRow]
) -> Section:
    alerts = attention.alerts_of(shown, keys)
    lines = attention.attention(keys, rows=rows, alerts=alerts, unknown=slow.unknown)
    return _section("attention", lines)


def _ranked(name: str, ranked: Ranking, ranks: Sequence[Rank], rows: Mapping[int, ScheduleRow]) -> Section:
    lines = [
        RankRow(pk=rank.schedule_id, name=rows[rank.schedule_id].name, rank=rank)
        for rank in ranks
        if rank.schedule_id in rows
    ]
    return Section(name=name, digest=digest(lines, ranked.since), rows=lines, ranking=ranked)


def _section(name: str, rows: Sequence[ScheduleRow | RunRow | attention.AttentionRow]) -> Section:
    told = [(getattr(row, "pk", ""), row.name, row.digest) for row in rows]
    return Section(name=name, digest=digest(told), rows=rows)
