"""What another page tells of the schedules at a glance: the beats, how many need somebody, and the most urgent of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.models import ScheduleState
from schedulerui.models.short_lists import keys_of
from schedulerui.operations.registered import UnknownTasks
from schedulerui.presenters import attention
from schedulerui.presenters.attention import AttentionRow
from schedulerui.presenters.beats import BeatCard, beat_card
from schedulerui.presenters.overview import rows_of, unknown_now
from schedulerui.presenters.rail import failing_now
from schedulerui.presenters.remembered import Look
from schedulerui.presenters.tally import Numbers, Shown, tally

N_LINES = 5
MOST = 99
"""Most failing schedules that a badge counts; more are "99+"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many there are of something that needs somebody, and where they are listed."""

    words: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """The beats, the counts that are not zero, and the most urgent lines."""

    beat: BeatCard
    counts: tuple[Count, ...]
    rows: tuple[AttentionRow, ...]

    @property
    def is_calm(self) -> bool:
        """Whether nothing needs anybody."""
        return self.beat.family == "ok" and not self.counts and not self.rows


def glance_of(shown: Shown, *, now: datetime) -> Glance:
    """Return what there is to tell as of ``now``; seven queries at most, however much there is."""
    told = tally(shown, now=now)
    unknown = unknown_now(told, shown, look=Look(now=now, scope=shown.scope))
    return Glance(
        beat=beat_card(now=now),
        counts=tuple(_counts(told.numbers)),
        rows=_lines(shown, unknown, now=now)[:N_LINES],
    )


def failing_badge(states: QuerySet[ScheduleState]) -> str:
    """Return how many enabled schedules fail now, as a badge shows it; empty for none. One query of 100 keys at most."""
    n = len(failing_now(states).order_by().values_list("pk", flat=True)[: MOST + 1])
    return f"{MOST}+" if n > MOST else str(n or "")


def _lines(shown: Shown, unknown: UnknownTasks, *, now: datetime) -> tuple[AttentionRow, ...]:
    keys = keys_of(
        lambda at: attention.lists_of(shown, now=at), now=now, name="" if shown.scope else "lists of a glance"
    )
    wanted = {pk for kind in ("broken", "pause", "unhappy") for pk in keys[kind]}
    wanted |= {each.first for each in unknown.tasks[: attention.N_SHOWN]}
    rows = rows_of(shown, wanted, now=now) if wanted else {}
    alerts = attention.alerts_of(shown, keys)
    return attention.attention(keys, rows=rows, alerts=alerts, unknown=unknown)


def _counts(numbers: Numbers) -> Iterator[Count]:
    schedules, runs = reverse("schedulerui:schedules"), reverse("schedulerui:runs")
    missed = urlencode({"q": "state:missed due<24h"})
    for n, words, url in (
        (
            numbers.n_failing,
            ngettext("%(n)d schedule fails", "%(n)d schedules fail", numbers.n_failing),
            f"{schedules}?state=failing&on=on",
        ),
        (
            numbers.n_missed,
            ngettext("%(n)d time missed in 24 hours", "%(n)d times missed in 24 hours", numbers.n_missed),
            f"{runs}?{missed}",
        ),
        (
            numbers.n_alerts,
            ngettext("%(n)d alert stands", "%(n)d alerts stand", numbers.n_alerts),
            reverse("schedulerui:alerts"),
        ),
        (
            numbers.n_broken,
            ngettext("%(n)d dispatch problem", "%(n)d dispatch problems", numbers.n_broken),
            f"{reverse('schedulerui:overview')}#overview-findings",
        ),
    ):
        if n:
            yield Count(words=words % {"n": n}, url=url)
    if not numbers.n_workers:
        yield Count(words=_("no worker is online"), url=reverse("schedulerui:workers"))
