"""Django's admin: a second look at the rows, for people who live there. Values are shown by the dashboard only."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from schedulerui import clock
from schedulerui.access import may
from schedulerui.clock import DatabaseClock
from schedulerui.models import Beat, Change, Run, Schedule, Worker
from schedulerui.operations import runs, schedules
from schedulerui.operations.schedules import Toggled
from schedulerui.presenters.policies import pause_of
from schedulerui.presenters.rules import words_of
from schedulerui.presenters.schedules import state_row, why_no_next
from schedulerui.presenters.states import state_word, trigger_word
from schedulerui.web.read_only_admin import Answer, ReadOnlyAdmin, Request, actor_in_admin, to_dashboard

VALUES = ("args", "kwargs", "headers", "options", "canvas")
"""Fields that may hold secrets; the dashboard shows them, redacted, to those who may see values."""


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    """Lists schedules; its actions are operations, adding and editing happen in the dashboard."""

    page = "schedules"
    list_display = ("name", "enabled", "when", "tz", "task", "next", "last", "source", "error")
    list_filter = ("enabled", "kind", "source", "state__last_state")
    list_select_related = ("state",)
    search_fields = ("name", "task")
    ordering = ("name",)
    actions = ("enable", "disable", "run_now")
    readonly_fields = ("in_dashboard",)
    exclude = VALUES

    def has_add_permission(self, request: Request) -> bool:
        """Show "add" to those whom the dashboard's form lets in: that is where it leads."""
        return may(request.user, "add")

    def has_operate_permission(self, request: Request) -> bool:
        return may(request.user, "operate")

    def add_view(
        self, _request: Request, _form_url: str = "", _extra_context: dict[str, Any] | None = None
    ) -> Answer:
        return to_dashboard("schedule-new")

    @transaction.non_atomic_requests  # a run is committed before its message is published
    def changelist_view(self, request: Request, extra_context: dict[str, Any] | None = None) -> Answer:
        return super().changelist_view(request, extra_context)

    def may_look_at(self, request: Request, obj: Schedule) -> bool:
        return may(request.user, self.verb, obj)

    def view_on_site(self, obj: Schedule) -> str:
        return reverse("schedulerui:schedule", args=[obj.pk])

    @admin.display(description=_("when"))
    def when(self, schedule: Schedule) -> str:
        words, problem = words_of(schedule)
        return words or problem

    @admin.display(description=_("last run"), ordering="state__last_run_at")
    def last(self, schedule: Schedule) -> str:
        return state_word(state_row(schedule).last_state)

    @admin.display(description=_("next run"), ordering="next_run_at")
    def next(self, schedule: Schedule) -> datetime | str:
        """When it runs next, or why it does not."""
        _words, problem = words_of(schedule)
        paused = pause_of(schedule, now=clock.now())
        return schedule.next_run_at or paused or why_no_next(schedule, problem)

    @admin.display(description=_("in the dashboard"))
    def in_dashboard(self, schedule: Schedule) -> str:
        return format_html(
            '<a href="{}">{}</a>',
            reverse("schedulerui:schedule-edit", args=[schedule.pk]),
            _("Edit it there"),
        )

    @admin.action(description=_("Switch on the selected schedules"), permissions=["operate"])
    def enable(self, request: Request, chosen: QuerySet[Schedule]) -> None:
        n = self._toggle(request, chosen, schedules.enable)
        text = ngettext("%(n)d schedule was switched on.", "%(n)d schedules were switched on.", n)
        self.message_user(request, text % {"n": n})

    @admin.action(description=_("Switch off the selected schedules"), permissions=["operate"])
    def disable(self, request: Request, chosen: QuerySet[Schedule]) -> None:
        n = self._toggle(request, chosen, schedules.disable)
        text = ngettext("%(n)d schedule was switched off.", "%(n)d schedules were switched off.", n)
        self.message_user(request, text % {"n": n})

    @admin.action(description=_("Run the selected schedules now"), permissions=["operate"])
    def run_now(self, request: Request, chosen: QuerySet[Schedule]) -> None:
        actor, now = actor_in_admin(request), DatabaseClock().now()
        for pk in self._allowed(request, chosen):
            queued = runs.run_now(pk, token=uuid.uuid4().hex, actor=actor, now=now)
            name = queued.run.schedule_name
            if queued.sent:
                self.message_user(request, _("%(name)s was sent.") % {"name": name})
                continue
            text = _("%(name)s was not sent at once: %(reason)s") % {"name": name, "reason": queued.reason}
            self.message_user(request, text, messages.WARNING)

    def _toggle(self, request: Request, chosen: QuerySet[Schedule], operation: Callable[..., Toggled]) -> int:
        """Do it for each one and return how many it changed."""
        actor, now = actor_in_admin(request), DatabaseClock().now()
        return sum(operation(pk, actor=actor, now=now).changed for pk in self._allowed(request, chosen))

    def _allowed(self, request: Request, chosen: QuerySet[Schedule]) -> list[int]:
        """Return the keys of those that the person may operate, and say how many of the chosen are none."""
        found = list(chosen)
        allowed = [schedule.pk for schedule in found if may(request.user, "operate", schedule)]
        if len(allowed) < len(found):
            n = len(found) - len(allowed)
            text = ngettext(
                "%(n)d schedule was left as it is: your account may not operate it.",
                "%(n)d schedules were left as they are: your account may not operate them.",
                n,
            )
            self.message_user(request, text % {"n": n}, messages.WARNING)
        return allowed


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Lists runs, the newest first."""

    page = "runs"
    list_display = (
        "schedule_name", "shown_state", "shown_trigger", "due_at", "started_at", "finished_at", "runtime", "worker", "task_id",
    )  # fmt: skip
    list_filter = ("state", "trigger")
    search_fields = ("schedule_name", "task", "=task_id")
    ordering = ("-due_at", "-id")
    exclude = (
        *VALUES, "result", "exception", "traceback", "log", "start_token", "blocked_by", "state", "trigger",
    )  # fmt: skip
    readonly_fields = ("shown_state", "shown_trigger")

    def may_look_at(self, request: Request, obj: Run) -> bool:
        return may(request.user, self.verb, obj.schedule)

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, run: Run) -> str:
        """The word of the dashboard, not the code of the column."""
        return state_word(run.state)

    @admin.display(description=_("trigger"), ordering="trigger")
    def shown_trigger(self, run: Run) -> str:
        return trigger_word(run.trigger)

    def view_on_site(self, obj: Run) -> str:
        return reverse("schedulerui:run", args=[obj.uuid])


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """Lists the audit log, the newest first."""

    page = "audit"
    verb = "view_audit"
    list_display = ("at", "actor", "action", "schedule_name", "changed_fields", "via", "address")
    list_filter = ("action", "via")
    search_fields = ("actor", "schedule_name")
    ordering = ("-at", "-id")
    readonly_fields = ("changed_fields",)
    exclude = ("diff", "snapshot")

    @admin.display(description=_("changed fields"))
    def changed_fields(self, change: Change) -> str:
        return ", ".join(sorted(change.diff))


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Lists worker processes, the one heard of last first."""

    page = "workers"
    is_of_schedules = False
    list_display = ("hostname", "pid", "seen_at", "stopped_at", "died_at", "pool", "pool_size", "active")
    search_fields = ("hostname",)
    ordering = ("-seen_at",)

    def view_on_site(self, obj: Worker) -> str:
        return reverse("schedulerui:worker", args=[obj.instance])


@admin.register(Beat)
class BeatAdmin(ReadOnlyAdmin):
    """Lists beat processes, the one that ticked last first."""

    page = "workers"
    is_of_schedules = False
    list_display = ("host", "pid", "seen_at", "lag", "dispatched", "degraded")
    ordering = ("-seen_at",)
