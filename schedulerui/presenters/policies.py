"""A schedule's policies in force, one sentence each, and its pause in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.facts import Delivery, Misfire, Overlap
from schedulerui.models import Schedule
from schedulerui.presenters.moments import WEEK, span, zone_of, zone_shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One policy in force."""

    about: str
    text: str


def policies_of(schedule: Schedule) -> list[Sentence]:
    """Return a sentence for each policy that decides something for this schedule; never raises for a broken row."""
    found = (
        (_("After an outage"), _misfire(schedule)),
        (_("While one runs"), _overlap(schedule)),
        (_("After a failure"), _retry(schedule)),
        (_("Failing again"), _auto_pause(schedule)),
        (_("In doubt"), _delivery(schedule)),
        (_("Alerts"), _alerts(schedule)),
    )
    return [Sentence(about=about, text=text) for about, text in found if text]


def pause_of(schedule: Schedule, *, now: datetime) -> str:
    """Return "Paused until Mon 08:00 by Ana: supplier maintenance" in the schedule's zone; empty when it is not paused."""
    if schedule.enabled or schedule.paused_at is None:
        return ""
    until = _until(schedule, now=now)
    words = _("Paused until %(when)s") % {"when": until} if until else _("Paused")
    if schedule.paused_by:
        words = _("%(paused)s by %(who)s") % {"paused": words, "who": schedule.paused_by}
    return f"{words}: {schedule.pause_reason}" if schedule.pause_reason else words


def _until(schedule: Schedule, *, now: datetime) -> str:
    if schedule.resume_at is None:
        return ""
    zone = zone_shown(zone_of(schedule.tz))
    local, today = schedule.resume_at.astimezone(zone), now.astimezone(zone)
    days = (local.date() - today.date()).days
    if days == 0:
        return f"{local:%H:%M}"
    weekday = date_format(local, "D")
    return f"{weekday} {local:%H:%M}" if 0 < days < WEEK else f"{local:%Y-%m-%d %H:%M}"


def _misfire(schedule: Schedule) -> str:
    late = span(schedule.grace)
    sentences = {
        Misfire.LATEST: _("Times missed by more than %(late)s: only the newest runs, once.") % {"late": late},
        Misfire.ALL: _("Times missed by more than %(late)s all run, oldest first, at most %(most)d.")
        % {"late": late, "most": schedule.catchup_max},
        Misfire.NONE: _("Times missed by more than %(late)s do not run.") % {"late": late},
    }
    words = {str(misfire): text for misfire, text in sentences.items()}.get(schedule.misfire, "")
    if words and schedule.catchup_window is not None and schedule.misfire != Misfire.NONE:
        words += " " + _("None that is older than %(age)s.") % {"age": span(schedule.catchup_window)}
    return words


def _overlap(schedule: Schedule) -> str:
    if schedule.overlap == Overlap.QUEUE:
        return ngettext(
            "If a run is still active, the next one waits for its end; one waits at most, further times are skipped.",
            "If a run is still active, the next one waits for its end; %(n)d wait at most, further times are skipped.",
            schedule.queue_max,
        ) % {"n": schedule.queue_max}
    if schedule.overlap == Overlap.CANCEL_PREVIOUS:
        return _(
            "If a run is still active, it is cancelled, and the new one starts when it is gone; it has %(grace)s to end."
        ) % {"grace": span(schedule.cancel_grace)}
    if schedule.overlap == Overlap.SKIP:
        return _("If a run is still active, that time is skipped.")
    return _("If a run is still active, another one starts beside it.")


def _retry(schedule: Schedule) -> str:
    if not schedule.retry_max:
        return ""
    return ngettext(
        "A failed run is run once more after %(wait)s.",
        "A failed run is run up to %(n)d times more, the first time after %(wait)s, each further wait twice as long.",
        schedule.retry_max,
    ) % {"n": schedule.retry_max, "wait": span(schedule.retry_after)}


def _auto_pause(schedule: Schedule) -> str:
    if not schedule.auto_pause_after:
        return ""
    return ngettext(
        "After one failure it pauses itself until somebody resumes it.",
        "After %(n)d failures in a row it pauses itself until somebody resumes it.",
        schedule.auto_pause_after,
    ) % {"n": schedule.auto_pause_after}


def _delivery(schedule: Schedule) -> str:
    if schedule.delivery == Delivery.AT_MOST_ONCE:
        words = _("If nobody knows whether the broker has a message, it is not sent again.")
        if schedule.overlap == Overlap.ALLOW:
            return words
        held = _("Workers are told not to begin it, and the next run is held back for %(grace)s.")
        return f"{words} {held % {'grace': span(schedule.cancel_grace)}}"
    return _("If nobody knows whether the broker has a message, it is sent again under the same id.")


def _alerts(schedule: Schedule) -> str:
    parts = []
    if schedule.max_duration:
        parts.append(_("A run longer than %(time)s is an alert.") % {"time": span(schedule.max_duration)})
    if schedule.alert_grace is not None:
        parts.append(
            _("A run that has not begun %(time)s after its time is an alert.")
            % {"time": span(schedule.alert_grace)}
        )
    return " ".join(parts)
