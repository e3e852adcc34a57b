"""New schedule, copy of one, edit: one form, which shows its preview without scripts too."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from schedulerui import clock
from schedulerui.access import may
from schedulerui.models import Change, Schedule
from schedulerui.operations import schedules
from schedulerui.operations.canvas import task_names
from schedulerui.operations.errors import InvalidSchedule, VersionConflict
from schedulerui.operations.registered import is_missing
from schedulerui.parameters import misfit
from schedulerui.recurrence.zones import known_zones
from schedulerui.web.decorators import gate
from schedulerui.web.forms import RuleForm, ScheduleForm, differences, initial_of
from schedulerui.web.forms.canvas import is_canvas_field
from schedulerui.web.forms.schedule import VALUES
from schedulerui.web.found import key_of, sound_schedule_or_404
from schedulerui.web.hints import hints_of, takes_of
from schedulerui.web.responses import actor_of, see_other
from schedulerui.web.tasks_known import known_tasks, offered_tasks
from schedulerui.web.upcoming import preview_of
from schedulerui.web.views.delete import code_managed

PAGE = "schedulerui/pages/schedule_form.html"
NOT_COPIED = ("name", "version", "uuid", "skipped")


@gate("add", methods=("GET", "HEAD", "POST"))
def new(request: HttpRequest) -> HttpResponse:
    """Show the empty form, or one filled from ``?copy=<id>``; create what is posted."""
    now = clock.now()
    if request.method != "POST":
        return page(request, ScheduleForm(initial={"uuid": uuid4(), **_copied(request)}, now=now))
    form = ScheduleForm(request.POST, now=now)
    if is_check(request):
        return _checked(request, form)
    if is_redrawn(request) or not form.is_valid():
        return page(request, form)
    try:
        fields = {**form.schedule_fields, "uuid": form.cleaned_data.get("uuid")}
        schedule = schedules.create(fields, actor=actor_of(request), now=now)
    except InvalidSchedule as error:
        form.show(error.errors)
        return page(request, form)
    return _saved(request, schedule, _("Created “%(name)s”."))


@gate("change", methods=("GET", "HEAD", "POST"))
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form of a schedule; store what is posted if nobody else was faster."""
    now = clock.now()
    current = sound_schedule_or_404(request, pk, verb="change")
    if current.source == "code":
        return code_managed(request, current)
    options: dict[str, Any] = {
        "now": now,
        "current": current,
        "with_values": may(request.user, "view_values", current),
    }
    if request.method != "POST":
        return page(request, ScheduleForm(initial=initial_of(current), **options))
    form = ScheduleForm(request.POST, **options)
    if is_check(request):
        return _checked(request, form)
    if is_redrawn(request) or not form.is_valid():
        return page(request, form)
    return _store(request, form, current, now=now)


def _store(request: HttpRequest, form: ScheduleForm, current: Schedule, *, now: datetime) -> HttpResponse:
    seen = form.cleaned_data["version"] or 0
    try:
        stored = schedules.edit(
            current.pk, form.schedule_fields, version=seen, actor=actor_of(request), now=now
        )
    except VersionConflict as conflict:
        return _conflict(request, form, conflict.current)
    except InvalidSchedule as error:
        form.show(error.errors)
        return page(request, form)
    return _saved(request, stored, _("Saved “%(name)s”."))


def _conflict(request: HttpRequest, form: ScheduleForm, current: Schedule) -> HttpResponse:
    """Answer 409: who was faster, and both values of what differs; what was typed stays in the form."""
    labels = {name: field.label for name, field in form.fields.items()}
    data = request.POST.copy()
    data["version"] = str(current.version)  # saving once more is then a decision and no accident
    form.data = data
    extra = {
        "differences": differences(form.schedule_fields, current, labels=labels),
        "change": Change.objects.filter(schedule=current).order_by("-at", "-id").first(),
    }
    return page(request, form, status=409, **extra)


def _saved(request: HttpRequest, schedule: Schedule, words: str) -> HttpResponse:
    messages.success(request, words % {"name": schedule.name})
    known = known_tasks()
    for task in task_names(schedule.canvas) or [schedule.task]:
        if is_missing(task, known):
            words = _("No worker and no code here knows the task “%(task)s”. It will be sent all the same.")
            messages.warning(request, words % {"task": task})
    # The reason names arguments: those of another person are for whom may see them.
    is_known = schedule.version == 1 or may(request.user, "view_values", schedule)
    reason = misfit(schedule.task, schedule.args, schedule.kwargs) if is_known and not schedule.canvas else ""
    if reason:
        words = _("%(task)s does not take these arguments as it is known here: %(reason)s.")
        messages.warning(request, words % {"task": schedule.task, "reason": reason})
    return see_other(request, reverse("schedulerui:schedule", args=[schedule.pk]))


def is_check(request: HttpRequest) -> bool:
    """Return whether somebody has just left a field: nothing is stored, and what is wrong comes as a fragment."""
    return "check" in request.POST


def _checked(request: HttpRequest, form: ScheduleForm) -> HttpResponse:
    return render(request, "schedulerui/schedules/_invalid.html", {"form": form})


def is_redrawn(request: HttpRequest) -> bool:
    """Return whether the form is only to be shown again, with its preview or with more rows."""
    return "preview" in request.POST or "add_step" in request.POST


def _copied(request: HttpRequest) -> dict[str, object]:
    wanted = key_of(request.GET.get("copy", ""))
    if wanted is None:
        return {}
    source = sound_schedule_or_404(request, wanted, verb="view")
    left_out = NOT_COPIED if may(request.user, "view_values", source) else (*NOT_COPIED, *VALUES)
    initial = {name: value for name, value in initial_of(source).items() if name not in left_out}
    if VALUES[0] in left_out:
        initial = {name: value for name, value in initial.items() if not is_canvas_field(name)}
    return initial | {"name": _("Copy of %(name)s") % {"name": source.name}, "enabled": False}


def page(
    request: HttpRequest, form: ScheduleForm, *, status: int | None = None, **extra: object
) -> HttpResponse:
    """Answer the whole form: 200 as asked for or previewed, 422 with what is wrong."""
    is_preview, pk = is_redrawn(request), form.current.pk if form.current else None
    rule = RuleForm({name: form[name].value() for name in RuleForm.base_fields}, current=form.current)
    preview, asked = (
        preview_of(rule, now=form.now),
        (str(form["task"].value() or ""), str(form["queue"].value() or "")),
    )
    context = {
        "form": form,
        "schedule": form.current,
        "preview": preview,
        "hints": hints_of(request, preview, asked=asked, but=pk, now=form.now) if is_preview else None,
        "takes": takes_of(asked[0]),
        "show_errors": form.is_bound and not is_preview,
        "tasks": offered_tasks(request.user),
        "zones": known_zones(),
        "now": form.now,
        **extra,
    }
    return render(request, PAGE, context, status=status or (422 if form.is_bound and not is_preview else 200))
