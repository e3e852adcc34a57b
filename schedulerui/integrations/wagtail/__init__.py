"""The dashboard in Wagtail's admin: add ``schedulerui.integrations.wagtail`` to INSTALLED_APPS."""

from __future__ import annotations
