"""A site's answer to its own mistake, for its `handler500`."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.defaults import server_error


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
