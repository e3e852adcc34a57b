"""Light, dark, or as the system says: kept in a cookie, so that the page comes in the right colours at once."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from schedulerui.presenters.frame import THEME_COOKIE, THEMES
from schedulerui.web.decorators import gate
from schedulerui.web.responses import back_from, see_other

A_YEAR = 365 * 24 * 3600


@gate("view", methods=("POST",))
def theme(request: HttpRequest) -> HttpResponse:
    """Remember the colours for a year and go back."""
    response = see_other(request, back_from(request))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie(
            THEME_COOKIE, chosen, max_age=A_YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    return response
