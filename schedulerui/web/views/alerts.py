"""Alerts: what stands, who was told, and windows in which nobody is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.access import may, may_know_all, rights_of, visible
from schedulerui.conf import settings
from schedulerui.models import Alert, Notification, Schedule, Silence
from schedulerui.monitor import channels
from schedulerui.operations import notifications, silences
from schedulerui.presenters.alerts import alert_row, channel_rows, message_rows, silence_row
from schedulerui.presenters.pulse import pulse_of_alerts
from schedulerui.web.decorators import SENTENCES, error_page, gate, htmx_of
from schedulerui.web.forms.silence import SilenceForm
from schedulerui.web.found import key_of, sound_schedule_or_404
from schedulerui.web.rates import refused_for_tests
from schedulerui.web.responses import actor_of, see_other, unchanged, with_message

SHOWN = 100
"""Most lines of each table; the newest."""
MESSAGES_SHOWN = 30


@gate("view", methods=("GET", "HEAD"))
def alerts(request: HttpRequest) -> HttpResponse:
    """Answer the page; to htmx what changes by itself, or 204 while it looks as ``since`` says."""
    if not htmx_of(request):
        return _page(request, SilenceForm())
    now = clock.now()
    since, is_monitored = _since(request, now=now)
    if request.GET.get("since") == since:
        return unchanged()
    context = _live_context(request, now=now, since=since, is_monitored=is_monitored)
    return render(request, "schedulerui/alerts/_live.html", context)


@gate("operate", methods=("POST",))
def try_channels(request: HttpRequest) -> HttpResponse:
    """Send a message that says that it is a test by each channel."""
    known, now = list(channels.names(settings().ALERTS)), clock.now()
    refused = refused_for_tests(request, now=now)
    if refused:
        return refused
    if known:
        notifications.try_channels(known, actor=actor_of(request), now=now)
        with_message(request, _("A test is on its way by each channel. Below stands what becomes of it."))
    else:
        with_message(request, _("No channel is configured."), kind="warn")
    return see_other(request, reverse("schedulerui:alerts"))


@gate("operate", methods=("POST",))
def silence(request: HttpRequest) -> HttpResponse:
    """Tell nobody of anything, or of the schedule named, for as long as the form says."""
    form, now = SilenceForm(request.POST), clock.now()
    if not form.is_valid():
        return _page(request, form, status=422)
    schedule = _schedule(request, request.POST.get("schedule", ""))
    if schedule is not None and not may(request.user, "operate", schedule):
        return error_page(request, 403, sentence=SENTENCES["operate"])
    if schedule is None and not may_know_all(request.user):
        form.add_error(
            "span", _("Your account sees some of the schedules only: choose one by Silence at its alert.")
        )
        return _page(request, form, status=422)
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
    key = key_of(named)
    if key is None:
        raise Http404
    return sound_schedule_or_404(request, key, verb="view")


def _since(request: HttpRequest, *, now: datetime) -> tuple[str, bool]:
    """Return what changes when the page looks different, and whether a monitor looks; one query."""
    alerts = visible(request.user, Alert.objects.all())
    # Of all messages, as a channel's line may be about all: a digest names none of them.
    return pulse_of_alerts(alerts, Notification.objects.all(), now=now)


def _messages(request: HttpRequest) -> tuple[QuerySet[Notification], bool]:
    """Return the messages that the person may know of, and whether those are all: the others are about their schedules, or tests."""
    if may_know_all(request.user):
        return Notification.objects.all(), True
    known = visible(request.user, Notification.objects.all(), through="alert__schedule")
    return known | Notification.objects.filter(event="test"), False


def _live_context(request: HttpRequest, *, now: datetime, since: str, is_monitored: bool) -> dict[str, Any]:
    found = (
        visible(request.user, Alert.objects.all())
        .select_related("schedule", "run")
        .only("key", "kind", "state", "message", "since", "told_at", "schedule__name", "run__uuid")
    )
    standing = [alert_row(alert) for alert in found.exclude(state="ok").order_by("-since", "pk")[:SHOWN]]
    recovered = [alert_row(alert) for alert in found.filter(state="ok").order_by("-since", "pk")[:10]]
    known, are_all = _messages(request)
    messages = message_rows(known.order_by("-created_at", "-id")[:MESSAGES_SHOWN])
    kinds = {name: str(channel.get("type")) for name, channel in channels.names(settings().ALERTS).items()}
    if settings().PING_URLS:
        kinds["ping"] = "ping"
    return {
        "standing": standing,
        "recovered": recovered,
        "messages_shown": messages,
        "channels": channel_rows(kinds, known, now=now),
        "are_all_messages": are_all,
        "has_channels": bool(settings().ALERTS),
        "is_monitored": is_monitored,
        "rights": rights_of(request.user),
        "now": now,
        "since": since,
        "poll_every": settings().POLL_EVERY,
    }


def _page(request: HttpRequest, form: SilenceForm, *, status: int = 200) -> HttpResponse:
    now = clock.now()
    windows = (
        visible(request.user, Silence.objects.all())
        .select_related("schedule")
        .filter(ends_at__gt=now)
        .order_by("ends_at")[:SHOWN]
    )
    since, is_monitored = _since(request, now=now)
    context = _live_context(request, now=now, since=since, is_monitored=is_monitored) | {
        "silences": [silence_row(window, now=now) for window in windows],
        "form": form,
        "about": _schedule(request, (request.POST or request.GET).get("schedule", "")),
    }
    return render(request, "schedulerui/pages/alerts.html", context, status=status)
