"""The bundled site's Celery application: ``celery -A schedulerui.site worker``."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "schedulerui.site.settings")

app = Celery("schedulerui")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
