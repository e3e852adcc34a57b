"""The zone in which one person sees all moments: the schedules' own, UTC or the browser's; kept in a cookie."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from schedulerui.presenters.frame import ZONE_COOKIE
from schedulerui.presenters.moments import zone_chosen
from schedulerui.web.decorators import gate
from schedulerui.web.responses import remember


@gate("view", methods=("POST",))
def zone(request: HttpRequest) -> HttpResponse:
    """Remember the choice for a year and go back; the browser's zone comes by its name, which only a script knows."""
    chosen = request.POST.get("zone", "")
    is_known = chosen == "schedule" or zone_chosen(chosen) is not None
    return remember(request, ZONE_COOKIE, chosen, is_known=is_known)
