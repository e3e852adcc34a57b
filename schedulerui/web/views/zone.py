"""The zone in which one person sees all moments: the schedules' own, UTC or the browser's; kept in a cookie."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from schedulerui.presenters.frame import ZONE_COOKIE
from schedulerui.presenters.moments import zone_chosen
from schedulerui.web.decorators import gate
from schedulerui.web.responses import back_from, see_other
from schedulerui.web.views.theme import A_YEAR


@gate("view", methods=("POST",))
def zone(request: HttpRequest) -> HttpResponse:
    """Remember the choice for a year and go back; the browser's zone comes by its name, which only a script knows."""
    response = see_other(request, back_from(request))
    chosen = request.POST.get("zone", "")
    if chosen == "schedule" or zone_chosen(chosen):
        response.set_cookie(
            ZONE_COOKIE, chosen, max_age=A_YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    return response
