"""What our templates say with one tag: a moment, a state, an icon, the last runs, and the frame around every page."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from django import template
from django.contrib.messages.storage.base import Message
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from schedulerui import clock
from schedulerui.access import Visitor, is_limited, may, rights_of, visible
from schedulerui.models import Alert, ScheduleState
from schedulerui.presenters import StateWord, elements, moments, state_of
from schedulerui.presenters.frame import UNDO_TAG, Frame, frame_of
from schedulerui.presenters.lines import RunLines, ScheduleLines
from schedulerui.presenters.rail import Known
from schedulerui.presenters.runs import RunRow
from schedulerui.presenters.schedules import ScheduleRow
from schedulerui.presenters.standing import Standing, standing_of, unknown
from schedulerui.presenters.trouble import in_savepoint

logger = logging.getLogger(__name__)
register = template.Library()


@register.simple_tag(takes_context=True)
def frame(context: template.RequestContext) -> Frame:
    """Return what stands around every page: navigation, beat card, theme, rights. One query."""
    request = context.request
    return frame_of(
        path=request.path,
        user_name=request.user.get_username(),
        cookies=request.COOKIES,
        rights=rights_of(request.user),
        known=Known.by(partial(visible, request.user), is_all=not is_limited()),
        now=_now(context),
    )


@register.simple_tag(takes_context=True)
def moment(
    context: template.Context,
    at: datetime | None,
    tz: object = None,
    *,
    now: datetime | None = None,
    utc: bool = False,
    seconds: bool = False,
) -> str:
    """Show a moment: relative, and absolute in ``tz`` or where the person wants it.

    ``utc`` adds UTC, ``seconds`` shows them.
    """
    if at is None:
        return elements.NOTHING
    return elements.moment(
        at,
        now=now or _now(context),
        zone=moments.zone_of(tz),
        is_utc_added=utc,
        with_seconds=seconds,
    )


@register.simple_tag(takes_context=True)
def ago(context: template.Context, at: datetime | None, now: datetime | None = None) -> str:
    """Show a moment relative to now alone; the page's script keeps it ticking."""
    return elements.NOTHING if at is None else elements.ago(at, now=now or _now(context))


@register.simple_tag(takes_context=True)
def started(context: template.Context, at: datetime) -> str:
    """Show since when something runs, as a small line of its own; the page's script keeps it ticking."""
    return elements.started(at, now=_now(context))


@register.simple_tag
def late(seconds: float) -> str:
    """Show by how many seconds something is late, as a small line of its own."""
    return elements.late(seconds)


@register.simple_tag(takes_context=True)
def at(
    context: template.Context,
    at: datetime | None,
    tz: object = None,
    *,
    seconds: bool = False,
    own: bool = False,
) -> str:
    """Show a moment in ``tz`` or where the person wants it; ``own``: in ``tz`` whatever was chosen, as next to a rule."""
    if at is None:
        return elements.NOTHING
    return elements.at(at, now=_now(context), zone=moments.zone_of(tz), with_seconds=seconds, is_own=own)


@register.simple_tag(takes_context=True)
def elsewhere(context: template.Context, at: datetime, tz: object, *, seconds: bool = False) -> str:
    """Show a moment that stands there in ``tz`` once more where the person wants it, or in UTC; nothing if that is the same."""
    zone = moments.zone_shown(UTC)
    if str(zone) == str(moments.zone_of(tz)):
        return ""
    return format_html(" · {}", elements.at(at, now=_now(context), zone=zone, with_seconds=seconds))


@register.simple_tag
def chip(state: StateWord | str) -> str:
    """Show a state: icon, word and colour."""
    return elements.chip(state_of(state) if isinstance(state, str) else state)


@register.simple_tag
def icon(name: str) -> str:
    """Show a symbol of the sprite; it says nothing to a screen reader."""
    return elements.icon(name)


@register.simple_tag
def spark(recent: str) -> str:
    """Draw the last runs from ``ScheduleState.recent``."""
    return elements.spark(recent, language=get_language())


@register.simple_tag(takes_context=True)
def schedule_lines(context: template.Context, rows: Iterable[ScheduleRow]) -> str:
    """Write the lines of the list of schedules."""
    return _schedules(context).all(rows)


@register.simple_tag(takes_context=True)
def schedule_line(context: template.Context, row: ScheduleRow) -> str:
    """Write one line of the list of schedules; in the place of the one that the page has where ``oob`` says so."""
    return _schedules(context).line(row, oob=bool(context.get("oob")))


@register.simple_tag(takes_context=True)
def switch(context: template.Context, row: ScheduleRow) -> str:
    """Write the switch of a schedule for its own page."""
    return _schedules(context).switch(row, is_on_page=True)


@register.simple_tag(takes_context=True)
def run_button(context: template.Context, row: ScheduleRow) -> str:
    """Write for a schedule's own page what opens the dialog that runs it once."""
    return _schedules(context).run_button(pk=row.pk, name=row.name, is_on_page=True)


@register.simple_tag(takes_context=True)
def run_lines(context: template.Context, rows: Iterable[RunRow]) -> str:
    """Write the lines of a list of runs; with boxes to tick where ``picks`` says so."""
    return _runs(context).all(rows)


@register.simple_tag(takes_context=True)
def run_line(context: template.Context, row: RunRow) -> str:
    """Write one line of a list of runs; in the place of the one that the page has where ``oob`` says so."""
    return _runs(context).line(row, oob=bool(context.get("oob")))


@register.inclusion_tag("schedulerui/hosts/status.html", takes_context=True)
def schedulerui_status(context: template.Context) -> dict[str, object]:
    """Say on a page of the host, in one line, how the schedules stand; nothing to people who may not look.

    Three queries beside those for the permission. Never raises: what goes wrong is in the log, and where the person may look
    the line says that nobody knows, and why.
    """
    user = getattr(context.get("request"), "user", None)
    now = clock.now()  # a "now" of the context would be the host's own
    return {"standing": None if user is None else _standing_for(user, now=now), "now": now}


@register.filter
def duration(seconds: float | None) -> str:
    """Show seconds as "12 ms", "1.2 s", "3 min 4 s"."""
    return moments.duration(seconds)


@register.filter
def breakable(text: str) -> SafeString:
    """Let a long dotted name break after its dots, rather than anywhere; everything in it is escaped."""
    return elements.breakable(text)


@register.filter
def undo_of(message: Message) -> str:
    """Return the address that takes back what a message tells of; empty where there is none."""
    tags = message.extra_tags or ""
    return tags.removeprefix(UNDO_TAG) if tags.startswith(UNDO_TAG) else ""


def _standing_for(user: Visitor, *, now: datetime) -> Standing | None:
    is_allowed = False

    def ask() -> Standing | None:
        nonlocal is_allowed
        is_allowed = may(user, "view")
        states, alerts = ScheduleState.objects.all(), Alert.objects.all()
        return standing_of(visible(user, states), visible(user, alerts), now=now) if is_allowed else None

    try:
        return in_savepoint(ask)
    except Exception as error:  # of a line on somebody else's page: whatever it is, that page stands
        if is_allowed:
            return unknown(error)
        logger.exception("Whether somebody may look at the schedules cannot be told")
        return None


def _schedules(context: template.Context) -> ScheduleLines:
    return ScheduleLines(rights=context["rights"], now=_now(context))


def _runs(context: template.Context) -> RunLines:
    return RunLines(now=_now(context), picks=bool(context.get("picks")))


def _now(context: template.Context) -> datetime:
    now = context.get("now")
    return now if isinstance(now, datetime) else clock.now()
