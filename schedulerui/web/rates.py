"""So many runs in a minute are no person's decision any more: the limit of ``RUNS_PER_MINUTE``."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils.translation import ngettext

from schedulerui.conf import settings
from schedulerui.operations.rates import MINUTE, n_runs_asked
from schedulerui.web.decorators import error_page


def is_too_many(request: HttpRequest, *, now: datetime) -> bool:
    """Tell whether the person has asked for as many runs within a minute as one may; at most one query."""
    most = settings().RUNS_PER_MINUTE
    return bool(most) and request.user.pk is not None and n_runs_asked(request.user.pk, now=now) >= most


def too_many(request: HttpRequest) -> HttpResponse:
    """Answer 429 with a sentence and when to come again."""
    most = settings().RUNS_PER_MINUTE
    words = ngettext(
        "You have asked for %(n)d run within a minute, which is the most. Wait a moment, or run several as one bulk action.",
        "You have asked for %(n)d runs within a minute, which is the most. Wait a moment, or run several as one bulk action.",
        most,
    )
    response = error_page(request, 429, sentence=words % {"n": most})
    response["Retry-After"] = str(int(MINUTE.total_seconds()))
    return response
