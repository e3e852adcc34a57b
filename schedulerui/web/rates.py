"""So many runs in a minute are no person's decision any more: the limit of ``RUNS_PER_MINUTE``; so many tests of channels neither."""

from __future__ import annotations

import math
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils.translation import ngettext

from schedulerui.conf import settings
from schedulerui.operations.rates import MINUTE, TESTS_A_MINUTE, n_runs_asked, wait_for_test
from schedulerui.operations.runs import is_known
from schedulerui.web.decorators import error_page


def refused_for_rate(request: HttpRequest, *, of: object, token: str, now: datetime) -> HttpResponse | None:
    """Answer 429 to whoever has asked for as many runs within a minute as one may; None lets the click through.

    A click that has made its run already, by its ``token``, is let through. ``of`` as in ``runs.is_known``. At most two queries.
    """
    most = settings().RUNS_PER_MINUTE
    if not most or request.user.pk is None or n_runs_asked(request.user.pk, now=now) < most:
        return None
    return None if is_known(of, token=token) else _too_many(request, most)


def refused_for_tests(request: HttpRequest, *, now: datetime) -> HttpResponse | None:
    """Answer 429 to whoever has tried the channels as often within a minute as one may; None lets the click through; one query."""
    wait = wait_for_test(request.user.pk, now=now) if request.user.pk is not None else None
    if not wait:
        return None
    seconds = math.ceil(wait.total_seconds())
    words = ngettext(
        "You have sent %(most)d tests within a minute, which is the most. The next one may go in %(n)d second.",
        "You have sent %(most)d tests within a minute, which is the most. The next one may go in %(n)d seconds.",
        seconds,
    )
    return _refused(request, words % {"most": TESTS_A_MINUTE, "n": seconds}, seconds=seconds)


def _too_many(request: HttpRequest, most: int) -> HttpResponse:
    words = ngettext(
        "You have asked for %(n)d run within a minute, which is the most. Wait a moment, or run several as one bulk action.",
        "You have asked for %(n)d runs within a minute, which is the most. Wait a moment, or run several as one bulk action.",
        most,
    )
    return _refused(request, words % {"n": most}, seconds=int(MINUTE.total_seconds()))


def _refused(request: HttpRequest, sentence: str, *, seconds: int) -> HttpResponse:
    """Answer with a sentence and when to come again."""
    response = error_page(request, 429, sentence=sentence)
    response["Retry-After"] = str(seconds)
    return response
