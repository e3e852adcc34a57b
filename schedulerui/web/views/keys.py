"""Single keys on or off for one person: kept in a cookie, as assistive tools and dictation need it (WCAG 2.1.4)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from schedulerui.presenters.frame import KEYS_COOKIE
from schedulerui.web.decorators import gate
from schedulerui.web.responses import back_from, see_other
from schedulerui.web.views.theme import A_YEAR


@gate("view", methods=("POST",))
def keys(request: HttpRequest) -> HttpResponse:
    """Remember the choice for a year and go back."""
    response = see_other(request, back_from(request))
    chosen = request.POST.get("keys", "")
    if chosen in {"on", "off"}:
        response.set_cookie(
            KEYS_COOKIE, chosen, max_age=A_YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    return response
