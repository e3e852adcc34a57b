"""Moments and durations as a person reads them; the script in the page says the same words when it ticks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from schedulerui.recurrence.zones import known_zones

MINUTE, HOUR, DAY = 60, 3600, 86_400
WEEK = 7
"""Days after which a weekday alone no longer names a day."""
MILLISECOND = 0.001

_shown: ContextVar[tzinfo | None] = ContextVar("schedulerui_zone_shown", default=None)
"""The zone that the person who asks has chosen for all moments, like Django's active language."""


def zone_chosen(text: str) -> tzinfo | None:
    """Return the zone of a choice (``utc``, or a zone's name); None for the schedules' own, and for what is no choice."""
    if text == "utc":
        return UTC
    return ZoneInfo(text) if text in known_zones() else None


@contextmanager
def shown_in(zone: tzinfo | None) -> Iterator[None]:
    """Show all moments in this zone until the end of the block; None: each in its own."""
    before = _shown.set(zone)
    try:
        yield
    finally:
        _shown.reset(before)


def zone_shown(own: tzinfo) -> tzinfo:
    """Return the zone in which a moment is shown whose own is ``own``."""
    return _shown.get() or own


def stamp(moment: datetime) -> str:
    """Return "2026-11-21 03:14:00 CET" in the zone that the person has chosen, else in UTC."""
    local = moment.astimezone(zone_shown(UTC))
    return f"{local:%Y-%m-%d %H:%M:%S} {zone_name(local)}"


def relative(moment: datetime, now: datetime) -> str:
    """Return "in 5 minutes", "2 hours ago", "now"."""
    seconds = (moment - now).total_seconds()
    size = int(abs(seconds))
    if size < MINUTE:
        unit = 1
    elif size < HOUR:
        unit = MINUTE
    else:
        unit = HOUR if size < 2 * DAY else DAY
    return _relative(size // unit, unit, is_ahead=seconds > 0, language=get_language())


@lru_cache(maxsize=4096)
def _relative(n: int, unit: int, *, is_ahead: bool, language: str | None) -> str:
    if n == 0:
        return _("now")
    if unit == 1:
        text = ngettext("%(n)d second", "%(n)d seconds", n) % {"n": n}
    elif unit == MINUTE:
        text = ngettext("%(n)d minute", "%(n)d minutes", n) % {"n": n}
    elif unit == HOUR:
        text = ngettext("%(n)d hour", "%(n)d hours", n) % {"n": n}
    else:
        text = ngettext("%(n)d day", "%(n)d days", n) % {"n": n}
    return _("in %(time)s") % {"time": text} if is_ahead else _("%(time)s ago") % {"time": text}


def absolute(moment: datetime, now: datetime, zone: tzinfo, *, with_seconds: bool = False) -> str:
    """Return "Sat 21 Nov, 03:14 CET" in ``zone``; with the year when it is not this one's."""
    local = moment.astimezone(zone)
    with_year = local.year != now.astimezone(zone).year
    day = _day(local.date(), _("D j M Y") if with_year else _("D j M"), language=get_language())
    return f"{day}, {local:{'%H:%M:%S' if with_seconds else '%H:%M'}} {zone_name(local)}"


def in_utc(moment: datetime, now: datetime, zone: tzinfo, *, with_seconds: bool = False) -> str:
    """Return what UTC adds to ``absolute`` in ``zone``: "02:14 UTC", with the day where that is another one."""
    words = absolute(moment, now, UTC, with_seconds=with_seconds)
    is_same_day = moment.astimezone(UTC).date() == moment.astimezone(zone).date()
    return words.rpartition(", ")[2].replace(" ", "\N{NO-BREAK SPACE}") if is_same_day else words


def short(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """Return what a person needs beside "in 5 hours": "03:14 CET" today, "Sat 03:14 CET" within a week, "5 Dec, 03:14 CET" later."""
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    time = f"{local:%H:%M} {zone_name(local)}"
    n_days = abs((local.date() - today).days)
    if not n_days:
        return time
    if n_days < WEEK:
        return f"{_day(local.date(), 'D', language=get_language())} {time}"
    form = _("j M") if local.year == today.year else _("j M Y")
    return f"{_day(local.date(), form, language=get_language())}, {time}"


@lru_cache(maxsize=4096)
def _day(day: date, form: str, *, language: str | None) -> str:
    return date_format(day, form)


def zone_name(local: datetime) -> str:
    """Return the abbreviation of the zone at that moment: CET, UTC, UTC+03."""
    name = local.tzname() or "UTC"
    return f"UTC{name}" if name[:1] in "+-" else name


def zone_of(name: object) -> tzinfo:
    """Return the zone of a name, UTC for one that does not exist: a broken row must not break a page."""
    if isinstance(name, tzinfo):
        return name
    try:
        return ZoneInfo(str(name)) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def iso(moment: datetime) -> str:
    """Return the moment as a ``time`` element's attribute, UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def duration(seconds: float | None) -> str:
    """Return "12 ms", "1.2 s", "3 min 4 s"; "—" for what is not known, never a rounded zero."""
    if seconds is None or not math.isfinite(seconds):
        return "—"
    if seconds < MILLISECOND:
        return _("< 1 ms")
    if seconds < 1:
        return _("%(n)d ms") % {"n": int(seconds * 1000)}
    if seconds < MINUTE:
        return _("%(n)s s") % {"n": number_format(f"{seconds:.1f}")}
    return _long(int(seconds))


def span(seconds: int) -> str:
    """Return whole seconds that somebody has set: "30 s", "3 min 4 s"."""
    return _("%(n)d s") % {"n": seconds} if seconds < MINUTE else _long(seconds)


def _long(seconds: int) -> str:
    """Return the two largest units, or one where the other would be zero."""
    minutes, hours, days = seconds // MINUTE, seconds // HOUR, seconds // DAY
    if days:
        large, small = _("%(n)d d") % {"n": days}, (_("%(n)d h"), seconds % DAY // HOUR)
    elif hours:
        large, small = _("%(n)d h") % {"n": hours}, (_("%(n)d min"), seconds % HOUR // MINUTE)
    else:
        large, small = _("%(n)d min") % {"n": minutes}, (_("%(n)d s"), seconds % MINUTE)
    text, n = small
    return f"{large} {text % {'n': n}}" if n else large
