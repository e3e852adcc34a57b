"""One action for many schedules: asked once more where it matters, and what did not work is listed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui import clock, dispatch
from schedulerui.access import may, visible
from schedulerui.models import Schedule
from schedulerui.operations import bulk
from schedulerui.web.bulk import ACTIONS, Action, Moved, Unclear, chosen, form_of
from schedulerui.web.decorators import SENTENCES, error_page, gate, refuse
from schedulerui.web.exports import as_csv, as_json
from schedulerui.web.forms.pause import PauseForm
from schedulerui.web.responses import actor_of, back_from, see_other, with_message

NAMED = 10
"""Schedules that the question names."""


@transaction.non_atomic_requests  # each schedule is committed by itself, and a run before it is published
@gate("view", methods=("POST",))
def schedules_bulk(request: HttpRequest) -> HttpResponse:
    """Ask, do, or answer a file; each schedule is asked about by itself."""
    key = request.POST.get("action", "")
    action = ACTIONS.get(key)
    if action is None:
        return error_page(request, 400, sentence=_("There is no such action."))
    refusal = refuse(request, action.verb)
    if refusal is not None:
        return refusal
    now = clock.now()
    try:
        ids = chosen(request, now=now)
    except Moved as moved:
        return error_page(request, 409, sentence=f"{moved} " + _("Look at the list again before you go on."))
    except Unclear as unclear:
        with_message(request, str(unclear), kind="fail")
        return see_other(request, back_from(request))
    if key in {"csv", "json"}:
        return _file(request, key, ids)
    return _ask_or_do(request, key, action, ids, now=now)


def _ask_or_do(
    request: HttpRequest, key: str, action: Action, ids: list[int], *, now: datetime
) -> HttpResponse:
    is_answer = request.POST.get("sure") == "1"
    form = form_of(action, request.POST if is_answer else None, now=now)
    must_ask = action.asks or request.POST.get("all") == "1"
    if (must_ask and not is_answer) or (form is not None and not form.is_valid()):
        return _ask(request, key, action, ids, form, status=422 if is_answer else 200)
    try:
        token = uuid.UUID(request.POST["token"]) if key == "run" else uuid.uuid4()
    except (KeyError, ValueError):
        return error_page(request, 400, sentence=_("That form is damaged. Load the page again."))
    try:
        with _verb(request, key, form, token=token, now=now) as verb:
            allowed = partial(may, request.user, action.verb)
            outcome = bulk.apply(ids, verb, allowed=allowed, refusal=str(SENTENCES[action.verb]))
    except dispatch.NoCeleryApp as error:
        return error_page(request, 503, sentence=str(error))
    return _told(request, action, outcome)


def _verb(
    request: HttpRequest, key: str, form: forms.Form | None, *, token: uuid.UUID, now: datetime
) -> AbstractContextManager[bulk.Verb]:
    by: bulk.By = {"actor": actor_of(request), "now": now}
    given = form.cleaned_data if form is not None else {}
    until = form.until_at if isinstance(form, PauseForm) else None
    if key == "run":
        return bulk.running(token=token, **by)
    verbs: dict[str, Callable[[], bulk.Verb]] = {
        "enable": lambda: bulk.switching(enabled=True, **by),
        "disable": lambda: bulk.switching(enabled=False, **by),
        "pause": lambda: bulk.pausing(until=until, reason=given["reason"], **by),
        "resume": lambda: bulk.resuming(**by),
        "queue": lambda: bulk.routing(given["queue"], **by),
        "tag": lambda: bulk.tagging(given["tag"], **by),
        "untag": lambda: bulk.tagging(given["tag"], removes=True, **by),
        "delete": lambda: bulk.deleting(**by),
    }
    return nullcontext(verbs[key]())


def _ask(
    request: HttpRequest, key: str, action: Action, ids: list[int], form: forms.Form | None, *, status: int
) -> HttpResponse:
    named = Schedule.objects.filter(pk__in=ids[:NAMED]).order_by("name").values_list("name", flat=True)
    context = {
        "key": key,
        "action": action,
        "ids": ",".join(map(str, ids)),
        "count": len(ids),
        "names": list(named),
        "n_more": max(0, len(ids) - NAMED),
        "form": form,
        "token": uuid.uuid4(),
        "back": back_from(request),
    }
    return render(request, "schedulerui/pages/bulk.html", context, status=status)


def _told(request: HttpRequest, action: Action, outcome: bulk.Outcome) -> HttpResponse:
    words = str(action.words).removesuffix(" …")
    done = ngettext(
        "%(action)s: done for %(n)d schedule.", "%(action)s: done for %(n)d schedules.", outcome.n_done
    ) % {"action": words, "n": outcome.n_done}
    if outcome.n_unchanged:
        same = ngettext("%(n)d was so already.", "%(n)d were so already.", outcome.n_unchanged)
        done += " " + same % {"n": outcome.n_unchanged}
    if not outcome.failures:
        with_message(request, done)
        return see_other(request, back_from(request))
    context = {"done": done, "failures": outcome.failures, "back": back_from(request), "words": words}
    return render(request, "schedulerui/pages/bulk_done.html", context)


def _file(request: HttpRequest, key: str, ids: list[int]) -> HttpResponse:
    allowed = visible(request.user, Schedule.objects.all())
    found = allowed.filter(pk__in=ids).select_related("state").order_by("name")
    rows = [schedule for schedule in found if may(request.user, "view", schedule)]
    if key == "csv":
        body, kind = as_csv(rows), "text/csv; charset=utf-8"
    else:
        with_values = all(may(request.user, "view_values", schedule) for schedule in rows)
        body, kind = as_json(rows, with_values=with_values), "application/json"
    name = f'attachment; filename="schedules.{key}"'
    return HttpResponse(body, content_type=kind, headers={"Content-Disposition": name})
