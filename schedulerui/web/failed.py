"""A site's answers to its own mistake, for its `handler500`, and to a form without a valid token, for `CSRF_FAILURE_VIEW`."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.defaults import server_error

from schedulerui.web.csp import dress
from schedulerui.web.responses import back_to


def failed(request: HttpRequest) -> HttpResponse:
    """Answer 500 with what to do, without a database, a session or a context processor: plainly where even that fails."""
    again = request.get_full_path() if request.method in {"GET", "HEAD"} else reverse("schedulerui:overview")
    try:
        text = render_to_string(
            "schedulerui/errors/failed.html", {"again": again, "is_look": request.method == "GET"}
        )
    except Exception:  # noqa: BLE001 - the mistake may be in the templates or the static files themselves
        return server_error(request)
    return HttpResponse(text, status=500)


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form whose token is missing or old, with the way back to its page; ``reason`` is Django's, for developers."""
    context = {"again": back_to(request) or reverse("schedulerui:overview")}
    return dress(HttpResponse(render_to_string("schedulerui/errors/forged.html", context), status=403))
