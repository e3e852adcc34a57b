"""Who changed what, when and from where; newest first."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import may, visible
from schedulerui.conf import settings
from schedulerui.models import Change
from schedulerui.presenters.changes import change_row
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.exports import changes_as_csv
from schedulerui.web.history_filters import SCANNED_CHANGES, ChangeFilter
from schedulerui.web.paging import page_of

EXPORTED_MOST = 10_000
"""Changes in one file; whoever wants older ones narrows the filter."""


@gate("view_audit", methods=("GET", "HEAD"))
def audit(request: HttpRequest) -> HttpResponse:
    """Answer the whole page, its results to htmx, or with ``as=csv`` a file of the newest that match."""
    changes = visible(request.user, Change.objects.defer("snapshot"))
    asked = request.GET.copy()
    is_file = asked.pop("as", None) == ["csv"]
    found = ChangeFilter(asked, queryset=changes, now=clock.now())
    looked = found.looked_through(is_exact=asked.get("count") == "exact")
    if is_file:
        return _file(looked.rows, with_values=may(request.user, "view_values"))
    page = page_of(looked.rows, moment="at", request=request, size=settings().PAGE_SIZE)
    with_values = may(request.user, "view_values")
    context = {
        "filter": found,
        "page": page,
        "rows": [change_row(change, with_values=with_values) for change in page.rows],
        "query": found.query(),
        "looked_at": looked.since,
        "n_looked_at": SCANNED_CHANGES,
        "is_exact": asked.get("count") == "exact",
        "most": EXPORTED_MOST,
        "now": clock.now(),
    }
    template = "schedulerui/audit/_results.html" if htmx_of(request) else "schedulerui/pages/audit.html"
    return render(request, template, context)


def _file(changes: QuerySet[Change], *, with_values: bool) -> HttpResponse:
    newest = changes.order_by("-at", "-id")[:EXPORTED_MOST]
    rows = (change_row(change, with_values=with_values) for change in newest.iterator())
    headers = {"Content-Disposition": 'attachment; filename="changes.csv"'}
    return HttpResponse(changes_as_csv(rows), content_type="text/csv; charset=utf-8", headers=headers)
