"""Answers for machines: metrics, readiness, and health as JSON; with a token or a login.

Metrics and health are totals over all schedules, also those that ACCESS_FILTER hides from a person: they have a right of their own.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse

from schedulerui import clock
from schedulerui.access import may
from schedulerui.conf import settings
from schedulerui.presenters import metrics, status
from schedulerui.web.csp import dress
from schedulerui.web.decorators import SENTENCES

Answer = Callable[[HttpRequest, datetime], HttpResponse]
BEARER = "Bearer "


def _by_token_or(verb: str) -> Callable[[Answer], Callable[[HttpRequest], HttpResponse]]:
    """Let those through who bear ``METRICS_TOKEN`` and those who are logged in and may ``verb``; a machine gets no login page."""
    return partial(_guarded, verb)


def _guarded(verb: str, answer: Answer) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return dress(HttpResponseNotAllowed(["GET", "HEAD"]))
        try:  # asking who it is reads the database too
            return dress(_refused(request, verb) or answer(request, clock.now()))
        except (DatabaseError, InterfaceError):
            text = "The database does not answer.\n"
            return dress(HttpResponse(text, status=503, content_type="text/plain"))

    view.login_required = False  # type: ignore[attr-defined] # how Django marks views that look after it themselves
    return view


def _refused(request: HttpRequest, verb: str) -> HttpResponse | None:
    if _bears_token(request):
        return None
    if not request.user.is_authenticated:
        headers = {"WWW-Authenticate": 'Bearer realm="schedulerui"'}
        return HttpResponse("A token or a login is needed.\n", status=401, headers=headers)
    return None if may(request.user, verb) else HttpResponse(f"{SENTENCES[verb]}\n", status=403)


def _bears_token(request: HttpRequest) -> bool:
    token, given = settings().METRICS_TOKEN, request.headers.get("Authorization", "")
    if not token or not given.startswith(BEARER):
        return False
    return hmac.compare_digest(given.removeprefix(BEARER).strip().encode(), token.encode())


@_by_token_or("view_metrics")
def prometheus(_request: HttpRequest, now: datetime) -> HttpResponse:
    """Answer the samples in Prometheus' text format."""
    return HttpResponse(metrics.exposition(now=now), content_type=metrics.CONTENT_TYPE)


@_by_token_or("view")
def readyz(_request: HttpRequest, _now: datetime) -> HttpResponse:
    """Answer 200 when this process can serve pages: the database answers and is migrated; else 503 with the reason."""
    executor = MigrationExecutor(connection)
    missing = [
        migration
        for migration, _is_backwards in executor.migration_plan(
            executor.loader.graph.leaf_nodes("schedulerui")
        )
    ]
    if missing:
        text = f"{len(missing)} migrations of schedulerui are not applied: run migrate.\n"
        return HttpResponse(text, status=503, content_type="text/plain")
    return HttpResponse("ready\n", content_type="text/plain")


@_by_token_or("view_metrics")
def health(_request: HttpRequest, now: datetime) -> HttpResponse:
    """Answer what ``schedulerui status --json`` prints: 200 when a beat ticks and can work, else 503 with the problems."""
    report = status.collect(now=now)
    return JsonResponse(status.plain(report), status=503 if report.problems else 200)
