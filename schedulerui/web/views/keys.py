"""Single keys on or off for one person: kept in a cookie, as assistive tools and dictation need it (WCAG 2.1.4)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from schedulerui.presenters.frame import KEYS_COOKIE
from schedulerui.web.decorators import gate
from schedulerui.web.responses import remember


@gate("view", methods=("POST",))
def keys(request: HttpRequest) -> HttpResponse:
    """Remember the choice for a year and go back."""
    chosen = request.POST.get("keys", "")
    return remember(request, KEYS_COOKIE, chosen, is_known=chosen in {"on", "off"})
