"""What of some rows changes when they look different, as numbers of the query that asks for something else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value

from schedulerui.models import Queue, Run, Worker
from schedulerui.operations import workers


class _SumOf(Subquery):
    """The sum of a column over the rows of a query that may be sliced, and must not point to another one."""

    template = "(SELECT COALESCE(SUM(%(column)s), 0) FROM (%(subquery)s) told)"
    output_field = BigIntegerField()


def sums(rows: QuerySet[Any]) -> dict[str, Subquery]:
    """Return annotations that together are the stamp of ``rows``: runs, or what else has a key and a progress."""
    return {
        "sum_of_keys": _SumOf(rows.values("id"), column="id"),
        "sum_of_progress": _SumOf(rows.values("progress"), column="progress"),
    }


def stamp(row: Any) -> tuple[int, int]:
    """Return the stamp that a row annotated with ``sums`` has."""
    # Where the host's filter leaves nobody anything to see, Django asks no sum, and the answer is none.
    return int(row.sum_of_keys or 0), int(row.sum_of_progress or 0)


def stamp_of(rows: Iterable[Run]) -> tuple[int, int]:
    """Return the same for rows that are at hand."""
    known = list(rows)
    return sum(row.pk for row in known), sum(row.progress for row in known)


def of_pickup(*, now: datetime) -> dict[str, Any]:
    """Return annotations of a run that change when something else is to be said of where its message is.

    What depends on the clock alone may be said a minute late.
    """
    fresh = Q(measured_at__gt=OuterRef("sent_at"))
    return {
        "depth": _over(Queue.objects.all(), Sum("depth")),
        "consumers": _over(Queue.objects.all(), Sum("consumers")),
        "n_unknown": _over(Queue.objects.exclude(error=""), Count("pk")),
        "n_fresh": _over(Queue.objects.filter(fresh), Count("pk")),
        "n_workers": _over(Worker.objects.all(), Count("pk")),
        "n_online": _over(workers.online(now=now), Count("pk")),
    }


def _over(rows: QuerySet[Any], number: Any) -> Subquery:
    """Return a number over all rows of a query as a part of another one."""
    all_of_them = rows.order_by().annotate(whole=Value(1, output_field=IntegerField())).values("whole")
    return Subquery(all_of_them.annotate(number=number).values("number"))
