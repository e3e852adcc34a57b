"""Where the message of a sent run is, in a sentence, and whether to offer to send it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from schedulerui.models import Run
from schedulerui.operations.part_messages import Message
from schedulerui.operations.part_messages import is_first as is_first_part
from schedulerui.operations.pickup import Pickup, Whereabouts, is_overdue
from schedulerui.operations.resend import may_be_resent

SENTENCES: dict[Whereabouts, Any] = {
    Whereabouts.NO_CONSUMER: gettext_lazy("No worker consumes queue %(queue)s."),
    Whereabouts.HANDED_OVER: gettext_lazy(
        "A worker that took it from queue %(queue)s died; the broker will hand it over again."
    ),
    Whereabouts.GONE: gettext_lazy(
        "The broker has lost it: it is not in queue %(queue)s, and the worker that reads this queue never received it."
    ),
    Whereabouts.UNHEARD: gettext_lazy(
        "It is no longer in queue %(queue)s, and no worker has told of it: a worker without this app has it, or it is lost."
    ),
    Whereabouts.UNKNOWN: gettext_lazy("How many messages wait in queue %(queue)s is not known."),
}
OFFERED = frozenset({Whereabouts.GONE, Whereabouts.UNHEARD, Whereabouts.UNKNOWN})
"""Where another message would most likely be the only one."""


LATER_PART = gettext_lazy(
    "Only the first tasks of a canvas can be sent again: a later one is given what the one before it returned. Cancel this run, "
    "and run its schedule now; where runs must not overlap, tick that it need not wait."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickupRow:
    """What the page of a sent run says of its message."""

    key: str
    sentence: str
    measured_at: datetime | None
    is_bad: bool
    offers_resend: bool
    advice: str = ""
    """What to do instead, where sending it again is no way."""


def pickup_row(run: Run, found: Pickup, *, now: datetime) -> PickupRow:
    """Return the row of an answer."""
    is_late = is_overdue(run, now)
    return PickupRow(
        key=str(found.where),
        sentence=_sentence(found),
        measured_at=found.measured_at,
        is_bad=is_late and found.where in {Whereabouts.GONE, Whereabouts.NO_CONSUMER},
        offers_resend=is_late and found.where in OFFERED and may_be_resent(run),
    )


def part_row(run: Run, message: Message, found: Pickup, *, now: datetime) -> PickupRow:
    """Return the row of the answer about a part of a canvas."""
    row = pickup_row(message.as_run, found, now=now)
    sentence = _("Part %(n)d: %(sentence)s") % {"n": message.part.position + 1, "sentence": row.sentence}
    is_first = is_first_part(run, message.part)
    return replace(
        row,
        sentence=sentence,
        offers_resend=is_first and row.offers_resend and may_be_resent(run),
        advice="" if is_first or not row.offers_resend else str(LATER_PART),
    )


def _sentence(found: Pickup) -> str:
    sentence = SENTENCES.get(found.where)
    if sentence is not None:
        return str(sentence % {"queue": found.queue})
    if not found.depth:
        return ngettext(
            "%(count)d message waits in queue %(queue)s.", "%(count)d messages wait in queue %(queue)s.", 0
        ) % {"count": 0, "queue": found.queue}
    return ngettext(
        "It waits among %(count)d message in queue %(queue)s.",
        "It waits among %(count)d messages in queue %(queue)s.",
        found.depth,
    ) % {"count": found.depth, "queue": found.queue}
