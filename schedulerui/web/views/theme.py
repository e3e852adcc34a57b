"""Light, dark, or as the system says: kept in a cookie, so that the page comes in the right colours at once."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from schedulerui.presenters.frame import THEME_COOKIE, THEMES
from schedulerui.web.decorators import gate
from schedulerui.web.responses import remember


@gate("view", methods=("POST",))
def theme(request: HttpRequest) -> HttpResponse:
    """Remember the colours for a year and go back."""
    chosen = request.POST.get("theme", "")
    return remember(request, THEME_COOKIE, chosen, is_known=chosen in THEMES)
