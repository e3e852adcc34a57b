"""Who changed what, when and from where; newest first."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import may, visible
from schedulerui.conf import settings
from schedulerui.models import Change
from schedulerui.presenters.changes import change_row
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.history_filters import ChangeFilter
from schedulerui.web.paging import page_of


@gate("view_audit", methods=("GET", "HEAD"))
def audit(request: HttpRequest) -> HttpResponse:
    """Answer the whole page, or its results to htmx."""
    changes = visible(request.user, Change.objects.defer("snapshot"))
    found = ChangeFilter(request.GET, queryset=changes, now=clock.now())
    page = page_of(found.narrowed, moment="at", request=request, size=settings().PAGE_SIZE)
    with_values = may(request.user, "view_values")
    context = {
        "filter": found,
        "page": page,
        "rows": [change_row(change, with_values=with_values) for change in page.rows],
        "query": found.query(),
        "now": clock.now(),
    }
    template = "schedulerui/audit/_results.html" if htmx_of(request) else "schedulerui/pages/audit.html"
    return render(request, template, context)
