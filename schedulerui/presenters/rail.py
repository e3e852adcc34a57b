"""What the rail tells on every page beside the way: how many need somebody behind each entry, and the beats; one query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, IntegerField, Max, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import ngettext

from schedulerui.conf import settings
from schedulerui.facts import FAILING, WITH_WORKER
from schedulerui.models import Alert, Beat, Run, ScheduleState
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

    @classmethod
    def by(cls, narrow: Callable[[QuerySet[Any]], QuerySet[Any]]) -> Known:
        """Return those that ``narrow`` leaves of all."""
        return cls(
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
    for row in _counts(known, now=now).union(_beats(), all=True):
        told = dict(zip((*NUMBERS, *OF_BEAT), row, strict=True))
        if told["seen_at"] is None:
            numbers = tuple(told[name] for name in NUMBERS)
        else:
            beats.append(Beat(**{name: told[name] for name in OF_BEAT}))
    beats.sort(key=lambda beat: beat.seen_at, reverse=True)
    return Rail(beat=card_of(beats, now=now), tags=dict(_tags(*numbers)))


def _counts(known: Known, *, now: datetime) -> QuerySet[Any, Any]:
    """Return the query of the numbers: one row, whether there is a beat or not, for it counts them."""
    silent_at = now - timedelta(seconds=settings().WORKER_STALE_AFTER)
    silent = workers.living().filter(seen_at__lt=silent_at)
    failing = known.states.filter(last_state__in=FAILING, schedule__enabled=True)
    asked: tuple[QuerySet[Any], ...] = (
        failing,
        known.runs.filter(state__in=WITH_WORKER),
        silent,
        known.alerts.exclude(state="ok"),
    )
    numbers = {
        name: _Capped(rows.order_by().values("pk")[: MOST + 1])
        for name, rows in zip(NUMBERS, asked, strict=True)
    }
    # Of no beat at all: nulls that have their columns' types on every database, and make it one row.
    nothing = {f"no_{name}": Max(name, filter=Q(pk=0)) for name in OF_BEAT}
    named = Beat.objects.order_by().annotate(**numbers).values(*NUMBERS)
    counted: QuerySet[Any, Any] = named.annotate(**nothing).values_list(*NUMBERS, *nothing)
    return counted


def _beats() -> QuerySet[Any, Any]:
    """Return the query of the newest beats. No slice: SQLite takes none in a part of a union."""
    newest = Beat.objects.order_by("-seen_at").values("seen_at")
    oldest = Coalesce(Subquery(newest[BEATS - 1 : BEATS]), Value(EVER, output_field=DateTimeField()))
    rows = Beat.objects.order_by().filter(seen_at__gte=oldest)
    numbers = {name: Value(0, output_field=IntegerField()) for name in NUMBERS}
    return rows.annotate(**numbers).values_list(*NUMBERS, *OF_BEAT)


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
