"""Who changed what, when and from where; newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from schedulerui import clock
from schedulerui.access import is_asked_of_rows, may, visible
from schedulerui.conf import settings
from schedulerui.models import Change, Schedule
from schedulerui.models.damaged import readable
from schedulerui.presenters.changes import ChangeRow, change_row
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.exports import changes_as_csv
from schedulerui.web.history_filters import SCANNED_CHANGES, ChangeFilter
from schedulerui.web.paging import page_of

EXPORTED_MOST = 10_000
"""Changes in one file; whoever wants older ones narrows the filter."""
CHUNK = 500
"""Changes whose schedules are read at once."""


@gate("view_audit", methods=("GET", "HEAD"))
def audit(request: HttpRequest) -> HttpResponse:
    """Answer the whole page, its results to htmx, or with ``as=csv`` a file of the newest that match."""
    changes = visible(request.user, Change.objects.defer("snapshot"))
    asked = request.GET.copy()
    is_file = asked.pop("as", None) == ["csv"]
    found = ChangeFilter(asked, queryset=changes, now=clock.now())
    looked = found.looked_through(is_exact=asked.get("count") == "exact")
    if is_file:
        return _file(request, looked.rows)
    page = page_of(looked.rows, moment="at", request=request, size=settings().PAGE_SIZE)
    context = {
        "filter": found,
        "page": page,
        "rows": list(_rows(request, page.rows)),
        "query": found.query(),
        "looked_at": looked.since,
        "n_looked_at": SCANNED_CHANGES,
        "is_exact": asked.get("count") == "exact",
        "most": EXPORTED_MOST,
        "now": clock.now(),
    }
    template = "schedulerui/audit/_results.html" if htmx_of(request) else "schedulerui/pages/audit.html"
    return render(request, template, context)


def _rows(request: HttpRequest, changes: Iterable[Change]) -> Iterator[ChangeRow]:
    """Yield the lines; values for those who may see them, in general and of the schedule, if there still is one."""
    with_values = may(request.user, "view_values")
    rest = iter(changes)
    while chunk := list(islice(rest, CHUNK)):
        refused = _refused(request, chunk) if with_values and is_asked_of_rows() else frozenset()
        for change in chunk:
            yield change_row(change, with_values=with_values and change.schedule_id not in refused)


def _refused(request: HttpRequest, changes: Iterable[Change]) -> frozenset[int]:
    """Return the keys of the schedules whose values the host does not let this person see; one query."""
    keys = {change.schedule_id for change in changes if change.schedule_id is not None}
    schedules = readable(Schedule.objects.filter(pk__in=keys))
    return frozenset(each.pk for each in schedules if not may(request.user, "view_values", each))


def _file(request: HttpRequest, changes: QuerySet[Change]) -> HttpResponse:
    newest = changes.order_by("-at", "-id")[:EXPORTED_MOST]
    rows = _rows(request, newest.iterator())
    headers = {"Content-Disposition": 'attachment; filename="changes.csv"'}
    return HttpResponse(changes_as_csv(rows), content_type="text/csv; charset=utf-8", headers=headers)
