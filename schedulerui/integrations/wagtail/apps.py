"""The Django app whose ``wagtail_hooks`` Wagtail finds."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WagtailIntegrationConfig(AppConfig):
    name = "schedulerui.integrations.wagtail"
    label = "schedulerui_wagtail"
    verbose_name = _("Schedules in Wagtail")
