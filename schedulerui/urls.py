"""The addresses of the dashboard, to be mounted by a host with `include`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from schedulerui.web.views import (
    about,
    alerts,
    audit,
    cancel,
    control,
    delete,
    edit,
    health,
    overrun,
    preview,
    rerun,
    restore,
    run,
    runs,
    workers,
)
from schedulerui.web.views.as_code import as_code
from schedulerui.web.views.bulk import runs_bulk, schedules_bulk
from schedulerui.web.views.complete import complete
from schedulerui.web.views.components import components
from schedulerui.web.views.flower import flower
from schedulerui.web.views.hints import hints
from schedulerui.web.views.keys import keys
from schedulerui.web.views.live import live_health
from schedulerui.web.views.overview import live_overview, overview
from schedulerui.web.views.pause import pause
from schedulerui.web.views.resend import run_resend
from schedulerui.web.views.result import run_result
from schedulerui.web.views.run_now import run_now
from schedulerui.web.views.saved import delete_view, save_view
from schedulerui.web.views.schedule import live_schedule, schedule
from schedulerui.web.views.schedules import live_schedules, schedules
from schedulerui.web.views.skip import skip, unskip
from schedulerui.web.views.theme import theme
from schedulerui.web.views.timeline import timeline
from schedulerui.web.views.toggle import disable, enable
from schedulerui.web.views.upcoming import upcoming
from schedulerui.web.views.value import run_value
from schedulerui.web.views.zone import zone

app_name = "schedulerui"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview, name="overview"),
    path("schedules/", schedules, name="schedules"),
    path("schedules/<int:pk>/", schedule, name="schedule"),
    path("schedules/<int:pk>/enable/", enable, name="schedule-enable"),
    path("schedules/<int:pk>/disable/", disable, name="schedule-disable"),
    path("schedules/<int:pk>/pause/", pause, name="schedule-pause"),
    path("schedules/<int:pk>/run/", run_now, name="schedule-run"),
    path("schedules/<int:pk>/skip/", skip, name="schedule-skip"),
    path("schedules/<int:pk>/unskip/", unskip, name="schedule-unskip"),
    path("theme/", theme, name="theme"),
    path("keys/", keys, name="keys"),
    path("zone/", zone, name="zone"),
    path("live/overview/", live_overview, name="live-overview"),
    path("live/schedules/", live_schedules, name="live-schedules"),
    path("live/schedules/<int:pk>/", live_schedule, name="live-schedule"),
    path("live/health/", live_health, name="live-health"),
    path("flower/", flower, name="flower"),
    path("flower/<path:path>", flower, name="flower"),
    path("schedules/new/", edit.new, name="schedule-new"),
    path("schedules/<int:pk>/edit/", edit.edit, name="schedule-edit"),
    path("schedules/<int:pk>/delete/", delete.delete, name="schedule-delete"),
    path("schedules/<int:pk>/changes/", restore.changes, name="schedule-changes"),
    path("schedules/<int:pk>/code/", as_code, name="schedule-code"),
    path("schedules/<int:pk>/upcoming/", upcoming, name="schedule-upcoming"),
    path("schedules/<int:pk>/restore/<int:change_id>/", restore.restore, name="schedule-restore"),
    path("schedules/<int:pk>/overrun/", overrun.overrun, name="schedule-overrun"),
    path("schedules/bulk/", schedules_bulk, name="schedules-bulk"),
    path("complete/", complete, name="complete"),
    path("views/save/", save_view, name="view-save"),
    path("views/<int:pk>/delete/", delete_view, name="view-delete"),
    path("preview/", preview.preview, name="preview"),
    path("preview/hints/", hints, name="preview-hints"),
    path("live/runs/", runs.live_runs, name="live-runs"),
    path("runs/", runs.runs, name="runs"),
    path("runs/bulk/", runs_bulk, name="runs-bulk"),
    path("runs/<uuid:uuid>/", run.run, name="run"),
    path("runs/<uuid:uuid>/result/", run_result, name="run-result"),
    path("runs/<uuid:uuid>/values/<slug:key>/", run_value, name="run-value"),
    path("runs/<uuid:uuid>/cancel/", cancel.cancel, name="run-cancel"),
    path("runs/<uuid:uuid>/again/", rerun.run_again, name="run-again"),
    path("schedules/<int:pk>/run/custom/", rerun.run_custom, name="schedule-run-custom"),
    path("runs/<uuid:uuid>/resend/", run_resend, name="run-resend"),
    path("workers/", workers.workers, name="workers"),
    path("workers/<uuid:instance>/", workers.worker, name="worker"),
    path("workers/<uuid:instance>/details/", control.details, name="worker-details"),
    path("workers/<uuid:instance>/control/", control.control, name="worker-control"),
    path("timeline/", timeline, name="timeline"),
    path("audit/", audit.audit, name="audit"),
    path("about/", about.about, name="about"),
    path("about/components/", components, name="components"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/try/", alerts.try_channels, name="alerts-try"),
    path("alerts/silence/", alerts.silence, name="alerts-silence"),
    path("alerts/silence/<int:pk>/end/", alerts.unsilence, name="alerts-unsilence"),
    path("metrics", health.prometheus, name="metrics"),
    path("readyz", health.readyz, name="readyz"),
    path("health.json", health.health, name="health"),
]
