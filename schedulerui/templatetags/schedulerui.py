"""What our templates say with one tag: a moment, a state, an icon, the last runs, and the frame around every page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django import template
from django.contrib.messages.storage.base import Message
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from schedulerui import clock
from schedulerui.access import rights_of
from schedulerui.presenters import StateWord, moments, state_of
from schedulerui.presenters import spark as sparks
from schedulerui.presenters.frame import KEYS_COOKIE, THEME_COOKIE, UNDO_TAG, Frame, frame_of

register = template.Library()


_PARTS = re.compile(r"[^.]+[.]*|[.]+")
_BREAK = SafeString("<wbr>")
_FITS = 30
"""Characters of a task's name that need no help to fit into a column."""


@register.simple_tag(takes_context=True)
def frame(context: template.RequestContext) -> Frame:
    """Return what stands around every page: navigation, beat card, theme, rights. One query."""
    request = context.request
    return frame_of(
        path=request.path,
        user_name=request.user.get_username(),
        theme=request.COOKIES.get(THEME_COOKIE, ""),
        keys=request.COOKIES.get(KEYS_COOKIE, ""),
        rights=rights_of(request.user),
        now=_now(context),
    )


@register.inclusion_tag("schedulerui/components/_moment.html", takes_context=True)
def moment(
    context: template.Context,
    at: datetime | None,
    tz: object = None,
    *,
    now: datetime | None = None,
    utc: bool = False,
    seconds: bool = False,
) -> dict[str, Any]:
    """Show a moment: relative, and absolute in ``tz``; ``utc`` adds it in UTC, ``seconds`` shows them."""
    if at is None:
        return {"at": None}
    now, zone = now or _now(context), moments.zone_of(tz)
    return {
        "at": at,
        "iso": moments.iso(at),
        "relative": moments.relative(at, now),
        "absolute": moments.absolute(at, now, zone, with_seconds=seconds),
        "utc": moments.absolute(at, now, UTC, with_seconds=seconds) if utc and str(zone) != "UTC" else "",
    }


@register.inclusion_tag("schedulerui/components/_ago.html", takes_context=True)
def ago(context: template.Context, at: datetime | None, now: datetime | None = None) -> dict[str, Any]:
    """Show a moment relative to now alone; the page's script keeps it ticking."""
    if at is None:
        return {"at": None}
    return {"at": at, "iso": moments.iso(at), "relative": moments.relative(at, now or _now(context))}


@register.inclusion_tag("schedulerui/components/_at.html", takes_context=True)
def at(
    context: template.Context, at: datetime | None, tz: object = None, *, seconds: bool = False
) -> dict[str, Any]:
    """Show a moment in ``tz`` alone."""
    if at is None:
        return {"at": None}
    words = moments.absolute(at, _now(context), moments.zone_of(tz), with_seconds=seconds)
    return {"at": at, "iso": moments.iso(at), "absolute": words}


@register.inclusion_tag("schedulerui/components/_chip.html")
def chip(state: StateWord | str) -> dict[str, Any]:
    """Show a state: icon, word and colour."""
    return {"state": state_of(state) if isinstance(state, str) else state}


@register.inclusion_tag("schedulerui/components/_icon.html")
def icon(name: str) -> dict[str, Any]:
    """Show a symbol of the sprite; it says nothing to a screen reader."""
    return {"name": name}


@register.inclusion_tag("schedulerui/components/_spark.html")
def spark(recent: str) -> dict[str, Any]:
    """Draw the last runs from ``ScheduleState.recent``."""
    return {"spark": sparks.spark_of(recent)}


@register.filter
def duration(seconds: float | None) -> str:
    """Show seconds as "12 ms", "1.2 s", "3 min 4 s"."""
    return moments.duration(seconds)


@register.filter
def breakable(text: str) -> SafeString:
    """Let a long dotted name break after its dots, rather than anywhere; everything in it is escaped."""
    parts = _PARTS.findall(text) if len(text) > _FITS else [text]
    return format_html_join(_BREAK, "{}", ((part,) for part in parts))


@register.filter
def undo_of(message: Message) -> str:
    """Return the address that takes back what a message tells of; empty where there is none."""
    tags = message.extra_tags or ""
    return tags.removeprefix(UNDO_TAG) if tags.startswith(UNDO_TAG) else ""


def _now(context: template.Context) -> datetime:
    now = context.get("now")
    return now if isinstance(now, datetime) else clock.now()
