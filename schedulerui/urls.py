"""The addresses of the dashboard, to be mounted by a host with `include`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

app_name = "schedulerui"
urlpatterns: list[URLPattern | URLResolver] = []
