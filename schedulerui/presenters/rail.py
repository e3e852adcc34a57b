"""What the rail tells on every page beside the way: how many need somebody behind each entry, and the beats; one query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, Exists, IntegerField, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import ngettext

from schedulerui.conf import settings
from schedulerui.facts import FAILING, WITH_WORKER
from schedulerui.models import Alert, Beat, Run, Schedule, ScheduleState
from schedulerui.models.written import Statement, written
from schedulerui.operations import workers
from schedulerui.presenters.beats import BeatCard, card_of
from schedulerui.presenters.values import digest

MOST = 99
"""Most of a kind that are counted; more are "99+"."""
BEATS = 50
"""Newest beats that the card is about."""
EVER = datetime(2000, 1, 1, tzinfo=UTC)
NUMBERS = ("n_failing", "n_running", "n_silent", "n_alerts")
TAGGED = ("schedules", "runs", "workers", "alerts")
"""Entries of the rail that can have a tag."""
OF_BEAT = ("host", "degraded", "seen_at", "clock_seen_at", "clock_offset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """How many there are behind an entry: a short number, what it counts, and the family of its colours."""

    text: str
    words: str
    family: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """The beat card, and the tags of the entries by their names; nothing stands there for none."""

    beat: BeatCard
    tags: Mapping[str, Tag]

    @property
    def entries(self) -> tuple[tuple[str, Tag | None], ...]:
        """Every entry that can have a tag, with the one that it has."""
        return tuple((name, self.tags.get(name)) for name in TAGGED)

    @property
    def digest(self) -> str:
        """What changes when something of it has to be drawn anew; a tick alone does not."""
        return digest(self.beat.digest, self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The rows that a person may know of."""

    states: QuerySet[ScheduleState]
    runs: QuerySet[Run]
    alerts: QuerySet[Alert]
    is_all: bool = False
    """Whether they are all there are, for everybody."""

    @classmethod
    def by(cls, narrow: Callable[[QuerySet[Any]], QuerySet[Any]], *, is_all: bool = False) -> Known:
        """Return those that ``narrow`` leaves of all."""
        return cls(
            is_all=is_all,
            states=narrow(ScheduleState.objects.all()),
            runs=narrow(Run.objects.all()),
            alerts=narrow(Alert.objects.all()),
        )


class _Capped(Subquery):
    """How many rows a sliced query gives; the slice bounds what the database reads."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) capped)"
    output_field = IntegerField()


def rail_of(known: Known, *, now: datetime) -> Rail:
    """Return the rail as of ``now``; one query: a row of numbers, and one for each of the newest beats."""
    numbers: tuple[int, ...] = ()
    beats = []
    text, values = written("rail" if known.is_all else "", lambda at: _statement(known, now=at), now=now)
    rows: Iterable[Any] = Beat.objects.raw(text, values)
    for row in rows:
        if row.seen_at is None:
            numbers = tuple(getattr(row, name) for name in NUMBERS)
        else:
            beats.append(row)
    beats.sort(key=lambda beat: beat.seen_at, reverse=True)
    return Rail(beat=card_of(beats, now=now), tags=dict(_tags(*numbers)))


def failing_now(states: QuerySet[ScheduleState]) -> QuerySet[ScheduleState]:
    """Return those of schedules that are on and whose last run failed.

    Asked for what is not off: to find a hundred that are on, PostgreSQL would read the schedules from the first.
    """
    off = Schedule.objects.filter(pk=OuterRef("pk"), enabled=False)
    return states.filter(~Exists(off), last_state__in=FAILING)


def _statement(known: Known, *, now: datetime) -> Statement:
    return _beats().union(_counts(known, now=now), all=True).query.sql_with_params()


def _counts(known: Known, *, now: datetime) -> QuerySet[Any, Any]:
    """Return the query of the numbers: one row, whether there is a beat or not, for it counts them."""
    silent_at = now - timedelta(seconds=settings().WORKER_STALE_AFTER)
    silent = workers.living().filter(seen_at__lt=silent_at)
    asked: tuple[QuerySet[Any], ...] = (
        failing_now(known.states),
        known.runs.filter(state__in=WITH_WORKER),
        silent,
        known.alerts.exclude(state="ok"),
    )
    numbers = {
        name: _Capped(rows.order_by().values("pk")[: MOST + 1])
        for name, rows in zip(NUMBERS, asked, strict=True)
    }
    # Of no beat at all: nulls that have their columns' types on every database, and make it one row.
    nothing = {f"no_{name}": Max(name, filter=Q(pk=0)) for name in ("id", *OF_BEAT)}
    named = Beat.objects.order_by().annotate(**numbers).values(*NUMBERS)
    counted: QuerySet[Any, Any] = named.annotate(**nothing).values_list(*nothing, *NUMBERS)
    return counted


def _beats() -> QuerySet[Any, Any]:
    """Return the query of the newest beats. No slice: SQLite takes none in a part of a union."""
    newest = Beat.objects.order_by("-seen_at").values("seen_at")
    oldest = Coalesce(Subquery(newest[BEATS - 1 : BEATS]), Value(EVER, output_field=DateTimeField()))
    rows = Beat.objects.order_by().filter(seen_at__gte=oldest)
    numbers = {name: Value(0, output_field=IntegerField()) for name in NUMBERS}
    return rows.annotate(**numbers).values_list("id", *OF_BEAT, *NUMBERS)


def _tags(failing: int, running: int, silent: int, alerts: int) -> Iterator[tuple[str, Tag]]:
    for entry, n, words, family in (
        ("schedules", failing, ngettext("%(n)s failing", "%(n)s failing", failing), "fail"),
        ("runs", running, ngettext("%(n)s running", "%(n)s running", running), "run"),
        ("workers", silent, ngettext("%(n)s silent", "%(n)s silent", silent), "warn"),
        ("alerts", alerts, ngettext("%(n)s stands", "%(n)s stand", alerts), "fail"),
    ):
        if n:
            text = f"{MOST}+" if n > MOST else str(n)
            yield entry, Tag(text=text, words=words % {"n": text}, family=family)
