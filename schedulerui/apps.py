"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SchedulerUIConfig(AppConfig):
    name = "schedulerui"
    label = "schedulerui"
    verbose_name = _("Schedules")
    default_auto_field = "django.db.models.BigAutoField"
