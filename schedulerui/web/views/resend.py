"""Send a run again whose message the broker has lost: a plain form on the run's page."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.access import may, visible
from schedulerui.models import Run
from schedulerui.operations import resend
from schedulerui.web.decorators import SENTENCES, error_page, gate
from schedulerui.web.responses import actor_of, see_other, with_message


@transaction.non_atomic_requests  # the count is committed before the message goes: a click never sends two
@gate("operate", methods=("POST",))
def run_resend(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Send the run again and lead back to its page, with a sentence about what came of it."""
    found = get_object_or_404(visible(request.user, Run.objects.select_related("schedule")), uuid=uuid)
    if not may(request.user, "operate", found.schedule):
        return error_page(request, 403, sentence=SENTENCES["operate"])
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
