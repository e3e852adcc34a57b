"""The dashboard in django CMS's toolbar: add ``schedulerui.integrations.djangocms`` to INSTALLED_APPS."""

from __future__ import annotations
