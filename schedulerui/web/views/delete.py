"""Delete a schedule, after asking."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.models import Schedule
from schedulerui.operations import schedules
from schedulerui.operations.errors import CodeManaged
from schedulerui.web.decorators import gate
from schedulerui.web.found import schedule_or_404
from schedulerui.web.responses import actor_of, see_other


@gate("delete", methods=("GET", "HEAD", "POST"))
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask; delete what is posted. Runs and audit rows stay."""
    schedule = schedule_or_404(request, pk, verb="delete")
    if schedule.source == "code":
        return code_managed(request, schedule)
    if request.method != "POST":
        return render(request, "schedulerui/pages/schedule_delete.html", {"schedule": schedule})
    try:
        schedules.delete(pk, actor=actor_of(request), now=clock.now())
    except Schedule.DoesNotExist:
        pass  # somebody else was faster, with the same result
    except CodeManaged:
        return code_managed(request, schedule)
    messages.success(
        request, _("Deleted “%(name)s”. Its runs stay in the history.") % {"name": schedule.name}
    )
    return see_other(request, reverse("schedulerui:schedules"))


def code_managed(request: HttpRequest, schedule: Schedule) -> HttpResponse:
    """Say that this schedule is defined in code: 200 to who looks, 403 to who tries."""
    status = 403 if request.method == "POST" else 200
    return render(request, "schedulerui/pages/schedule_code.html", {"schedule": schedule}, status=status)
