"""The beat card: is anything ticking, and since when not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from schedulerui.conf import settings
from schedulerui.models import Beat
from schedulerui.operations.beats import is_fresh
from schedulerui.presenters.values import digest, printable

STEP_TOLD = 60.0
"""Seconds by which a clock that was set back is told of."""
CLOCK_TOLD = 1.0
"""Seconds by which a beat's clock may differ from the database's without a word."""
HOSTS_NAMED = 3
"""Machines that the card names; of more it says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatCard:
    """What the foot of the rail says of the beats."""

    family: str
    """ok, warn or fail."""
    title: str
    sentence: str
    seen_at: datetime | None
    """The last tick of any of them; None when there has never been one."""
    n_ticking: int
    clock: str = ""
    """How far a ticking beat's clock is from the database's, in a sentence."""

    @property
    def digest(self) -> str:
        """What changes when the card has to be drawn anew; a tick alone does not."""
        return digest(self.family, self.title, self.sentence, self.clock, self.seen_at is None)


def beat_card(*, now: datetime) -> BeatCard:
    """Return the card as of ``now``; one query."""
    return card_of(list(Beat.objects.order_by("-seen_at")[:50]), now=now)


def card_of(beats: Sequence[Beat], *, now: datetime) -> BeatCard:
    """Return the card of these beats, newest tick first."""
    if not beats:
        return BeatCard(
            family="fail",
            title=_("No beat is running"),
            sentence=_("Nothing is sent until one starts: celery beat -S schedulerui."),
            seen_at=None,
            n_ticking=0,
        )
    ticking = [beat for beat in beats if is_fresh(beat.seen_at, now=now)]
    if not ticking:
        return BeatCard(
            family="fail",
            title=_("Beat is not ticking"),
            sentence=_("Nothing is sent until it does. Look at its process and its log."),
            seen_at=beats[0].seen_at,
            n_ticking=0,
        )
    return _ticking(ticking, now=now)


def _ticking(ticking: Sequence[Beat], *, now: datetime) -> BeatCard:
    title = ngettext("%(n)d beat ticking", "%(n)d beats ticking", len(ticking)) % {"n": len(ticking)}
    late_after = timedelta(seconds=min(2.5 * settings().HEARTBEAT_EVERY, settings().BEAT_STALE_AFTER))
    reasons = [beat.degraded for beat in ticking if beat.degraded]
    family, sentence = "ok", _("On %(hosts)s.") % {"hosts": _hosts(ticking)}
    if reasons:
        family, sentence = "warn", reasons[0]
    elif (behind := _behind(ticking)) > STEP_TOLD:
        family, sentence = (
            "warn",
            _(
                "The clock stands %(minutes)d min behind what it was: intervals go on, other schedules wait until it has caught up."
            )
            % {"minutes": round(behind / 60)},
        )
    elif now - ticking[0].seen_at > late_after:
        family, sentence = "warn", _("It has missed its last ticks.")
    return BeatCard(
        family=family,
        title=title,
        sentence=sentence,
        seen_at=ticking[0].seen_at,
        n_ticking=len(ticking),
        clock=_clock(ticking),
    )


def _behind(ticking: Sequence[Beat]) -> float:
    """Return by how many seconds the newest heartbeat's clock is behind the furthest moment that its beat has seen."""
    newest = ticking[0]
    return (newest.clock_seen_at - newest.seen_at).total_seconds() if newest.clock_seen_at else 0.0


def _clock(ticking: Sequence[Beat]) -> str:
    """Return the sentence about the clock that is farthest from the database's."""
    offset = max((beat.clock_offset for beat in ticking), key=abs)
    if abs(offset) < CLOCK_TOLD:
        return _("Clocks in step with the database.")
    words = _("A clock is %(seconds)d s behind the database's.")
    if offset < 0:
        words = _("A clock is %(seconds)d s ahead of the database's.")
    return words % {"seconds": round(abs(offset))}


def _hosts(ticking: Sequence[Beat]) -> str:
    """Return the machines in order of their names, a few of them by name."""
    hosts = sorted({printable(beat.host) for beat in ticking})
    more = len(hosts) - HOSTS_NAMED
    named = ", ".join(hosts[:HOSTS_NAMED])
    return _("%(hosts)s and %(n)d more") % {"hosts": named, "n": more} if more > 0 else named
