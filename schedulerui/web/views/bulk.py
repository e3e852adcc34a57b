"""One action for many schedules or runs: asked once more where it matters, and what did not work is listed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui import clock, dispatch
from schedulerui.access import may, visible
from schedulerui.conf import settings
from schedulerui.facts import Overlap
from schedulerui.models import Run, Schedule
from schedulerui.models.damaged import readable
from schedulerui.operations import bulk, bulk_runs, workers
from schedulerui.operations.bulk import Did
from schedulerui.presenters.moments import duration
from schedulerui.web.bulk import (
    ACTIONS,
    RUN_ACTIONS,
    Action,
    Moved,
    Rows,
    Unclear,
    chosen,
    form_of,
    runs_of,
    schedules_of,
)
from schedulerui.web.decorators import SENTENCES, error_page, gate, refuse
from schedulerui.web.exports import as_csv, as_json, runs_as_csv, runs_as_json
from schedulerui.web.forms.pause import PauseForm
from schedulerui.web.responses import actor_of, back_from, see_other, wants_it_beside, with_message

NAMED = 10
"""Rows that the question names."""
WITH_TOKEN = frozenset({"run", "again"})
FILES = frozenset({"csv", "json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What differs between the rows of two lists."""

    actions: Mapping[str, Action]
    page: str
    """Name of the address of one row."""
    home: str
    """Name of the address of the list, to which one comes back."""
    bulk: str
    rows: Callable[..., Rows]
    found: Callable[[], QuerySet[Any]]
    """The rows as their verbs and the question need them."""
    verb: Callable[..., AbstractContextManager[Callable[[Any], Did]]]
    file: Callable[[HttpRequest, str, list[int]], HttpResponse]
    guarded: Callable[[list[int]], QuerySet[Any]]
    """Those of the rows with these keys that belong to a schedule whose runs must not overlap."""
    schedule_of: Callable[[Any], object]
    """The schedule that decides whether something may be done to a row."""
    asks_for: Callable[[int], str]
    did: Callable[[str, int], str]
    failed: Callable[[int], str]


@transaction.non_atomic_requests  # each schedule is committed by itself, and a run before it is published
@gate("view", methods=("POST",))
def schedules_bulk(request: HttpRequest) -> HttpResponse:
    """Ask, do, or answer a file; each schedule is asked about by itself."""
    return _answer(request, SCHEDULES)


@transaction.non_atomic_requests  # as above
@gate("view", methods=("POST",))
def runs_bulk(request: HttpRequest) -> HttpResponse:
    """Ask, do, or answer a file; the schedule of each run is asked about."""
    return _answer(request, RUNS)


def _answer(request: HttpRequest, kind: Kind) -> HttpResponse:
    key = request.POST.get("action", "")
    action = kind.actions.get(key)
    if action is None:
        return error_page(request, 400, sentence=_("There is no such action."))
    refusal = refuse(request, action.verb)
    if refusal is not None:
        return refusal
    now = clock.now()
    try:
        ids = chosen(request, kind.rows(request, now=now))
    except Moved as moved:
        sentence = f"{moved} " + _("Look at the list again before you go on.")
        return error_page(request, 409, sentence=sentence, back=_back(request, kind))
    except Unclear as unclear:
        with_message(request, str(unclear), kind="fail")
        return see_other(request, _back(request, kind))
    if key in FILES:
        return kind.file(request, key, ids)
    return _ask_or_do(request, kind, key, ids, now=now)


def _back(request: HttpRequest, kind: Kind) -> str:
    return back_from(request) if request.POST.get("back") else reverse(kind.home)


def _ask_or_do(request: HttpRequest, kind: Kind, key: str, ids: list[int], *, now: datetime) -> HttpResponse:
    action, is_answer = kind.actions[key], request.POST.get("sure") == "1"
    form = form_of(action, request.POST if is_answer else None, now=now)
    must_ask = action.asks or request.POST.get("all") == "1"
    if (must_ask and not is_answer) or (form is not None and not form.is_valid()):
        return _ask(request, kind, key, ids, form, status=422 if is_answer else 200)
    try:
        token = uuid.UUID(request.POST["token"]) if key in WITH_TOKEN else uuid.uuid4()
    except (KeyError, ValueError):
        return error_page(request, 400, sentence=_("That form is damaged. Load the page again."))

    def allowed(row: Any) -> bool:
        return may(request.user, action.verb, kind.schedule_of(row))

    try:
        with kind.verb(request, key, form, token=token, now=now) as verb:
            refusal = str(SENTENCES[action.verb])
            outcome = bulk.apply(kind.found(), ids, verb, allowed=allowed, refusal=refusal)
    except dispatch.NoCeleryApp as error:
        return error_page(request, 503, sentence=str(error))
    return _told(request, kind, action, outcome)


def _schedule_verb(
    request: HttpRequest, key: str, form: forms.Form | None, *, token: uuid.UUID, now: datetime
) -> AbstractContextManager[bulk.Verb]:
    by: bulk.By = {"actor": actor_of(request), "now": now}
    given = form.cleaned_data if form is not None else {}
    until = form.until_at if isinstance(form, PauseForm) else None
    if key == "run":
        return bulk.running(token=token, even_if_running=wants_it_beside(request), **by)
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


def _run_verb(
    request: HttpRequest, key: str, _form: forms.Form | None, *, token: uuid.UUID, now: datetime
) -> AbstractContextManager[bulk_runs.Verb]:
    if key == "again":
        by: bulk.By = {"actor": actor_of(request), "now": now}
        return bulk_runs.again(token=token, even_if_running=wants_it_beside(request), **by)
    return nullcontext(bulk_runs.cancelling(actor=actor_of(request), now=now))


def _ask(
    request: HttpRequest, kind: Kind, key: str, ids: list[int], form: forms.Form | None, *, status: int
) -> HttpResponse:
    named = kind.found().in_bulk(ids[:NAMED])
    context = {
        "key": key,
        "action": kind.actions[key],
        "bulk_url": reverse(kind.bulk),
        "ids": ",".join(map(str, ids)),
        "count": len(ids),
        "heading": kind.asks_for(len(ids)),
        "names": sorted(map(str, named.values())),
        "n_more": max(0, len(ids) - NAMED),
        "form": form,
        "token": uuid.uuid4(),
        "back": _back(request, kind),
        "may_wait": key in WITH_TOKEN and kind.guarded(ids).exists(),
        "is_unheard": key in WITH_TOKEN and not workers.online(now=clock.now()).exists(),
    }
    return render(request, "schedulerui/pages/bulk.html", context, status=status)


def _told(request: HttpRequest, kind: Kind, action: Action, outcome: bulk.Outcome) -> HttpResponse:
    words = str(action.words).removesuffix("…")
    done = kind.did(words, outcome.n_done)
    if outcome.n_unchanged:
        same = ngettext("%(n)d was so already.", "%(n)d were so already.", outcome.n_unchanged)
        done += " " + same % {"n": outcome.n_unchanged}
    if outcome.n_held:
        done += " " + _held(outcome)
    if not outcome.failures:
        with_message(request, done, kind="warn" if outcome.n_held else "ok")
        return see_other(request, _back(request, kind))
    context = {
        "done": done,
        "failures": outcome.failures,
        "heading": kind.failed(len(outcome.failures)),
        "page": kind.page,
        "back": _back(request, kind),
        "words": words,
    }
    return render(request, "schedulerui/pages/bulk_done.html", context)


def _held(outcome: bulk.Outcome) -> str:
    words = ngettext(
        "%(n)d is queued for dispatch, for the broker did not take it (%(reason)s). Beat sends it if the broker answers within %(within)s; after that it is not sent.",
        "%(n)d are queued for dispatch, for the broker did not take them (%(reason)s). Beat sends them if the broker answers within %(within)s; after that they are not sent.",
        outcome.n_held,
    )
    within = duration(settings().MANUAL_SEND_WITHIN)
    return words % {"n": outcome.n_held, "reason": outcome.why_held.rstrip(". "), "within": within}


def _schedules_file(request: HttpRequest, key: str, ids: list[int]) -> HttpResponse:
    allowed = visible(request.user, Schedule.objects.all())
    found = readable(allowed.filter(pk__in=ids).select_related("state").order_by("name"))
    rows = [schedule for schedule in found if may(request.user, "view", schedule)]
    if key == "csv":
        return _file(as_csv(rows), "schedules.csv")
    with_values = all(may(request.user, "view_values", schedule) for schedule in rows)
    return _file(as_json(rows, with_values=with_values), "schedules.json")


def _runs_file(request: HttpRequest, key: str, ids: list[int]) -> HttpResponse:
    allowed = visible(request.user, Run.objects.newest_first())
    found = list(allowed.filter(pk__in=ids).defer("traceback", "log", "canvas"))
    owners = readable(Schedule.objects.filter(pk__in={run.schedule_id for run in found}))
    schedules = {schedule.pk: schedule for schedule in owners}
    for run in found:
        run.schedule = schedules.get(run.schedule_id or 0)
    rows = [run for run in found if may(request.user, "view", run.schedule)]
    if key == "csv":
        return _file(runs_as_csv(rows), "runs.csv")
    with_values = all(may(request.user, "view_values", run) for run in rows)
    return _file(runs_as_json(rows, with_values=with_values), "runs.json")


def _file(body: str, name: str) -> HttpResponse:
    kind = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(body, content_type=kind, headers=headers)


def _runs_for_verbs() -> QuerySet[Run]:
    return Run.objects.select_related("schedule").only("uuid", "schedule_name", "task", "due_at", "schedule")


SCHEDULES = Kind(
    actions=ACTIONS,
    page="schedulerui:schedule",
    home="schedulerui:schedules",
    bulk="schedulerui:schedules-bulk",
    rows=schedules_of,
    found=Schedule.objects.all,
    verb=_schedule_verb,
    file=_schedules_file,
    guarded=lambda ids: Schedule.objects.filter(pk__in=ids).exclude(overlap=Overlap.ALLOW),
    schedule_of=lambda schedule: schedule,
    asks_for=lambda n: ngettext("For %(n)d schedule", "For %(n)d schedules", n) % {"n": n},
    did=lambda words, n: (
        ngettext("%(action)s: done for %(n)d schedule.", "%(action)s: done for %(n)d schedules.", n)
        % {"action": words, "n": n}
    ),
    failed=lambda n: ngettext("Not done for %(n)d schedule", "Not done for %(n)d schedules", n) % {"n": n},
)
RUNS = Kind(
    actions=RUN_ACTIONS,
    page="schedulerui:run",
    home="schedulerui:runs",
    bulk="schedulerui:runs-bulk",
    rows=runs_of,
    found=_runs_for_verbs,
    verb=_run_verb,
    file=_runs_file,
    guarded=lambda ids: Run.objects.filter(pk__in=ids, schedule__isnull=False).exclude(
        schedule__overlap=Overlap.ALLOW
    ),
    schedule_of=lambda run: run.schedule,
    asks_for=lambda n: ngettext("For %(n)d run", "For %(n)d runs", n) % {"n": n},
    did=lambda words, n: (
        ngettext("%(action)s: done for %(n)d run.", "%(action)s: done for %(n)d runs.", n)
        % {"action": words, "n": n}
    ),
    failed=lambda n: ngettext("Not done for %(n)d run", "Not done for %(n)d runs", n) % {"n": n},
)
