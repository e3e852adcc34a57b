"""Send a run again whose message the broker has lost: a plain form on the run's page."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.models import Run
from schedulerui.operations import resend
from schedulerui.web.decorators import gate
from schedulerui.web.found import run_or_404
from schedulerui.web.responses import actor_of, see_other, with_message


@transaction.non_atomic_requests  # the count is committed before the message goes: a click never sends two
@gate("operate", methods=("POST",))
def run_resend(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Send the run again and lead back to its page, with a sentence about what came of it."""
    found = run_or_404(request, uuid, verb="operate")
    kind, text = _resend(request, found)
    with_message(request, text, kind=kind)
    return see_other(request, reverse("schedulerui:run", args=[uuid]))


def _resend(request: HttpRequest, found: Run) -> tuple[str, str]:
    try:
        publishes = int(request.POST.get("publishes", "")[:6])
    except ValueError:
        return "fail", _("That form is damaged. Open the run's page once more.")
    try:
        queued = resend.resend(found.pk, publishes=publishes, actor=actor_of(request), now=clock.now())
    except resend.NotResendable as refusal:
        return "warn", str(refusal)
    except Run.DoesNotExist as missing:
        raise Http404 from missing
    if not queued.sent:
        return "fail", _("It was not sent again: %(reason)s") % {"reason": queued.reason}
    return "ok", _("Sent again under the same task id.")
