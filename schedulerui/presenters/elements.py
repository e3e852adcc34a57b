"""The small elements that every row of a list has many of, written without a template: that takes a tenth of the time."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from functools import lru_cache

from django.templatetags.static import static
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from schedulerui.presenters import moments
from schedulerui.presenters.markup import format_html, format_html_join
from schedulerui.presenters.spark import spark_of
from schedulerui.presenters.states import StateWord

NOTHING = SafeString("—")
BREAK = SafeString("<wbr>")
FITS = 20
"""Characters of a task's name that need no help to fit into a column."""

_PARTS = re.compile(r"[^.]+[.]*|[.]+")


def moment(
    at: datetime,
    *,
    now: datetime,
    zone: tzinfo,
    is_utc_added: bool = False,
    with_seconds: bool = False,
    is_short: bool = False,
) -> SafeString:
    """Return a moment relative to now, and absolute in ``zone`` or the one that the person has chosen, and in UTC if asked for.

    ``is_short``: without the day where the hour or the weekday says enough, for columns of lists.
    """
    shown = moments.zone_shown(zone)
    if is_short:
        absolute = moments.short(at, now, shown)
    else:
        absolute = moments.absolute(at, now, shown, with_seconds=with_seconds)
    if is_utc_added and str(shown) != "UTC":
        absolute = f"{absolute} · {moments.in_utc(at, now, shown, with_seconds=with_seconds)}"
    return format_html(
        '<time class="moment" datetime="{}"><span class="ago">{}</span> <span class="at">{}</span></time>',
        moments.iso(at),
        moments.relative(at, now),
        absolute,
    )


def ago(at: datetime, *, now: datetime, is_below: bool = False) -> SafeString:
    """Return a moment relative to now alone; ``is_below``: as a small line of its own."""
    words, more = moments.relative(at, now), " sub" if is_below else ""
    return format_html('<time class="ago{}" datetime="{}">{}</time>', more, moments.iso(at), words)


def started(at: datetime, *, now: datetime) -> SafeString:
    """Return since when something runs, as a small line of its own; the page's script keeps it ticking."""
    words = _("started %(ago)s") % {"ago": ago(at, now=now)}
    return SafeString(f'<span class="sub">{words}</span>')


def late(seconds: float) -> SafeString:
    """Return by how many seconds something is late, as a small line of its own."""
    words = _("%(time)s late") % {"time": moments.duration(seconds)}
    return format_html('<span class="sub sub--warn">{}</span>', words)


def at(
    at: datetime, *, now: datetime, zone: tzinfo, with_seconds: bool = False, is_own: bool = False
) -> SafeString:
    """Return a moment in ``zone``, or in the one that the person has chosen unless ``is_own``."""
    shown = zone if is_own else moments.zone_shown(zone)
    words = moments.absolute(at, now, shown, with_seconds=with_seconds)
    return format_html('<time class="at" datetime="{}">{}</time>', moments.iso(at), words)


def icon(name: str) -> SafeString:
    """Return a symbol of the sprite; it says nothing to a screen reader."""
    return _icon(name, static("schedulerui/img/icons.svg"))


@lru_cache(maxsize=256)
def _icon(name: str, sprite: str) -> SafeString:
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', sprite, name)


def breakable(text: str) -> SafeString:
    """Return a long dotted name that may break after its dots, rather than anywhere; everything in it is escaped."""
    if len(text) <= FITS:
        return format_html("{}", text)
    return format_html_join(BREAK, "{}", ((part,) for part in _PARTS.findall(text)))


def chip(state: StateWord) -> SafeString:
    """Return a state: icon, word and colour."""
    return format_html('<span class="chip chip--{}">{}{}</span>', state.family, icon(state.icon), state.word)


@lru_cache(maxsize=2048)
def spark(recent: str, *, language: str | None) -> SafeString:
    """Return the drawing of the last runs, whose sentence is in ``language``, the one that is active."""
    drawn = spark_of(recent)
    empty = format_html('<path class="spark--none" d="{}"/>', drawn.empty) if drawn.empty else ""
    paths = format_html_join("", '<path class="spark--{}" d="{}"/>', drawn.paths)
    return format_html(
        '<svg class="spark" role="img" aria-label="{}">{}{}</svg>', drawn.sentence, empty, paths
    )
