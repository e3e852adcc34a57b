"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SchedulerUIConfig(AppConfig):
    name = "schedulerui"
    label = "schedulerui"
    verbose_name = _("Schedules")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let any worker that loads this app record what it runs, and Django check its setup; nothing is started."""
        # Here and not above: both import the models, which exist only now.
        from schedulerui import checks  # noqa: PLC0415 - models are not there before
        from schedulerui.recorder import wiring  # noqa: PLC0415 - models are not there before

        wiring.connect()
        checks.register()
