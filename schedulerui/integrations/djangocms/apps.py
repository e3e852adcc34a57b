"""The Django app whose ``cms_toolbars`` django CMS finds."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DjangoCMSIntegrationConfig(AppConfig):
    name = "schedulerui.integrations.djangocms"
    label = "schedulerui_djangocms"
    verbose_name = _("Schedules in django CMS")
