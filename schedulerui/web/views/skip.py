"""Leave out one coming time of a schedule, or let it run after all; both are plain forms that need no script."""

from __future__ import annotations

from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.models import Schedule
from schedulerui.operations import skips
from schedulerui.operations.errors import InvalidSchedule, NotComing
from schedulerui.web.decorators import gate
from schedulerui.web.found import sound_schedule_or_404
from schedulerui.web.responses import actor_of, see_other, with_message


@gate("operate", methods=("POST",))
def skip(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave out the time ``nominal`` for the ``reason`` given; already left out: the same answer."""
    return _change(request, pk, reason=request.POST.get("reason", ""))


@gate("operate", methods=("POST",))
def unskip(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the time ``nominal`` run after all."""
    return _change(request, pk, reason=None)


def _change(request: HttpRequest, pk: int, *, reason: str | None) -> HttpResponse:
    sound_schedule_or_404(request, pk, verb="operate")
    try:
        kind, text = "ok", _write(request, pk, reason=reason)
    except InvalidSchedule as error:
        kind, text = "fail", " ".join(message for messages in error.errors.values() for message in messages)
    except NotComing as error:
        kind, text = "warn", str(error)
    except Schedule.DoesNotExist as missing:
        raise Http404 from missing
    with_message(request, text, kind=kind)
    if request.POST.get("place") == "upcoming":
        return see_other(request, reverse("schedulerui:schedule-upcoming", args=[pk]))
    return see_other(request, reverse("schedulerui:schedule", args=[pk]) + "#schedule-coming")


def _write(request: HttpRequest, pk: int, *, reason: str | None) -> str:
    nominal_at = _moment(request.POST.get("nominal", ""))
    actor, now = actor_of(request), clock.now()
    if reason is None:
        skips.unskip(pk, nominal_at=nominal_at, actor=actor, now=now)
        return _("That time will run after all.")
    skips.skip_next(pk, nominal_at=nominal_at, reason=reason, actor=actor, now=now)
    return _("That time will be skipped.")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise NotComing(_("That form is damaged. Choose the time once more."))
    return moment
