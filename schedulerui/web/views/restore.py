"""The versions of one schedule, and bringing one of them back after a look at what would change."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.access import may, rights_of
from schedulerui.conf import settings
from schedulerui.models import Change, Schedule
from schedulerui.operations import restoring
from schedulerui.operations.admin_history import field_label
from schedulerui.operations.errors import InvalidSchedule, VersionConflict
from schedulerui.presenters.changes import change_row, differences_of
from schedulerui.web.decorators import gate
from schedulerui.web.found import schedule_or_404, sound_schedule_or_404
from schedulerui.web.paging import page_of
from schedulerui.web.responses import actor_of, see_other, with_message
from schedulerui.web.views.delete import code_managed

PAGE = "schedulerui/pages/schedule_restore.html"


@gate("view_audit", methods=("GET", "HEAD"))
def changes(request: HttpRequest, pk: int) -> HttpResponse:
    """List the changes of one schedule, newest first, each with its differences."""
    schedule = schedule_or_404(request, pk)
    rows = Change.objects.filter(schedule=schedule).defer("snapshot")
    page = page_of(rows, moment="at", request=request, size=settings().PAGE_SIZE)
    with_values = may(request.user, "view_values", schedule)
    context = {
        "schedule": schedule,
        "page": page,
        "rows": [change_row(change, with_values=with_values) for change in page.rows],
        "rights": rights_of(request.user),
        "now": clock.now(),
    }
    return render(request, "schedulerui/pages/schedule_changes.html", context)


@gate("change", methods=("GET", "HEAD", "POST"))
def restore(request: HttpRequest, pk: int, change_id: int) -> HttpResponse:
    """Show what bringing back a version would change; do it if nobody else changes the schedule meanwhile."""
    schedule = sound_schedule_or_404(request, pk, verb="change")
    change = _version_or_404(schedule, change_id)
    if schedule.source == "code":
        return code_managed(request, schedule)
    if request.method != "POST":
        return _page(request, schedule, change)
    seen = request.POST.get("version", "")
    try:
        restored = restoring.restore(
            pk,
            change_id,
            version=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else 0,  # noqa: PLR2004 - digits of a column
            actor=actor_of(request),
            now=clock.now(),
            with_values=may(request.user, "view_values", schedule),
        )
    except VersionConflict as conflict:
        return _page(request, conflict.current, change, status=409)
    except InvalidSchedule:
        return _page(request, schedule, change, status=422)
    with_message(
        request,
        _("%(name)s is as it was in version %(version)d.")
        % {"name": restored.name, "version": change.version},
    )
    return see_other(request, reverse("schedulerui:schedule", args=[pk]))


def _version_or_404(schedule: Schedule, change_id: int) -> Change:
    try:
        return restoring.version_of(schedule, change_id)
    except Change.DoesNotExist:
        raise Http404 from None


def _page(request: HttpRequest, schedule: Schedule, change: Change, *, status: int = 200) -> HttpResponse:
    """Answer the differences between now and then: 409 with who was faster, 422 with what is wrong today."""
    now = clock.now()
    with_values = may(request.user, "view_values", schedule)
    found = restoring.restoration(schedule, change, now=now, with_values=with_values)
    context: dict[str, Any] = {
        "schedule": schedule,
        "version": change_row(change, with_values=with_values),
        "differences": differences_of(found.differences, with_values=with_values),
        "errors": [(field_label(name), sentences) for name, sentences in found.errors.items()],
        "with_values": with_values,
        "now": now,
    }
    if status == 409:  # noqa: PLR2004 - the status by its number
        context["faster"] = Change.objects.filter(schedule=schedule).order_by("-at", "-id").first()
    return render(request, PAGE, context, status=status)
