"""The frame around every page: where one can go, who one is, how the page looks, whether beat ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from schedulerui.conf import settings
from schedulerui.presenters.moments import zone_chosen
from schedulerui.presenters.rail import TAGGED, Known, Rail, Tag, rail_of

THEME_COOKIE = "schedulerui_theme"
THEMES = ("auto", "light", "dark")
KEYS_COOKIE = "schedulerui_keys"
ZONE_COOKIE = "schedulerui_zone"
UNDO_TAG = "schedulerui-undo:"
"""What stands in a message's tags before the address that takes the deed back."""


class Allowed(Protocol):
    """The part of ``access.Rights`` that decides what the navigation shows."""

    @property
    def add(self) -> bool:
        """May create schedules."""

    @property
    def view_audit(self) -> bool:
        """May see who changed what."""

    @property
    def view_values(self) -> bool:
        """May see arguments and results, and therefore Flower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """One entry of the rail."""

    label: str | Promise
    url: str
    icon: str
    is_current: bool
    key: str = ""
    """The key that goes there after g."""
    name: str = ""
    """Of those that can have a tag."""
    tag: Tag | None = None
    """How many need somebody there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """All that the layout shows beside the page itself."""

    nav: tuple[NavItem, ...]
    rail: Rail
    rights: Allowed
    theme: str
    zone: str
    """Where all moments are shown: ``schedule``, ``utc``, or the name of the browser's zone."""
    has_keys: bool
    """Whether single keys do something; a person can switch them off."""
    user_name: str
    logout_url: str
    host_url: str
    """Where the host's own admin is; empty when the dashboard is all there is."""
    poll_every: int
    """Seconds between two polls."""

    @property
    def htmx(self) -> int:
        """The major version of htmx that the page loads."""
        return settings().HTMX

    @property
    def has_quick_run(self) -> bool:
        """Whether Shift and a click on "Run now" skip the dialog."""
        return settings().QUICK_RUN

    @property
    def browser_zone(self) -> str:
        """The name of the browser's zone where that was chosen."""
        return "" if self.zone in {"schedule", "utc"} else self.zone


def frame_of(
    *, path: str, user_name: str, cookies: Mapping[str, str], rights: Allowed, known: Known, now: datetime
) -> Frame:
    """Return the frame of the page at ``path``; one query. ``cookies`` hold what the person has chosen: colours, keys, zone."""
    theme, zone = cookies.get(THEME_COOKIE, ""), cookies.get(ZONE_COOKIE, "")
    rail = rail_of(known, now=now)
    return Frame(
        nav=_nav(path, rights, rail.tags),
        rail=rail,
        rights=rights,
        theme=theme if theme in THEMES else "auto",
        zone=zone if zone_chosen(zone) else "schedule",
        has_keys=cookies.get(KEYS_COOKIE) != "off",
        user_name=user_name,
        logout_url=_named("logout"),
        host_url=host_url(),
        poll_every=settings().POLL_EVERY,
    )


def _nav(path: str, rights: Allowed, tags: Mapping[str, Tag]) -> tuple[NavItem, ...]:
    entries = [
        ("overview", _("Overview"), "gauge", "o"),
        ("schedules", _("Schedules"), "clock", "s"),
        ("runs", _("Runs"), "list", "r"),
        ("timeline", _("Timeline"), "lanes", "t"),
        ("workers", _("Workers"), "server", "w"),
        ("alerts", _("Alerts"), "triangle", "l"),
    ]
    if rights.view_audit:
        entries.append(("audit", _("Audit log"), "book", "a"))
    if settings().FLOWER_URL and rights.view_values:
        entries.append(("flower", _("Flower"), "flower", ""))
    home = reverse("schedulerui:overview")
    return tuple(
        NavItem(
            label=label,
            url=url,
            icon=icon,
            is_current=path == url if url == home else path.startswith(url),
            key=key,
            name=name if name in TAGGED else "",
            tag=tags.get(name),
        )
        for name, label, icon, key in entries
        for url in [reverse(f"schedulerui:{name}")]
    )


def host_url() -> str:
    """Return the address that ``HOST_URL`` means; empty when there is none of that name, as a check says."""
    option = settings().HOST_URL
    return option if "/" in option else _named(option)


def _named(name: str) -> str:
    """Return the host's address of that name; empty when it has none."""
    try:
        return reverse(name) if name else ""
    except NoReverseMatch:
        return ""
