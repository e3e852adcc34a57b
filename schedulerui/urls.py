"""The addresses of the dashboard, to be mounted by a host with `include`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from schedulerui.web.views.live import live_health
from schedulerui.web.views.theme import theme

app_name = "schedulerui"
urlpatterns: list[URLPattern | URLResolver] = [
    path("theme/", theme, name="theme"),
    path("live/health/", live_health, name="live-health"),
]
