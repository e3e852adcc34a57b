"""What the bulk actions are called, whom they are allowed to, what they ask, and which rows a form means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from schedulerui.access import Rights, visible
from schedulerui.models import Run, Schedule
from schedulerui.web.filters import ScheduleFilter
from schedulerui.web.forms.pause import PauseForm
from schedulerui.web.found import key_of
from schedulerui.web.history_filters import RunFilter

MOST = 1_000
"""Rows that one request changes."""
MOVED = 0.05
"""Share by which the number of matching rows may have moved since the person saw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One bulk action."""

    words: Any
    verb: str
    """The permission that it asks for each schedule."""
    asks: bool = True
    """Whether a page asks before it is done."""
    field: str = ""
    """What has to be given with it: queue, tag, or how long a pause is to last."""
    is_danger: bool = False


ACTIONS: Mapping[str, Action] = {
    "enable": Action(words=gettext_lazy("Switch on"), verb="operate", asks=False),
    "disable": Action(words=gettext_lazy("Switch off"), verb="operate", asks=False),
    "pause": Action(words=gettext_lazy("Pause…"), verb="operate", field="pause"),
    "resume": Action(words=gettext_lazy("Resume"), verb="operate", asks=False),
    "run": Action(words=gettext_lazy("Run now…"), verb="operate"),
    "queue": Action(words=gettext_lazy("Set queue…"), verb="change", field="queue"),
    "tag": Action(words=gettext_lazy("Add tag…"), verb="change", field="tag"),
    "untag": Action(words=gettext_lazy("Remove tag…"), verb="change", field="tag"),
    "delete": Action(words=gettext_lazy("Delete…"), verb="delete", is_danger=True),
    "csv": Action(words=gettext_lazy("Export as CSV"), verb="view", asks=False),
    "json": Action(words=gettext_lazy("Export as JSON"), verb="view", asks=False),
}


class QueueForm(forms.Form):
    """The queue that schedules are to be sent to."""

    queue = forms.CharField(
        label=gettext_lazy("Queue"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Empty: the queue of the task."),
    )


class TagForm(forms.Form):
    """A tag that schedules are to have, or to have no more."""

    tag = forms.RegexField(
        label=gettext_lazy("Tag"),
        regex=r"^[^\s,:\"]{1,50}\Z",
        error_messages={"invalid": gettext_lazy("A tag is one word of at most 50 characters.")},
    )


RUN_ACTIONS: Mapping[str, Action] = {
    "cancel": Action(words=gettext_lazy("Cancel…"), verb="operate"),
    "again": Action(words=gettext_lazy("Run again…"), verb="operate"),
    "csv": Action(words=gettext_lazy("Export as CSV"), verb="view", asks=False),
    "json": Action(words=gettext_lazy("Export as JSON"), verb="view", asks=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a form chooses from: the rows that the person may know of, how a query narrows them, and how they are called."""

    allowed: QuerySet[Any]
    matching: Callable[[QueryDict], tuple[QuerySet[Any], list[str]]]
    """Return the rows that match a query, and what is wrong with it."""
    none_selected: str
    too_many: str
    moved: str


def form_of(action: Action, data: QueryDict | None, *, now: datetime) -> forms.Form | None:
    """Return the form for what has to be given with an action, None where nothing has to.

    Moments are of the site's zone: schedules of several zones are paused until one moment.
    """
    if action.field == "pause":
        return PauseForm(data, zone=timezone.get_current_timezone(), now=now)
    found: dict[str, type[forms.Form]] = {"queue": QueueForm, "tag": TagForm}
    return found[action.field](data) if action.field else None


def wrong_with(action: Action, given: Mapping[str, str], *, now: datetime) -> list[str]:
    """Return what is wrong with what is given with an action by somebody who has no page, in sentences."""
    form = form_of(action, QueryDict(urlencode(given)), now=now)
    errors = form.errors.values() if form is not None else ()
    return [str(sentence) for sentences in errors for sentence in sentences]


def matching_text(text: str, *, now: datetime) -> tuple[QuerySet[Schedule], list[str]]:
    """Return all schedules that match what the list's text field takes, and what is wrong with it."""
    found = ScheduleFilter(QueryDict(urlencode({"q": text})), queryset=Schedule.objects.all(), now=now)
    return found.narrowed, found.problems


class Moved(Exception):
    """The number of matching rows is another one than the person saw; the message is a sentence."""


class Unclear(Exception):
    """The form does not say which rows are meant, or means too many; the message is a sentence."""


def offered(rights: Rights, actions: Mapping[str, Action] = ACTIONS) -> list[tuple[str, Any]]:
    """Return the actions that a person may do in general: key and words."""
    return [(key, action.words) for key, action in actions.items() if getattr(rights, action.verb)]


def schedules_of(request: HttpRequest, *, now: datetime) -> Rows:
    """Return what a form of the list of schedules chooses from."""
    allowed = visible(request.user, Schedule.objects.all())

    def matching(query: QueryDict) -> tuple[QuerySet[Any], list[str]]:
        found = ScheduleFilter(query, queryset=allowed, now=now)
        return found.narrowed, found.problems

    return Rows(
        allowed=allowed,
        matching=matching,
        none_selected=_("No schedule is selected."),
        too_many=_(
            "At most %(most)d schedules at once, and these are %(n)d or more. Narrow the filter, or use “schedulerui bulk” in a terminal."
        ),
        moved=_("You saw %(seen)d schedules; %(present)d match now."),
    )


def runs_of(request: HttpRequest, *, now: datetime) -> Rows:
    """Return what a form of the list of runs chooses from."""
    allowed = visible(request.user, Run.objects.all())

    def matching(query: QueryDict) -> tuple[QuerySet[Any], list[str]]:
        found = RunFilter(query, queryset=allowed, now=now)
        return found.looked_through().rows, found.problems

    return Rows(
        allowed=allowed,
        matching=matching,
        none_selected=_("No run is selected."),
        too_many=_("At most %(most)d runs at once, and these are %(n)d or more. Narrow the filter."),
        moved=_("You saw %(seen)d runs; %(present)d match now."),
    )


def chosen(request: HttpRequest, rows: Rows) -> list[int]:
    """Return the keys of the rows that a form means, of those that the person may know of.

    Raises Moved and Unclear.
    """
    if request.POST.get("all") == "1":
        return _matching(request, rows)
    # A page's ticks are fields of their own; a form that asks holds all in one: Django reads a thousand fields at most.
    ticked = [*request.POST.getlist("id"), *request.POST.get("ids", "").split(",")]
    wanted = list(dict.fromkeys(key for key in map(key_of, ticked) if key is not None))
    if not wanted:
        raise Unclear(rows.none_selected)
    if len(wanted) > MOST:
        raise Unclear(rows.too_many % {"most": MOST, "n": len(wanted)})
    known = set(rows.allowed.filter(pk__in=wanted).values_list("pk", flat=True))
    return [pk for pk in wanted if pk in known]


def _matching(request: HttpRequest, rows: Rows) -> list[int]:
    seen = key_of(request.POST.get("seen", ""))
    if seen is None:
        raise Unclear(_("That form is damaged. Load the page again."))
    narrowed, problems = rows.matching(QueryDict(request.POST.get("query", "")))
    if problems:
        raise Unclear(" ".join(problems))
    keys = list(narrowed.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
    if len(keys) > MOST:
        raise Unclear(rows.too_many % {"most": MOST, "n": len(keys)})
    if abs(len(keys) - seen) > MOVED * seen:
        raise Moved(rows.moved % {"seen": seen, "present": len(keys)})
    return keys
