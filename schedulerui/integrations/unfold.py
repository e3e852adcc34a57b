"""The dashboard in the sidebar of django-unfold; to be called in a settings module, so it loads no model."""

from __future__ import annotations

from typing import TypedDict

from django.urls import reverse_lazy
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

ASKED = "schedulerui.integrations.telling"
"""What says who may see an item and how many schedules fail; by dotted names, since it needs the models."""


class Item(TypedDict, total=False):
    """One line of the sidebar, as unfold reads it."""

    title: str | Promise
    icon: str
    link: str | Promise
    permission: str
    badge: str


class Group(TypedDict):
    """A group of lines, as unfold reads it."""

    title: str | Promise
    separator: bool
    collapsible: bool
    items: list[Item]


def navigation(request: object = None) -> list[Group]:
    """Return the groups for ``UNFOLD["SIDEBAR"]["navigation"]``; who may see which line is asked for each request.

    Given the request, as unfold gives it to a function that is named there, it also says how many schedules fail.
    """
    schedules = _item(_("Schedules"), "schedule", "schedules")
    if request is not None and (failing := import_string(f"{ASKED}.badge")(request)):
        schedules["badge"] = failing
    return [
        Group(
            title=_("Schedules"),
            separator=True,
            collapsible=False,
            items=[
                _item(_("Overview"), "speed", "overview"),
                schedules,
                _item(_("Runs"), "list", "runs"),
                _item(_("Timeline"), "view_timeline", "timeline"),
                _item(_("Workers"), "dns", "workers"),
                _item(_("Alerts"), "warning", "alerts"),
                _item(_("Audit log"), "history", "audit", permission="may_view_audit"),
            ],
        )
    ]


def _item(title: str | Promise, icon: str, page: str, *, permission: str = "may_view") -> Item:
    return Item(
        title=title,
        icon=icon,
        link=reverse_lazy(f"schedulerui:{page}"),
        permission=f"{ASKED}.{permission}",
    )
