"""Alerts: what stands, who was told, and windows in which nobody is."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.access import may, rights_of, visible
from schedulerui.conf import settings
from schedulerui.models import Alert, Notification, Schedule, Silence
from schedulerui.operations import silences
from schedulerui.presenters.alerts import alert_row, message_rows, silence_row
from schedulerui.web.decorators import SENTENCES, error_page, gate
from schedulerui.web.forms.silence import SilenceForm
from schedulerui.web.found import sound_schedule_or_404
from schedulerui.web.responses import actor_of, see_other, with_message

SHOWN = 100
"""Most lines of each table; the newest."""
MESSAGES_SHOWN = 30
ID_DIGITS = 18
"""More than this, and no database could hold the id."""


@gate("view", methods=("GET", "HEAD"))
def alerts(request: HttpRequest) -> HttpResponse:
    """Answer the page."""
    return _page(request, SilenceForm())


@gate("operate", methods=("POST",))
def silence(request: HttpRequest) -> HttpResponse:
    """Tell nobody of anything, or of the schedule named, for as long as the form says."""
    form, now = SilenceForm(request.POST), clock.now()
    if not form.is_valid():
        return _page(request, form, status=422)
    schedule = _schedule(request, request.POST.get("schedule", ""))
    if schedule is not None and not may(request.user, "operate", schedule):
        return error_page(request, 403, sentence=SENTENCES["operate"])
    try:
        silences.add(
            ends_at=now + form.lasts,
            reason=form.cleaned_data["reason"],
            actor=actor_of(request),
            now=now,
            schedule=schedule,
        )
    except silences.InvalidSilence as error:
        form.add_error("span", str(error))
        return _page(request, form, status=422)
    with_message(request, _("Nobody is told until then. What is still wrong afterwards is told then."))
    return see_other(request, reverse("schedulerui:alerts") + "#silences")


@gate("operate", methods=("POST",))
def unsilence(request: HttpRequest, pk: int) -> HttpResponse:
    """End a silence now; one that has ended is left as it is."""
    found = get_object_or_404(visible(request.user, Silence.objects.select_related("schedule")), pk=pk)
    if not may(request.user, "operate", found.schedule):
        return error_page(request, 403, sentence=SENTENCES["operate"])
    try:
        ended = silences.end(pk, actor=actor_of(request), now=clock.now())
    except Silence.DoesNotExist as missing:
        raise Http404 from missing
    text = _("The silence has ended.") if ended else _("That silence had ended already.")
    with_message(request, text, kind="ok" if ended else "warn")
    return see_other(request, reverse("schedulerui:alerts") + "#silences")


def _schedule(request: HttpRequest, named: str) -> Schedule | None:
    """Return the schedule of that id; None for no id at all."""
    if not named:
        return None
    if not (named.isascii() and named.isdecimal() and len(named) <= ID_DIGITS):
        raise Http404
    return sound_schedule_or_404(request, int(named), verb="view")


def _page(request: HttpRequest, form: SilenceForm, *, status: int = 200) -> HttpResponse:
    now = clock.now()
    found = (
        visible(request.user, Alert.objects.all())
        .select_related("schedule", "run")
        .only("key", "kind", "state", "message", "since", "told_at", "schedule__name", "run__uuid")
    )
    standing = [alert_row(alert) for alert in found.exclude(state="ok").order_by("-since", "pk")[:SHOWN]]
    recovered = [alert_row(alert) for alert in found.filter(state="ok").order_by("-since", "pk")[:10]]
    windows = (
        visible(request.user, Silence.objects.all())
        .select_related("schedule")
        .filter(ends_at__gt=now)
        .order_by("ends_at")[:SHOWN]
    )
    context = {
        "standing": standing,
        "recovered": recovered,
        "messages_shown": message_rows(
            visible(request.user, Notification.objects.all(), through="alert__schedule").order_by(
                "-created_at", "-id"
            )[:MESSAGES_SHOWN]
        ),
        "silences": [silence_row(window, now=now) for window in windows],
        "has_channels": bool(settings().ALERTS),
        "form": form,
        "about": _schedule(request, (request.POST or request.GET).get("schedule", "")),
        "rights": rights_of(request.user),
        "now": now,
    }
    return render(request, "schedulerui/pages/alerts.html", context, status=status)
