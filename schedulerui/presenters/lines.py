"""Lines of long lists, written without templates: fifty of them cost what three cost as templates.

Words and addresses that all lines share are looked up once for all of them. What each of fifty lines would repeat is left out:
a line's addresses begin where its list stands, and a checkbox is named by the table's head and by the line's link.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Protocol

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from schedulerui.presenters import elements, moments
from schedulerui.presenters.markup import format_html, format_html_join
from schedulerui.presenters.runs import RunRow
from schedulerui.presenters.schedules import ScheduleRow
from schedulerui.presenters.states import StateWord, state_of
from schedulerui.presenters.unseen import sentence_of

EMPTY = SafeString("")
TIMES = "\N{MULTIPLICATION SIGN}"
OUT_OF_BAND = SafeString(' hx-swap-oob="true"')
SPACE = SafeString(" ")
PICK = '<input id="pick-{pk}" type="checkbox" name="id" value="{pk}" aria-labelledby="pick {link}">'
SCHEDULE = (
    '<tr id="schedule-{pk}"{off} data-v="{digest}"{oob}><td class="cell-switch">{pick}{switch}</td>'
    '<th class="cell-name" scope="row"><a id="open-{pk}" href="{pk}/">{name}</a><span class="sub mono">{task}</span></th>'
    '<td class="cell-when">{when}</td><td class="cell-spark">{spark}{streak}</td>'
    '<td class="cell-last">{state}{last}</td><td class="cell-next">{next}</td><td class="cell-run">{run}{more}</td></tr>'
)
MORE = ' <a id="more-{pk}" class="button" href="{pk}/" aria-labelledby="more open-{pk}">{dots}</a>'
DOTS = "\N{MIDLINE HORIZONTAL ELLIPSIS}"
RUN = (
    '<tr id="run-{pk}" role="row" data-v="{digest}"{oob}><td role="cell" class="wide">{pick}{state}{count}{attempt}{reason}</td>'
    '<th role="rowheader" scope="row" class="wide"><a class="row-name" id="run-{uuid}" href="{home}{uuid}/">{name}</a>'
    '<span class="sub mono">{task}</span></th><td id="due-{pk}" role="cell" data-label="{due}">{due_at}{late}</td>'
    '<td role="cell" data-label="{run_time}">{runtime}</td><td role="cell" data-label="{on}">{worker}</td>'
    '<td role="cell" data-label="{started_by}">{trigger}{actor}</td></tr>'
)


class Allowed(Protocol):
    """The part of ``access.Rights`` that decides what a line offers."""

    @property
    def operate(self) -> bool:
        """May switch, pause and run schedules."""

    @property
    def change(self) -> bool:
        """May edit schedules."""

    @property
    def delete(self) -> bool:
        """May delete schedules."""


class _Lines:
    def __init__(self, *, now: datetime) -> None:
        self.now = now
        self._chips: dict[str, SafeString] = {}

    def chip(self, state: StateWord) -> SafeString:
        """Return a state, drawn once for all lines."""
        drawn = self._chips.get(state.key)
        if drawn is None:
            drawn = self._chips[state.key] = elements.chip(state)
        return drawn


class ScheduleLines(_Lines):
    """Lines of the list of schedules, and the controls that a schedule's own page has too."""

    def __init__(self, *, rights: Allowed, now: datetime) -> None:
        super().__init__(now=now)
        self.rights = rights
        self.home = reverse("schedulerui:schedules")
        self.language = get_language()
        self.may_pick = rights.operate or rights.change or rights.delete
        self.words = {
            "on": _("On"), "off": _("Off"), "paused": _("Paused"), "run": _("Run now"),
            "late": _("not sent yet"), "skipped": _("will be skipped"), "streak": _("%(n)s failed in a row"),
        }  # fmt: skip

    @cached_property
    def broken(self) -> SafeString:
        """The chip of a rule that cannot be read."""
        return elements.chip(state_of("error"))

    def all(self, rows: Iterable[ScheduleRow]) -> SafeString:
        """Return the lines of rows."""
        return format_html_join("", "{}", ((self.line(row),) for row in rows))

    def line(self, row: ScheduleRow, *, oob: bool = False) -> SafeString:
        """Return one line; ``oob``: to be put in the place of the one that the page has."""
        streak = EMPTY
        if row.figure:
            streak = format_html('<span class="sub">{}</span>', row.figure)
        elif row.failure_streak > 1:
            text = self.words["streak"] % {"n": row.failure_streak}
            streak = format_html('<span class="sub sub--fail">{}</span>', text)
        last = EMPTY
        if row.last_run_at:
            last = elements.ago(row.last_run_at, now=self.now, is_below=not row.is_yours)
        if row.is_yours:
            last = format_html('<span class="sub">{} {}</span>', last, _("by you"))
        return format_html(
            SCHEDULE,
            pk=str(row.pk),
            off=EMPTY if row.enabled else SafeString(' class="is-off"'),
            digest=row.digest,
            oob=OUT_OF_BAND if oob else EMPTY,
            pick=self._pick(row),
            switch=self.switch(row),
            name=row.name,
            task=elements.breakable(row.task),
            when=self.when(row),
            spark=elements.spark(row.recent, language=self.language),
            streak=streak,
            state=self.chip(row.last_state),
            last=last,
            next=self._next(row),
            run=self.run_button(pk=row.pk, name=row.name),
            more=format_html(MORE, pk=str(row.pk), dots=DOTS),
        )

    def when(self, row: ScheduleRow) -> SafeString:
        """Return the rule in words and as it is written, or what is wrong with it."""
        words: str = row.words
        if row.problem:
            words = format_html('{}<span class="sub sub--fail">{}</span>', self.broken, row.problem)
        code = format_html("<code>{}</code> · ", row.code) if row.code else EMPTY
        return format_html('{}<span class="sub">{}{}</span>', words, code, row.tz)

    def switch(self, row: ScheduleRow, *, is_on_page: bool = False) -> SafeString:
        """Return the switch of a schedule, for its line or for its own page."""
        word = self.words["on" if row.enabled else "paused" if row.paused else "off"]
        does = SafeString(' aria-disabled="true" disabled aria-describedby="may-not-operate"')
        if self.rights.operate:
            does = format_html(
                '{form} formaction="{url}" hx-post="{url}" hx-target="{target}" hx-swap="outerHTML"',
                form=SafeString(' form="rowform"') if is_on_page else EMPTY,
                url=f"{self.home if is_on_page else ''}{row.pk}/{'disable' if row.enabled else 'enable'}/",
                target="#schedule-actions" if is_on_page else f"#schedule-{row.pk}",
            )
        return format_html(
            '<button id="switch-{pk}" class="sw" role="switch" aria-checked="{on}" {named}'
            "{place}{does}>{word}</button>",
            pk=str(row.pk),
            on="true" if row.enabled else "false",
            # On its own page it stands beside no link with the name.
            named=format_html('aria-label="{}"', row.name)
            if is_on_page
            else format_html('aria-labelledby="open-{}"', str(row.pk)),
            place=SafeString(' name="place" value="page"') if is_on_page else EMPTY,
            does=does,
            word=word,
        )

    def run_button(self, *, pk: int, name: str, is_on_page: bool = False) -> SafeString:
        """Return what opens the dialog that runs a schedule once, for its line or for its own page."""
        if not self.rights.operate:
            return format_html(
                '<span class="button{}" role="link" aria-disabled="true" aria-describedby="may-not-operate">'
                '{}<span class="sr"> {}</span></span>',
                "" if is_on_page else " button--row",
                self.words["run"],
                name,
            )
        return format_html(
            '<a id="run-{pk}" class="button"{named} href="{url}" data-dialog>{word}{more}</a>',
            pk=str(pk),
            named=EMPTY if is_on_page else format_html(' aria-labelledby="run-{0} open-{0}"', str(pk)),
            url=f"{self.home}{pk}/run/?place=page" if is_on_page else f"{pk}/run/",
            word=self.words["run"],
            more=format_html('<span class="sr"> {}</span>', name) if is_on_page else EMPTY,
        )

    def _pick(self, row: ScheduleRow) -> SafeString:
        if not self.may_pick:
            return EMPTY
        return format_html(PICK, pk=str(row.pk), link=f"open-{row.pk}")

    def _next(self, row: ScheduleRow) -> SafeString:
        unseen = format_html('<span class="sub">{}</span>', sentence_of(row.mark)) if row.mark else EMPTY
        if row.next_run_at is None:
            return format_html('<span class="sub">{}</span>{}', row.paused or row.why_no_next, unseen)
        zone = moments.zone_of(row.tz)
        drawn = elements.moment(row.next_run_at, now=self.now, zone=zone, is_short=True) + unseen
        if row.is_next_skipped:
            drawn += format_html('<span class="sub">{}</span>', self.words["skipped"])
        if row.is_late:
            drawn += format_html('<span class="sub sub--warn is-unsent">{}</span>', self.words["late"])
        return drawn


class RunLines(_Lines):
    """Lines of the list of runs."""

    def __init__(self, *, now: datetime, picks: bool = False) -> None:
        super().__init__(now=now)
        self.home = reverse("schedulerui:runs")
        self.workers = reverse("schedulerui:workers")
        self.zone = moments.zone_of(None)
        self.picks = picks
        self.attempt = _("attempt %(n)s")
        self.labels = {
            "due": _("Due"), "run_time": _("Run time"), "on": _("Worker"), "started_by": _("Started by"),
        }  # fmt: skip

    def all(self, rows: Iterable[RunRow]) -> SafeString:
        """Return the lines of rows."""
        return format_html_join("", "{}", ((self.line(row),) for row in rows))

    def line(self, row: RunRow, *, oob: bool = False) -> SafeString:
        """Return one line; ``oob``: to be put in the place of the one that the page has."""
        attempt = self.attempt % {"n": row.attempt}
        return format_html(
            RUN,
            **self.labels,
            pk=str(row.pk),
            digest=row.digest,
            oob=OUT_OF_BAND if oob else EMPTY,
            pick=self._pick(row),
            state=self.chip(row.state),
            count=format_html(' <span class="small">{} {}</span>', TIMES, str(row.count))
            if row.count > 1
            else EMPTY,
            attempt=format_html(' <span class="small">{}</span>', attempt) if row.attempt > 1 else EMPTY,
            reason=format_html('<span class="sub">{}</span>', row.reason) if row.reason else EMPTY,
            uuid=str(row.uuid),
            home=self.home,
            name=row.name,
            task=elements.breakable(row.task),
            due_at=elements.moment(row.due_at, now=self.now, zone=self.zone),
            late=EMPTY if row.late is None else elements.late(row.late),
            runtime=moments.duration(row.runtime)
            if row.running_since is None
            else elements.started(row.running_since, now=self.now),
            worker=self._worker(row),
            trigger=row.trigger,
            actor=format_html('<span class="sub">{}</span>', row.actor) if row.actor else EMPTY,
        )

    def _pick(self, row: RunRow) -> SafeString:
        if not self.picks:
            return EMPTY
        return format_html(PICK, pk=str(row.pk), link=f"run-{row.uuid} due-{row.pk}") + SPACE

    def _worker(self, row: RunRow) -> SafeString:
        if row.worker_instance is None:
            return format_html('<span class="mono">{}</span>', row.worker or "—")
        return format_html(
            '<a class="mono" href="{}{}/">{}</a>', self.workers, str(row.worker_instance), row.worker
        )
