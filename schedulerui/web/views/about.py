"""Versions, and whether the settings make sense."""

from __future__ import annotations

import platform
from importlib import metadata

from django.core.checks import run_checks
from django.db import connection, router
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from schedulerui import dispatch
from schedulerui.conf import settings
from schedulerui.models import Schedule
from schedulerui.moving import rows
from schedulerui.operations.zone_data import zone_data_version
from schedulerui.presenters.frame import KEYS_COOKIE
from schedulerui.presenters.keys import KEYS
from schedulerui.web.decorators import gate, htmx_of
from schedulerui.web.responses import back_of_page

PACKAGES = (
    "schedulerui",
    "Django",
    "celery",
    "kombu",
    "django-htmx",
    "django-filter",
    "croniter",
    "flower",
    "tzdata",
)


@gate("view", methods=("GET", "HEAD"))
def about(request: HttpRequest) -> HttpResponse:
    """Answer the page; to htmx the table of keys. Shows no setting that could hold a secret."""
    keys = {
        "keys": KEYS,
        "has_keys": request.COOKIES.get(KEYS_COOKIE) != "off",
        "back": back_of_page(request),
    }
    if htmx_of(request):
        return render(request, "schedulerui/components/_keys_dialog.html", keys)
    context = {
        **keys,
        "versions": [("Python", platform.python_version()), *((name, version_of(name)) for name in PACKAGES)],
        "zone_data": zone_data_version(),
        "database": connection.vendor,
        "celery_app": settings().CELERY_APP,
        "problem": celery_problem(),
        "checks": [
            check
            for check in run_checks(tags=["schedulerui"], databases=[router.db_for_read(Schedule)])
            if not check.is_silenced()
        ],
        "has_flower": bool(settings().FLOWER_URL),
        "keep_days": settings().KEEP_RUNS_FOR_DAYS,
        "poll_every": settings().POLL_EVERY,
        "old_rows": rows.look(),
    }
    return render(request, "schedulerui/pages/about.html", context)


def version_of(package: str) -> str:
    """Return the installed version of a package, or that there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return _("not installed as a package")


def celery_problem() -> str:
    """Return why the Celery application cannot be found, in a sentence; empty when it can."""
    try:
        dispatch.app()
    except dispatch.NoCeleryApp as error:
        return str(error)
    return ""
