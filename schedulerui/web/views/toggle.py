"""Switch a schedule on and off: two verbs that say what shall be, so that repeating one changes nothing."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.access import rights_of
from schedulerui.models import Change, Schedule
from schedulerui.operations import schedules
from schedulerui.operations.errors import VersionConflict
from schedulerui.presenters import digest
from schedulerui.presenters.beats import BeatCard, beat_card
from schedulerui.presenters.moments import relative
from schedulerui.presenters.schedules import schedule_row
from schedulerui.presenters.unseen import mark_of
from schedulerui.web.decorators import error_page, gate, htmx_of
from schedulerui.web.found import sound_schedule_or_404
from schedulerui.web.responses import actor_of, back_from, see_other, with_message, with_notice

TURNS = ("enable", "disable", "pause", "resume")
"""What brings the switch of a schedule into its position."""


@gate("operate", methods=("POST",))
def enable(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch on; already on: the present row."""
    return _toggle(request, pk, enabled=True)


@gate("operate", methods=("POST",))
def disable(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch off; already off: the present row."""
    return _toggle(request, pk, enabled=False)


def _toggle(request: HttpRequest, pk: int, *, enabled: bool) -> HttpResponse:
    before = sound_schedule_or_404(request, pk, verb="operate")
    now = clock.now()
    verb = schedules.enable if enabled else schedules.disable
    try:
        done = verb(pk, actor=actor_of(request), now=now)
    except VersionConflict:
        sentence = _("Others are changing this schedule just now. Try it once more.")
        changes = Change.objects.filter(schedule=pk)
        return error_page(request, 409, sentence=f"{sentence} {_who(changes, now=now)}".strip())
    card = beat_card(now=now) if done.changed else None
    text = _sentence(done.schedule.name, pk=pk, enabled=enabled, card=card, now=now)
    # The reason and the end of a pause are gone with it: what cannot be brought back is not offered.
    undo = reverse(f"schedulerui:schedule-{'disable' if enabled else 'enable'}", args=[pk])
    undo = undo if done.changed and before.paused_at is None else ""
    if not htmx_of(request):
        with_message(request, text, undo=undo)
        return see_other(request, back_from(request, anchor=f"schedule-{pk}"))
    target = "#schedule-actions" if is_on_page(request) else f"#schedule-{pk}"
    mark = mark_of(now, seen_at=card.seen_at, now=now) if card else ""
    return with_notice(where_it_stands(request, pk, now=now, mark=mark), text, undo=undo, target=target)


def is_on_page(request: HttpRequest) -> bool:
    """Tell whether the switch stands on the schedule's own page."""
    return request.POST.get("place") == "page"


def where_it_stands(
    request: HttpRequest, pk: int, *, now: datetime, mark: str, oob: bool = False
) -> HttpResponse:
    """Answer what the switch stands in: a row of the list, or the actions of the schedule's page; ``oob``: out of band."""
    current = Schedule.objects.select_related("state").get(pk=pk)
    row = schedule_row(current, now=now, mark=mark)
    context = {
        "row": row,
        "schedule": current,
        "rights": rights_of(request.user),
        "now": now,
        "v": digest(row.enabled, row.version),
        "oob": oob,
    }
    template = (
        "schedulerui/schedules/_actions.html" if is_on_page(request) else "schedulerui/schedules/_row.html"
    )
    return render(request, template, context)


def _sentence(name: str, *, pk: int, enabled: bool, card: BeatCard | None, now: datetime) -> str:
    """Return what was done; ``card``: of the beats, None when nothing was to be done."""
    if card is None:
        words = _("%(name)s was already on.") if enabled else _("%(name)s was already off.")
        turns = Change.objects.filter(schedule=pk, action__in=TURNS)
        return f"{words % {'name': name}} {_who(turns, now=now)}".strip()
    words = _("%(name)s is on.") if enabled else _("%(name)s is off.")
    when = _("It takes effect at beat's next tick, within a second or two.")
    if not card.n_ticking:
        when = _("It takes effect as soon as a beat ticks: none does now.")
    return f"{words % {'name': name}} {when}"


def _who(changes: QuerySet[Change], *, now: datetime) -> str:
    """Return who made the newest of these changes, and when; one query."""
    newest = changes.order_by("-at", "-id").first()
    if newest is None:
        return ""
    return _("Changed by %(who)s %(when)s.") % {"who": newest.actor, "when": relative(newest.at, now)}
