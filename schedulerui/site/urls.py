"""The addresses of the bundled site: login, health, admin, and the dashboard at the root."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from schedulerui.web.health import healthz

handler404 = "schedulerui.web.missing.missing"
handler500 = "schedulerui.web.failed.failed"
urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path(
        "login/",
        LoginView.as_view(template_name="schedulerui/site/login.html", redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("", include("schedulerui.urls")),
]
