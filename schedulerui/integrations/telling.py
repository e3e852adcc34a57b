"""What the integrations tell on a host's own pages; they ask as little as they can, and never break such a page."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from schedulerui import clock
from schedulerui.access import Visitor, may, visible
from schedulerui.models import ScheduleState
from schedulerui.presenters.glance import Glance, failing_badge, glance_of
from schedulerui.presenters.trouble import AWAY, in_savepoint, trouble_of
from schedulerui.web.shown import shown_to

logger = logging.getLogger(__name__)


class Asking(Protocol):
    """What of a host's request is looked at."""

    @property
    def user(self) -> Visitor:
        """Who asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What there is to tell, or in a sentence why there is nothing."""

    glance: Glance | None = None
    trouble: str = ""


def may_view(request: Asking) -> bool:
    """Return whether the person may look at the dashboard at all."""
    return may(request.user, "view")


def may_view_audit(request: Asking) -> bool:
    """Return whether the person may look at the audit log."""
    return may(request.user, "view") and may(request.user, "view_audit")


def glance_for(user: Visitor) -> Told:
    """Return what ``user`` is told at a glance; a sentence instead where the tables are not there, or the database is not."""
    try:
        return Told(glance=in_savepoint(lambda: glance_of(shown_to(user), now=clock.now())))
    except AWAY as error:
        return Told(trouble=_trouble(error))


def badge_for(user: Visitor) -> str:
    """Return how many enabled schedules that ``user`` may know of fail now; empty for none, and where nobody can tell."""
    try:
        return in_savepoint(lambda: failing_badge(visible(user, ScheduleState.objects.all())))
    except AWAY as error:
        _trouble(error)
        return ""


def badge(request: Asking) -> str:
    """Return what ``badge_for`` says of the person who asks; empty for somebody who may not look."""
    return badge_for(request.user) if may_view(request) else ""


def _trouble(error: Exception) -> str:
    """Log why there is no answer and return it as a sentence.

    Raises the error itself where a statement was wrong and the database is not behind.
    """
    _is_behind, sentence = trouble_of(error)
    logger.error("The schedules cannot be told of: %s", error)
    return sentence
