"""What django CMS's toolbar gets: a menu below the administration's, and a button as long as a schedule fails."""

from __future__ import annotations

from cms.cms_toolbars import ADMIN_MENU_IDENTIFIER, ADMINISTRATION_BREAK
from cms.toolbar.items import Break
from cms.toolbar_base import CMSToolbar
from cms.toolbar_pool import toolbar_pool
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.integrations.telling import badge_for, may_view

MENU = "schedulerui"
FAILING = "?state=failing&on=on"


@toolbar_pool.register
class SchedulesToolbar(CMSToolbar):
    """Opens the dashboard's pages beside the page that is edited, for staff who may look at it."""

    def populate(self) -> None:
        if not may_view(self.request):
            return
        badge = badge_for(self.request.user)
        self._add_menu(badge)
        if badge:
            self.toolbar.add_sideframe_button(
                _("Schedules: %(words)s") % {"words": _failing(badge)},
                reverse("schedulerui:schedules") + FAILING,
                side=self.toolbar.RIGHT,
            )

    def _add_menu(self, badge: str) -> None:
        admin = self.toolbar.get_or_create_menu(ADMIN_MENU_IDENTIFIER, self.current_site.name)
        name = _("Schedules")
        menu = admin.get_or_create_menu(
            MENU,
            f"{name} ({_failing(badge)})" if badge else name,
            position=admin.find_first(Break, identifier=ADMINISTRATION_BREAK),
        )
        for label, page in (
            (_("Overview"), "overview"),
            (_("Schedules"), "schedules"),
            (_("Runs"), "runs"),
            (_("Workers"), "workers"),
            (_("Alerts"), "alerts"),
        ):
            menu.add_sideframe_item(label, reverse(f"schedulerui:{page}"))


def _failing(badge: str) -> str:
    n = int(badge.rstrip("+"))
    return ngettext("%(n)s failing", "%(n)s failing", n) % {"n": badge}
