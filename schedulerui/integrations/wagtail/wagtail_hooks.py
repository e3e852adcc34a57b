"""What Wagtail's admin gets: two menu entries, a panel on its home page, an area of its search, permissions for its groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.search import SearchArea
from wagtail.admin.ui.components import Component

from schedulerui import clock
from schedulerui.access import PERMISSIONS
from schedulerui.conf import settings
from schedulerui.integrations.telling import Asking, glance_for, may_view

PANEL_ORDER = 300
"""Below Wagtail's own panels, which are about the editor's work."""
MENU_ORDER = 850
"""Below what editors work with, above Reports (9000) and Settings (10000)."""


class Entry(MenuItem):
    """A menu entry that leads to the dashboard."""

    def is_shown(self, request: Asking) -> bool:
        return may_view(request)


class Area(SearchArea):
    """Takes what was searched for to the list of schedules."""

    def is_shown(self, request: Asking) -> bool:
        return may_view(request)


class Panel(Component):
    """Tells on the home page what needs attention."""

    order = PANEL_ORDER
    template_name = "schedulerui/hosts/wagtail_panel.html"

    def get_context_data(self, parent_context: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"told": glance_for(parent_context["request"].user), "now": clock.now()}


@hooks.register("register_admin_menu_item")
def menu_entry() -> Entry:
    return Entry(
        _("Schedules"),
        reverse("schedulerui:overview"),
        name="schedulerui",
        icon_name="time",
        order=MENU_ORDER,
    )


@hooks.register("register_reports_menu_item")
def runs_entry() -> Entry:
    return Entry(
        _("Scheduled runs"),
        reverse("schedulerui:runs"),
        name="schedulerui-runs",
        icon_name="history",
        order=MENU_ORDER,
    )


@hooks.register("register_admin_search_area")
def search_area() -> Area:
    return Area(
        _("Schedules"),
        reverse("schedulerui:schedules"),
        name="schedulerui",
        icon_name="time",
        order=MENU_ORDER,
    )


@hooks.register("construct_homepage_panels")
def panel(request: Asking, panels: list[Component]) -> None:
    if may_view(request):
        panels.append(Panel())


@hooks.register("register_permissions")
def permissions() -> QuerySet[Permission]:
    """Return those that the group editor offers; none where a function of the host decides instead of them."""
    if settings().ACCESS:
        return Permission.objects.none()
    codenames = [permission.partition(".")[2] for permission in PERMISSIONS.values()]
    return Permission.objects.filter(content_type__app_label="schedulerui", codename__in=codenames)
